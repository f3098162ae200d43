"""The namespaces, topics and queue subscriptions there are: asked in memory, written through to the store.

It must not know HTTP or what waits in queues. Ids are compared without regard to case, as ARM does.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from emulators.eventgrid.configuration import ConfigurationError
from emulators.eventgrid.errors import Refused
from emulators.eventgrid.namespaces.resources import (
    Namespace,
    NamespaceTopic,
    QueueSubscription,
    parse_namespace,
    parse_subscription,
    parse_topic,
)
from emulators.eventgrid.store import Resource, Store

NAMESPACE = "namespace"
TOPIC = "namespaceTopic"
SUBSCRIPTION = "queueSubscription"


class NamespaceCatalogue:
    """All resources of namespaces. Dead letters must go to `storage_account`."""

    def __init__(self, store: Store, *, storage_account: str) -> None:
        self._store = store
        self.storage_account = storage_account
        self._namespaces: dict[str, Namespace] = {}
        self._topics: dict[str, NamespaceTopic] = {}
        self._subscriptions: dict[str, dict[str, QueueSubscription]] = {}
        """By the topic's id, then by their own."""

    def load(self) -> None:
        """Read what the store has kept; parents have the lower numbers.

        Raises ConfigurationError when the emulator was started in a way that does not fit it.
        """
        for resource in self._store.resources():
            try:
                self._revive(resource)
            except Refused as refused:
                raise ConfigurationError(f"what is kept of {resource.document['id']}: {refused.message}") from refused

    def clear(self) -> None:
        """Forget everything (the store is cleared by itself)."""
        self._namespaces.clear()
        self._topics.clear()
        self._subscriptions.clear()

    # Namespaces

    def namespaces(self) -> list[Namespace]:
        """All namespaces, oldest first."""
        return list(self._namespaces.values())

    def namespace(self, arm_id: str) -> Namespace | None:
        """The namespace of that id."""
        return self._namespaces.get(arm_id.lower())

    def namespace_named(self, name: str) -> Namespace | None:
        """The namespace of that name: names are unique, since they make the endpoint."""
        wanted = name.lower()
        return next((each for each in self._namespaces.values() if each.name.lower() == wanted), None)

    async def put_namespace(self, namespace: Namespace) -> None:
        """Create or replace a namespace."""
        await self._store.put_resource(namespace.id.lower(), NAMESPACE, namespace.document())
        self._namespaces[namespace.id.lower()] = namespace

    async def forget_namespace(self, namespace: Namespace) -> None:
        """Forget a namespace; its topics are for the caller to delete first."""
        self._namespaces.pop(namespace.id.lower(), None)
        await self._store.delete_resource(namespace.id.lower())

    # Topics

    def topic(self, arm_id: str) -> NamespaceTopic | None:
        """The topic of that id."""
        return self._topics.get(arm_id.lower())

    def topics_named(self, name: str) -> list[NamespaceTopic]:
        """The topics of that name, whichever namespaces they are in."""
        wanted = name.lower()
        return [each for each in self._topics.values() if each.name.lower() == wanted]

    def topics_of(self, namespace: Namespace) -> list[NamespaceTopic]:
        """The topics of one namespace, oldest first."""
        wanted = namespace.id.lower()
        return [each for each in self._topics.values() if each.namespace_id.lower() == wanted]

    async def put_topic(self, topic: NamespaceTopic) -> None:
        """Create or replace a topic."""
        await self._store.put_resource(topic.id.lower(), TOPIC, topic.document())
        self._topics[topic.id.lower()] = topic

    async def forget_topic(self, topic: NamespaceTopic) -> None:
        """Forget a topic; its event subscriptions are for the caller to delete first."""
        self._topics.pop(topic.id.lower(), None)
        self._subscriptions.pop(topic.id.lower(), None)
        await self._store.delete_resource(topic.id.lower())

    # Event subscriptions

    def subscription(self, arm_id: str) -> QueueSubscription | None:
        """The event subscription of that id."""
        topic_id = arm_id.lower().rpartition("/eventsubscriptions/")[0]
        return self._subscriptions.get(topic_id, {}).get(arm_id.lower())

    def subscriptions(self) -> list[QueueSubscription]:
        """All event subscriptions."""
        return [each for of_topic in self._subscriptions.values() for each in of_topic.values()]

    def subscriptions_of(self, topic: NamespaceTopic) -> Iterable[QueueSubscription]:
        """The event subscriptions of one topic, oldest first."""
        return self._subscriptions.get(topic.id.lower(), {}).values()

    async def put_subscription(self, subscription: QueueSubscription) -> QueueSubscription:
        """Create or replace an event subscription; it comes back with its number."""
        number = await self._store.put_resource(subscription.id.lower(), SUBSCRIPTION, subscription.document())
        numbered = replace(subscription, number=number)
        self._remember(numbered)
        return numbered

    async def forget_subscription(self, subscription: QueueSubscription) -> None:
        """Forget an event subscription; what waits in its queue is for the caller to drop."""
        self._subscriptions.get(subscription.topic_id.lower(), {}).pop(subscription.id.lower(), None)
        await self._store.delete_resource(subscription.id.lower())

    def _remember(self, subscription: QueueSubscription) -> None:
        self._subscriptions.setdefault(subscription.topic_id.lower(), {})[subscription.id.lower()] = subscription

    def _revive(self, resource: Resource) -> None:
        document = resource.document
        if resource.kind == NAMESPACE:
            namespace = parse_namespace(document["id"], document["body"], _keys(resource))
            self._namespaces[namespace.id.lower()] = namespace
        elif resource.kind == TOPIC:
            topic = parse_topic(document["id"], document["body"], _keys(resource))
            self._topics[topic.id.lower()] = topic
        elif resource.kind == SUBSCRIPTION:
            topic = self._topics[document["topic"].lower()]
            subscription = parse_subscription(document["id"], document["properties"], topic, self.storage_account)
            self._remember(replace(subscription, number=resource.number))


def _keys(resource: Resource) -> tuple[str, str]:
    first, second = resource.document["keys"]
    return first, second
