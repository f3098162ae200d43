"""Azure Resource Manager's face: topics and event subscriptions over HTTP, in the shapes azure-mgmt-eventgrid expects.

The scope form and the nested form of a subscription's path are one resource. Any bearer token opens it: keys guard
the data plane, and this emulator knows no identities.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from emulators.base.ids import Ids
from emulators.base.serving import Request, Response
from emulators.eventgrid import errors
from emulators.eventgrid.errors import Refused
from emulators.eventgrid.provisioning import Provisioning
from emulators.eventgrid.subscriptions import State, Subscription, full_url, subscription_id
from emulators.eventgrid.topics import Topic, topic_id

KEY_BYTES = 32
_OPERATIONS = "/providers/microsoft.eventgrid/locations/local/operationsstatus/"


@dataclass(frozen=True, slots=True)
class Call:
    """One ARM request: the path's names, the body, and the address it was called by."""

    request: Request
    names: Mapping[str, str]

    @property
    def base_url(self) -> str:
        """Scheme and authority as the client called them."""
        return f"{self.request.scheme}://{self.request.host}"

    def body(self) -> dict[str, Any]:
        """The body as a JSON object. Raises Refused."""
        try:
            document = orjson.loads(self.request.body)
        except orjson.JSONDecodeError as failure:
            raise Refused(errors.ARM_BAD_JSON, f"The request content is not valid JSON: {failure}.") from failure
        if not isinstance(document, dict):
            raise Refused(errors.ARM_BAD_JSON, "The request content must be a JSON object.")
        return document


Operation = Callable[["Management", Call], Awaitable[Response]]


class Management:
    """Answers requests below /subscriptions."""

    def __init__(self, provisioning: Provisioning, ids: Ids) -> None:
        self._provisioning = provisioning
        self._catalogue = provisioning.catalogue
        self._ids = ids

    def owns(self, path: str) -> bool:
        """Whether `path` is ARM's."""
        return path.lower().startswith(("/subscriptions/", "/providers/"))

    async def handle(self, request: Request) -> Response:
        """The answer to an ARM request."""
        try:
            self._check(request)
            allowed = []
            for method, pattern, operation in ROUTES:
                if found := pattern.fullmatch(request.path.rstrip("/")):
                    if method == request.method:
                        return await operation(self, Call(request, found.groupdict()))
                    allowed.append(method)
            if allowed:
                raise Refused(
                    errors.ARM_METHOD_NOT_ALLOWED,
                    f"{request.method} is not supported here.",
                    {"allow": ", ".join(allowed)},
                )
            raise _unknown(request.path)
        except Refused as refused:
            return errors.arm_answer(refused)

    def _check(self, request: Request) -> None:
        if not request.headers.get("authorization", "").lower().startswith("bearer "):
            raise Refused(
                errors.ARM_NO_TOKEN,
                "Authentication failed. The 'Authorization' header is missing.",
                {"www-authenticate": 'Bearer error="invalid_token"'},
            )
        if not dict(request.query).get("api-version"):
            raise Refused(errors.ARM_NO_API_VERSION, "The api-version query parameter (?api-version=) is required.")

    # Topics

    async def put_topic(self, call: Call) -> Response:
        """Create or replace a topic; keys stay."""
        topic = await self._provisioning.put_topic(_topic_id(call.names), call.body())
        return _json(201, topic.shown(call.base_url))

    async def patch_topic(self, call: Call) -> Response:
        """Change tags and some properties."""
        topic = self._topic(call.names)
        change = call.body()
        body = topic.document()["body"]
        body["tags"] = change.get("tags", body["tags"])
        body["properties"] = {**body["properties"], **_inner(change)}
        topic = await self._provisioning.put_topic(topic.id, body)
        return _json(200, topic.shown(call.base_url))

    async def get_topic(self, call: Call) -> Response:
        """One topic."""
        return _json(200, self._topic(call.names).shown(call.base_url))

    async def delete_topic(self, call: Call) -> Response:
        """Delete a topic with its subscriptions and whatever waits for them."""
        topic = self._catalogue.topic(_topic_id(call.names))
        if topic is None:
            return Response(204)
        await self._provisioning.delete_topic(topic)
        return self._accepted(call)

    async def list_topics(self, call: Call) -> Response:
        """The topics of a resource group, or of the whole subscription."""
        scope = call.request.path.lower().partition("/providers/")[0] + "/"
        found = [topic for topic in self._catalogue.topics() if topic.id.lower().startswith(scope)]
        return _json(200, {"value": [topic.shown(call.base_url) for topic in found]})

    async def list_keys(self, call: Call) -> Response:
        """Both keys."""
        return _json(200, _keys(self._topic(call.names)))

    async def regenerate_key(self, call: Call) -> Response:
        """Replace one key by a fresh one."""
        topic, name = self._topic(call.names), call.body().get("keyName")
        if name not in ("key1", "key2"):
            raise Refused(errors.ARM_INVALID_REQUEST, "keyName must be key1 or key2.")
        topic = await self._provisioning.rotate_key(topic, str(name), self._ids.token(KEY_BYTES))
        return _json(200, _keys(topic))

    # Event subscriptions

    async def put_subscription(self, call: Call) -> Response:
        """Create or replace; the handshake goes on after this answer, whose state is Creating or Updating."""
        topic = self._topic(call.names)
        properties = _inner(call.body())
        subscription = await self._provisioning.put_subscription(topic, call.names["name"], properties, call.base_url)
        return self._provisioned(subscription, call)

    async def patch_subscription(self, call: Call) -> Response:
        """Change some properties (an update's members lie at the top, not under `properties`)."""
        subscription = self._subscription(call.names)
        change = call.body()
        properties = {**subscription.properties, **_inner(change)}
        properties |= {name: each for name, each in change.items() if name != "properties"}
        topic = self._topic(call.names)
        subscription = await self._provisioning.put_subscription(topic, subscription.name, properties, call.base_url)
        return self._provisioned(subscription, call)

    async def get_subscription(self, call: Call) -> Response:
        """One event subscription."""
        return _json(200, self._subscription(call.names).shown())

    async def delete_subscription(self, call: Call) -> Response:
        """Delete an event subscription and whatever waits for it."""
        subscription = self._catalogue.subscription(_subscription_id(call.names))
        if subscription is None:
            return Response(204)
        await self._provisioning.delete_subscription(subscription)
        return self._accepted(call)

    async def list_subscriptions(self, call: Call) -> Response:
        """The event subscriptions of a topic."""
        found = self._catalogue.subscriptions_of(self._topic(call.names))
        return _json(200, {"value": [each.shown() for each in found]})

    async def full_url(self, call: Call) -> Response:
        """The webhook's URL with its secrets."""
        return _json(200, {"endpointUrl": full_url(self._subscription(call.names).properties)})

    async def delivery_attributes(self, call: Call) -> Response:
        """The delivery attributes with their secrets."""
        inner = self._subscription(call.names).properties["destination"]["properties"]
        return _json(200, {"value": inner.get("deliveryAttributeMappings") or []})

    async def operation_status(self, call: Call) -> Response:
        """How a long-running operation stands: its id is the subscription's number, or `done`."""
        token = call.names["token"]
        if token == "done":  # noqa: S105 - a word in a path
            return _json(200, {"status": "Succeeded"})
        subscription = next((each for each in self._catalogue.subscriptions() if str(each.number) == token), None)
        if subscription is None:
            raise Refused(errors.ARM_NOT_FOUND, "There is no such operation.")
        if subscription.state is State.FAILED:
            error = {"code": "Url validation", "message": f"The handshake failed: {subscription.failure}."}
            return _json(200, {"status": "Failed", "error": error})
        ready = subscription.state in (State.SUCCEEDED, State.AWAITING_MANUAL_ACTION)
        return _json(200, {"status": "Succeeded" if ready else "InProgress"})

    def _topic(self, names: Mapping[str, str]) -> Topic:
        wanted = _topic_id(names)
        topic = self._catalogue.topic(wanted)
        if topic is None:
            raise Refused(errors.ARM_NOT_FOUND, f"The Resource '{wanted}' was not found.")
        return topic

    def _subscription(self, names: Mapping[str, str]) -> Subscription:
        wanted = _subscription_id(names)
        subscription = self._catalogue.subscription(wanted)
        if subscription is None:
            raise Refused(errors.ARM_NOT_FOUND, f"The Resource '{wanted}' was not found.")
        return subscription

    def _provisioned(self, subscription: Subscription, call: Call) -> Response:
        address = f"{call.base_url}{_OPERATIONS}{subscription.number}?{call.request.query_string}"
        return _json(201, subscription.shown(), {"azure-asyncoperation": address, "retry-after": "0"})

    def _accepted(self, call: Call) -> Response:
        address = f"{call.base_url}{_OPERATIONS}done?{call.request.query_string}"
        return Response(202, {"azure-asyncoperation": address, "location": address, "retry-after": "0"})


_ACCOUNT = r"/subscriptions/(?P<account>[^/]+)"
_GROUP = _ACCOUNT + r"/resourceGroups/(?P<group>[^/]+)"
_TOPICS = r"/providers/Microsoft\.EventGrid/topics"
_TOPIC = _GROUP + _TOPICS + r"/(?P<topic>[^/]+)"
_SUBSCRIPTIONS = _TOPIC + r"(?:/providers/Microsoft\.EventGrid)?/eventSubscriptions"
_SUBSCRIPTION = _SUBSCRIPTIONS + r"/(?P<name>[^/]+)"


def _routes(*rows: tuple[str, str, Operation]) -> list[tuple[str, re.Pattern[str], Operation]]:
    return [(method, re.compile(path, re.IGNORECASE), operation) for method, path, operation in rows]


ROUTES = _routes(
    ("PUT", _TOPIC, Management.put_topic),
    ("PATCH", _TOPIC, Management.patch_topic),
    ("GET", _TOPIC, Management.get_topic),
    ("DELETE", _TOPIC, Management.delete_topic),
    ("GET", _GROUP + _TOPICS, Management.list_topics),
    ("GET", _ACCOUNT + _TOPICS, Management.list_topics),
    ("POST", _TOPIC + "/listKeys", Management.list_keys),
    ("POST", _TOPIC + "/regenerateKey", Management.regenerate_key),
    ("PUT", _SUBSCRIPTION, Management.put_subscription),
    ("PATCH", _SUBSCRIPTION, Management.patch_subscription),
    ("GET", _SUBSCRIPTION, Management.get_subscription),
    ("DELETE", _SUBSCRIPTION, Management.delete_subscription),
    ("GET", _SUBSCRIPTIONS, Management.list_subscriptions),
    ("POST", _SUBSCRIPTION + "/getFullUrl", Management.full_url),
    ("POST", _SUBSCRIPTION + "/getDeliveryAttributes", Management.delivery_attributes),
    ("GET", re.escape(_OPERATIONS) + r"(?P<token>[^/]+)", Management.operation_status),
)
"""(method, path, operation); paths are matched without regard to case."""


def _topic_id(names: Mapping[str, str]) -> str:
    return topic_id(f"/subscriptions/{names['account']}/resourceGroups/{names['group']}", names["topic"])


def _subscription_id(names: Mapping[str, str]) -> str:
    return subscription_id(_topic_id(names), names["name"])


def _inner(body: Mapping[str, Any]) -> dict[str, Any]:
    properties = body.get("properties")
    if properties is not None and not isinstance(properties, dict):
        raise Refused(errors.ARM_INVALID_REQUEST, "properties must be an object.")
    return properties or {}


def _keys(topic: Topic) -> dict[str, str]:
    return {"key1": topic.keys[0], "key2": topic.keys[1]}


def _unknown(path: str) -> Refused:
    """What Event Grid has and this emulator has not is said by name."""
    found = re.search(r"/providers/Microsoft\.EventGrid/(.+)", path, re.IGNORECASE)
    if found:
        return Refused(errors.ARM_NOT_BUILT, f"This emulator does not have 'Microsoft.EventGrid/{found[1]}'.")
    return Refused(errors.ARM_UNKNOWN_PATH, f"The resource type of '{path}' is not one of Microsoft.EventGrid.")


def _json(status: int, document: object, headers: Mapping[str, str] | None = None) -> Response:
    return Response(
        status, {"content-type": "application/json; charset=utf-8", **(headers or {})}, orjson.dumps(document)
    )
