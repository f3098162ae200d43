"""The topics and event subscriptions there are: in memory to be asked at once, written through to the store.

It must not know HTTP, delivery or handshakes. Ids are compared without regard to case, as ARM does.
"""

from __future__ import annotations

from collections.abc import Iterable

from emulators.eventgrid.errors import ARM_NOT_FOUND, Refused
from emulators.eventgrid.store import Resource, Store
from emulators.eventgrid.subscriptions import State, Subscription, Surroundings, Validation, parse_properties
from emulators.eventgrid.topics import Topic, topic_from_document

TOPIC = "topic"
SUBSCRIPTION = "eventSubscription"


class Catalogue:
    """All resources. `functions_host` and `storage_account` resolve what subscriptions refer to."""

    def __init__(self, store: Store, *, functions_host: str, storage_account: str) -> None:
        self._store = store
        self._functions_host = functions_host
        self._storage_account = storage_account
        self._topics: dict[str, Topic] = {}
        self._topics_by_name: dict[str, Topic] = {}
        self._subscriptions: dict[str, Subscription] = {}
        self._by_topic: dict[str, dict[str, Subscription]] = {}

    def load(self) -> None:
        """Read what the store has kept."""
        for resource in self._store.resources():
            if resource.kind == TOPIC:
                self._remember_topic(topic_from_document(resource.document))
        for resource in self._store.resources():
            if resource.kind == SUBSCRIPTION:
                self._remember_subscription(self._revive(resource))

    def clear(self) -> None:
        """Forget everything (the store is cleared by itself)."""
        for index in (self._topics, self._topics_by_name, self._subscriptions, self._by_topic):
            index.clear()

    # Topics

    def topics(self) -> list[Topic]:
        """All topics, oldest first."""
        return list(self._topics.values())

    def topic(self, topic_id: str) -> Topic | None:
        """The topic of that ARM id."""
        return self._topics.get(topic_id.lower())

    def topic_named(self, name: str) -> Topic | None:
        """The topic of that name: names are unique, since they make the endpoint."""
        return self._topics_by_name.get(name.lower())

    async def put_topic(self, topic: Topic) -> None:
        """Create or replace a topic."""
        await self._store.put_resource(topic.id.lower(), TOPIC, topic.document())
        self._remember_topic(topic)

    async def delete_topic(self, topic: Topic) -> None:
        """Forget a topic. The subscriptions it is known to have are for the caller to delete first."""
        self._topics.pop(topic.id.lower(), None)
        self._topics_by_name.pop(topic.name.lower(), None)
        await self._store.delete_resource(topic.id.lower())

    # Subscriptions

    def subscriptions(self) -> list[Subscription]:
        """All event subscriptions, oldest first."""
        return list(self._subscriptions.values())

    def subscriptions_of(self, topic: Topic) -> Iterable[Subscription]:
        """The event subscriptions of one topic."""
        return self._by_topic.get(topic.id.lower(), {}).values()

    def subscription(self, subscription_id: str) -> Subscription | None:
        """The event subscription of that ARM id."""
        return self._subscriptions.get(subscription_id.lower())

    def surroundings(self, topic: Topic) -> Surroundings:
        """What the properties of a subscription to `topic` are checked against."""
        return Surroundings(topic.schema, self._functions_host, self._storage_account)

    async def put_subscription(self, subscription: Subscription) -> None:
        """Create or replace an event subscription; gives it its number. Raises Refused when its topic is gone."""
        self._demand_topic(subscription)  # it may have gone while the caller waited
        key = subscription.id.lower()
        subscription.number = await self._store.put_resource(key, SUBSCRIPTION, subscription.document())
        self._demand_topic(subscription)  # or during the write: what was written has gone with it
        self._remember_subscription(subscription)

    async def delete_subscription(self, subscription: Subscription) -> None:
        """Forget an event subscription. What waits in its queue is for the caller to drop."""
        self._subscriptions.pop(subscription.id.lower(), None)
        self._by_topic.get(subscription.topic_id.lower(), {}).pop(subscription.id.lower(), None)
        await self._store.delete_resource(subscription.id.lower())

    def _demand_topic(self, subscription: Subscription) -> None:
        if self.topic(subscription.topic_id) is None:
            raise Refused(ARM_NOT_FOUND, f"The Resource '{subscription.topic_id}' was not found.")

    def _revive(self, resource: Resource) -> Subscription:
        document = resource.document
        topic = self._topics[document["topic"].lower()]
        validation = document["validation"]
        return Subscription(
            id=document["id"],
            topic_id=document["topic"],
            properties=document["properties"],
            settings=parse_properties(document["properties"], self.surroundings(topic)),
            state=State(document["state"]),
            number=resource.number,
            validation=validation and Validation(validation["code"], validation["baseUrl"], validation["until"]),
            failure=document["failure"],
        )

    def _remember_topic(self, topic: Topic) -> None:
        self._topics[topic.id.lower()] = topic
        self._topics_by_name[topic.name.lower()] = topic

    def _remember_subscription(self, subscription: Subscription) -> None:
        key = subscription.id.lower()
        self._subscriptions[key] = subscription
        self._by_topic.setdefault(subscription.topic_id.lower(), {})[key] = subscription
