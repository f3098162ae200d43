"""Azure Resource Manager's face of namespaces: the shapes that azure-mgmt-eventgrid expects.

Table first, at the end: method, path, operation. It must not know what waits in queues.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeVar

from emulators.base.ids import Ids
from emulators.base.serving import Request, Response
from emulators.eventgrid import arm
from emulators.eventgrid.arm import Call, json_answer
from emulators.eventgrid.errors import ARM_INVALID_REQUEST, ARM_NOT_BUILT, ARM_NOT_FOUND, Refused
from emulators.eventgrid.namespaces.provisioning import NamespaceProvisioning
from emulators.eventgrid.namespaces.resources import NAMESPACE_TYPE, Namespace, NamespaceTopic, QueueSubscription

KEY_BYTES = 32
Found = TypeVar("Found")


class NamespaceManagement:
    """Answers requests for namespaces and what is in them."""

    def __init__(self, provisioning: NamespaceProvisioning, ids: Ids) -> None:
        self._provisioning = provisioning
        self._catalogue = provisioning.catalogue
        self._ids = ids

    def owns(self, path: str) -> bool:
        """Whether `path` is of a namespace."""
        return _OWNED.match(path) is not None

    async def handle(self, request: Request) -> Response:
        """The answer to an ARM request."""
        return await arm.answer(ROUTES, self, request)

    # Namespaces

    async def put_namespace(self, call: Call) -> Response:
        """Create or replace a namespace; keys stay."""
        namespace, new = await self._provisioning.put_namespace(_namespace_id(call), call.body())
        return json_answer(_created(new), namespace.shown(call.request.host))

    async def patch_namespace(self, call: Call) -> Response:
        """Change tags, the number of throughput units and some properties."""
        namespace, change = self._namespace(call), call.body()
        body = {**namespace.body, **{name: each for name, each in change.items() if name != "properties"}}
        body["properties"] = {**namespace.properties, **call.properties()}
        changed, _ = await self._provisioning.put_namespace(namespace.id, body)
        return json_answer(200, changed.shown(call.request.host))

    async def get_namespace(self, call: Call) -> Response:
        """One namespace."""
        return json_answer(200, self._namespace(call).shown(call.request.host))

    async def delete_namespace(self, call: Call) -> Response:
        """Delete a namespace with everything in it."""
        namespace = self._catalogue.namespace(_namespace_id(call))
        if namespace is None:
            return Response(204)
        await self._provisioning.delete_namespace(namespace)
        return arm.accepted(call)

    async def list_namespaces(self, call: Call) -> Response:
        """The namespaces of a resource group, or of the whole subscription."""
        scope = call.request.path.lower().partition("/providers/")[0] + "/"
        found = [each for each in self._catalogue.namespaces() if each.id.lower().startswith(scope)]
        return call.page([each.shown(call.request.host) for each in found])

    async def list_namespace_keys(self, call: Call) -> Response:
        """Both keys."""
        return arm.keys_answer(self._namespace(call).keys)

    async def regenerate_namespace_key(self, call: Call) -> Response:
        """Replace one key by a fresh one."""
        secret = self._ids.token(KEY_BYTES)
        rotated = await self._provisioning.rotate_namespace_key(self._namespace(call), arm.key_name(call), secret)
        return arm.keys_answer(rotated.keys)

    # Topics

    async def put_topic(self, call: Call) -> Response:
        """Create or replace a topic; keys stay."""
        topic, new = await self._provisioning.put_topic(_topic_id(call), call.body())
        return json_answer(_created(new), topic.shown())

    async def patch_topic(self, call: Call) -> Response:
        """Change the retention."""
        topic = self._topic(call)
        body = {"properties": {**topic.body["properties"], **call.properties()}}
        changed, _ = await self._provisioning.put_topic(topic.id, body)
        return json_answer(200, changed.shown())

    async def get_topic(self, call: Call) -> Response:
        """One topic."""
        return json_answer(200, self._topic(call).shown())

    async def delete_topic(self, call: Call) -> Response:
        """Delete a topic with its event subscriptions."""
        topic = self._catalogue.topic(_topic_id(call))
        if topic is None:
            return Response(204)
        await self._provisioning.delete_topic(topic)
        return arm.accepted(call)

    async def list_topics(self, call: Call) -> Response:
        """The topics of a namespace."""
        return call.page([each.shown() for each in self._catalogue.topics_of(self._namespace(call))])

    async def list_topic_keys(self, call: Call) -> Response:
        """Both keys of a topic, which open it alone."""
        return arm.keys_answer(self._topic(call).keys)

    async def regenerate_topic_key(self, call: Call) -> Response:
        """Replace one key of a topic by a fresh one."""
        secret = self._ids.token(KEY_BYTES)
        rotated = await self._provisioning.rotate_topic_key(self._topic(call), arm.key_name(call), secret)
        return arm.keys_answer(rotated.keys)

    # Event subscriptions

    async def put_subscription(self, call: Call) -> Response:
        """Create or replace an event subscription."""
        subscription, new = await self._provisioning.put_subscription(_subscription_id(call), call.properties())
        return json_answer(_created(new), subscription.shown())

    async def patch_subscription(self, call: Call) -> Response:
        """Change what is named; the members of deliveryConfiguration.queue one by one."""
        subscription = self._subscription(call)
        properties = _merged(subscription.properties, call.properties())
        changed, _ = await self._provisioning.put_subscription(subscription.id, properties)
        return json_answer(200, changed.shown())

    async def get_subscription(self, call: Call) -> Response:
        """One event subscription."""
        return json_answer(200, self._subscription(call).shown())

    async def delete_subscription(self, call: Call) -> Response:
        """Delete an event subscription with whatever waits in its queue."""
        subscription = self._catalogue.subscription(_subscription_id(call))
        if subscription is None:
            return Response(204)
        await self._provisioning.delete_subscription(subscription)
        return arm.accepted(call)

    async def list_subscriptions(self, call: Call) -> Response:
        """The event subscriptions of a topic."""
        found = self._catalogue.subscriptions_of(self._topic(call))
        return call.page([each.shown() for each in found])

    async def refuse_push_detail(self, call: Call) -> Response:
        """400: a queue has neither a URL nor delivery attributes."""
        self._subscription(call)
        raise Refused(ARM_INVALID_REQUEST, "Only an event subscription in delivery mode Push has that; this is Queue.")

    async def refuse_custom_domains(self, call: Call) -> Response:
        """501: there are none to own."""
        raise Refused(ARM_NOT_BUILT, "This emulator has no custom domains.")

    def _namespace(self, call: Call) -> Namespace:
        return _there(self._catalogue.namespace(_namespace_id(call)), _namespace_id(call))

    def _topic(self, call: Call) -> NamespaceTopic:
        return _there(self._catalogue.topic(_topic_id(call)), _topic_id(call))

    def _subscription(self, call: Call) -> QueueSubscription:
        return _there(self._catalogue.subscription(_subscription_id(call)), _subscription_id(call))


_NAMESPACES = r"/providers/Microsoft\.EventGrid/namespaces"
_NAMESPACE = arm.GROUP + _NAMESPACES + r"/(?P<namespace>[^/]+)"
_TOPICS = _NAMESPACE + r"/topics"
_TOPIC = _TOPICS + r"/(?P<topic>[^/]+)"
_SUBSCRIPTIONS = _TOPIC + r"/eventSubscriptions"
_SUBSCRIPTION = _SUBSCRIPTIONS + r"/(?P<name>[^/]+)"
_OWNED = re.compile(rf"{arm.ACCOUNT}(?:/resourceGroups/[^/]+)?{_NAMESPACES}(?:/|$)", re.IGNORECASE)

ROUTES = arm.routes(
    ("PUT", _NAMESPACE, NamespaceManagement.put_namespace),
    ("PATCH", _NAMESPACE, NamespaceManagement.patch_namespace),
    ("GET", _NAMESPACE, NamespaceManagement.get_namespace),
    ("DELETE", _NAMESPACE, NamespaceManagement.delete_namespace),
    ("GET", arm.GROUP + _NAMESPACES, NamespaceManagement.list_namespaces),
    ("GET", arm.ACCOUNT + _NAMESPACES, NamespaceManagement.list_namespaces),
    ("POST", _NAMESPACE + "/listKeys", NamespaceManagement.list_namespace_keys),
    ("POST", _NAMESPACE + "/regenerateKey", NamespaceManagement.regenerate_namespace_key),
    ("POST", _NAMESPACE + "/validateCustomDomainOwnership", NamespaceManagement.refuse_custom_domains),
    ("PUT", _TOPIC, NamespaceManagement.put_topic),
    ("PATCH", _TOPIC, NamespaceManagement.patch_topic),
    ("GET", _TOPIC, NamespaceManagement.get_topic),
    ("DELETE", _TOPIC, NamespaceManagement.delete_topic),
    ("GET", _TOPICS, NamespaceManagement.list_topics),
    ("POST", _TOPIC + "/listKeys", NamespaceManagement.list_topic_keys),
    ("POST", _TOPIC + "/regenerateKey", NamespaceManagement.regenerate_topic_key),
    ("PUT", _SUBSCRIPTION, NamespaceManagement.put_subscription),
    ("PATCH", _SUBSCRIPTION, NamespaceManagement.patch_subscription),
    ("GET", _SUBSCRIPTION, NamespaceManagement.get_subscription),
    ("DELETE", _SUBSCRIPTION, NamespaceManagement.delete_subscription),
    ("GET", _SUBSCRIPTIONS, NamespaceManagement.list_subscriptions),
    ("POST", _SUBSCRIPTION + "/getFullUrl", NamespaceManagement.refuse_push_detail),
    ("POST", _SUBSCRIPTION + "/getDeliveryAttributes", NamespaceManagement.refuse_push_detail),
)


def _namespace_id(call: Call) -> str:
    return f"{call.group_id}/providers/{NAMESPACE_TYPE}/{call.names['namespace']}"


def _topic_id(call: Call) -> str:
    return f"{_namespace_id(call)}/topics/{call.names['topic']}"


def _subscription_id(call: Call) -> str:
    return f"{_topic_id(call)}/eventSubscriptions/{call.names['name']}"


def _created(new: bool) -> int:
    return 201 if new else 200


def _merged(old: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """A patch as ARM merges it: objects member by member, everything else as a whole."""
    merged = dict(old)
    for name, value in change.items():
        before = old.get(name)
        if isinstance(before, Mapping) and isinstance(value, Mapping):
            merged[name] = _merged(before, value)
        else:
            merged[name] = value
    return merged


def _there(found: Found | None, arm_id: str) -> Found:
    if found is None:
        raise Refused(ARM_NOT_FOUND, f"The Resource '{arm_id}' was not found.")
    return found
