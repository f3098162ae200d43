"""Azure Resource Manager's face: topics and event subscriptions over HTTP, in the shapes azure-mgmt-eventgrid expects.

The scope form and the nested form of a subscription's path are one resource. Any bearer token opens it: keys guard
the data plane, and this emulator knows no identities.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from emulators.base.ids import Ids
from emulators.base.serving import Request, Response
from emulators.eventgrid import arm, errors
from emulators.eventgrid.arm import Call, json_answer
from emulators.eventgrid.errors import Refused
from emulators.eventgrid.provisioning import Provisioning
from emulators.eventgrid.subscriptions import State, Subscription, full_url, subscription_id
from emulators.eventgrid.topics import Topic, topic_id

KEY_BYTES = 32


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
        return await arm.answer(ROUTES, self, request)

    # Topics

    async def put_topic(self, call: Call) -> Response:
        """Create or replace a topic; keys stay."""
        topic = await self._provisioning.put_topic(_topic_id(call.names), call.body())
        return json_answer(201, topic.shown(call.base_url))

    async def patch_topic(self, call: Call) -> Response:
        """Change tags and some properties."""
        topic = self._topic(call.names)
        change = call.body()
        body = topic.document()["body"]
        body["tags"] = change.get("tags", body["tags"])
        body["properties"] = {**body["properties"], **call.properties()}
        topic = await self._provisioning.put_topic(topic.id, body)
        return json_answer(200, topic.shown(call.base_url))

    async def get_topic(self, call: Call) -> Response:
        """One topic."""
        return json_answer(200, self._topic(call.names).shown(call.base_url))

    async def delete_topic(self, call: Call) -> Response:
        """Delete a topic with its subscriptions and whatever waits for them."""
        topic = self._catalogue.topic(_topic_id(call.names))
        if topic is None:
            return Response(204)
        await self._provisioning.delete_topic(topic)
        return arm.accepted(call)

    async def list_topics(self, call: Call) -> Response:
        """The topics of a resource group, or of the whole subscription."""
        scope = call.request.path.lower().partition("/providers/")[0] + "/"
        found = [topic for topic in self._catalogue.topics() if topic.id.lower().startswith(scope)]
        return json_answer(200, {"value": [topic.shown(call.base_url) for topic in found]})

    async def list_keys(self, call: Call) -> Response:
        """Both keys."""
        return arm.keys_answer(self._topic(call.names).keys)

    async def regenerate_key(self, call: Call) -> Response:
        """Replace one key by a fresh one."""
        topic, name = self._topic(call.names), arm.key_name(call)
        topic = await self._provisioning.rotate_key(topic, name, self._ids.token(KEY_BYTES))
        return arm.keys_answer(topic.keys)

    # Event subscriptions

    async def put_subscription(self, call: Call) -> Response:
        """Create or replace; the handshake goes on after this answer, whose state is Creating or Updating."""
        topic = self._topic(call.names)
        properties = call.properties()
        subscription = await self._provisioning.put_subscription(topic, call.names["name"], properties, call.base_url)
        return self._provisioned(subscription, call)

    async def patch_subscription(self, call: Call) -> Response:
        """Change some properties (an update's members lie at the top, not under `properties`)."""
        subscription = self._subscription(call.names)
        change = call.body()
        properties = {**subscription.properties, **call.properties()}
        properties |= {name: each for name, each in change.items() if name != "properties"}
        topic = self._topic(call.names)
        subscription = await self._provisioning.put_subscription(topic, subscription.name, properties, call.base_url)
        return self._provisioned(subscription, call)

    async def get_subscription(self, call: Call) -> Response:
        """One event subscription."""
        return json_answer(200, self._subscription(call.names).shown())

    async def delete_subscription(self, call: Call) -> Response:
        """Delete an event subscription and whatever waits for it."""
        subscription = self._catalogue.subscription(_subscription_id(call.names))
        if subscription is None:
            return Response(204)
        await self._provisioning.delete_subscription(subscription)
        return arm.accepted(call)

    async def list_subscriptions(self, call: Call) -> Response:
        """The event subscriptions of a topic."""
        found = self._catalogue.subscriptions_of(self._topic(call.names))
        return json_answer(200, {"value": [each.shown() for each in found]})

    async def full_url(self, call: Call) -> Response:
        """The webhook's URL with its secrets."""
        return json_answer(200, {"endpointUrl": full_url(self._subscription(call.names).properties)})

    async def delivery_attributes(self, call: Call) -> Response:
        """The delivery attributes with their secrets."""
        inner = self._subscription(call.names).properties["destination"]["properties"]
        return json_answer(200, {"value": inner.get("deliveryAttributeMappings") or []})

    async def operation_status(self, call: Call) -> Response:
        """How a long-running operation stands: its id is the subscription's number, or `done`."""
        token = call.names["token"]
        if token == "done":  # noqa: S105 - a word in a path
            return json_answer(200, {"status": "Succeeded"})
        subscription = next((each for each in self._catalogue.subscriptions() if str(each.number) == token), None)
        if subscription is None:
            raise Refused(errors.ARM_NOT_FOUND, "There is no such operation.")
        if subscription.state is State.FAILED:
            error = {"code": "Url validation", "message": f"The handshake failed: {subscription.failure}."}
            return json_answer(200, {"status": "Failed", "error": error})
        ready = subscription.state in (State.SUCCEEDED, State.AWAITING_MANUAL_ACTION)
        return json_answer(200, {"status": "Succeeded" if ready else "InProgress"})

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
        address = f"{call.base_url}{arm.OPERATIONS}{subscription.number}?{call.request.query_string}"
        return json_answer(201, subscription.shown(), {"azure-asyncoperation": address, "retry-after": "0"})


_TOPICS = r"/providers/Microsoft\.EventGrid/topics"
_TOPIC = arm.GROUP + _TOPICS + r"/(?P<topic>[^/]+)"
_SUBSCRIPTIONS = _TOPIC + r"(?:/providers/Microsoft\.EventGrid)?/eventSubscriptions"
_SUBSCRIPTION = _SUBSCRIPTIONS + r"/(?P<name>[^/]+)"


ROUTES = arm.routes(
    ("PUT", _TOPIC, Management.put_topic),
    ("PATCH", _TOPIC, Management.patch_topic),
    ("GET", _TOPIC, Management.get_topic),
    ("DELETE", _TOPIC, Management.delete_topic),
    ("GET", arm.GROUP + _TOPICS, Management.list_topics),
    ("GET", arm.ACCOUNT + _TOPICS, Management.list_topics),
    ("POST", _TOPIC + "/listKeys", Management.list_keys),
    ("POST", _TOPIC + "/regenerateKey", Management.regenerate_key),
    ("PUT", _SUBSCRIPTION, Management.put_subscription),
    ("PATCH", _SUBSCRIPTION, Management.patch_subscription),
    ("GET", _SUBSCRIPTION, Management.get_subscription),
    ("DELETE", _SUBSCRIPTION, Management.delete_subscription),
    ("GET", _SUBSCRIPTIONS, Management.list_subscriptions),
    ("POST", _SUBSCRIPTION + "/getFullUrl", Management.full_url),
    ("POST", _SUBSCRIPTION + "/getDeliveryAttributes", Management.delivery_attributes),
    ("GET", re.escape(arm.OPERATIONS) + r"(?P<token>[^/]+)", Management.operation_status),
)


def _topic_id(names: Mapping[str, str]) -> str:
    return topic_id(f"/subscriptions/{names['account']}/resourceGroups/{names['group']}", names["topic"])


def _subscription_id(names: Mapping[str, str]) -> str:
    return subscription_id(_topic_id(names), names["name"])
