"""The sources of events (topics, domains, domain topics, system topics) and the event subscriptions there are.

In memory to be asked at once, written through to the store. It must not know HTTP, delivery or handshakes. Ids are
compared without regard to case, as ARM does.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TypeAlias

from emulators.eventgrid.destinations import Whereabouts
from emulators.eventgrid.errors import ARM_NOT_FOUND, Refused
from emulators.eventgrid.schemas import Schema
from emulators.eventgrid.store import Resource, Store
from emulators.eventgrid.subscriptions import (
    State,
    Subscription,
    Surroundings,
    Validation,
    parse_properties,
)
from emulators.eventgrid.systemtopics import SystemTopic
from emulators.eventgrid.topics import Domain, DomainTopic, Topic

SUBSCRIPTION = "eventSubscription"
Source: TypeAlias = Topic | DomainTopic | SystemTopic
"""What an event subscription can be made on; a Domain is a Topic."""
SOURCES: Mapping[str, type[Source]] = {each.kind: each for each in (Topic, Domain, DomainTopic, SystemTopic)}
"""Every kind of source by the name under which it is stored."""


def subscription_id(source_id: str, name: str) -> str:
    """The ARM id of an event subscription: nested for system topics, else in the scope form."""
    nested = "/systemtopics/" in source_id.lower()
    return f"{source_id}{'' if nested else '/providers/Microsoft.EventGrid'}/eventSubscriptions/{name}"


class Catalogue:
    """All resources. `where` resolves what subscriptions refer to."""

    def __init__(self, store: Store, where: Whereabouts) -> None:
        self._store = store
        self._where = where
        self._sources: dict[str, Source] = {}
        self._endpoints: dict[str, Topic] = {}
        self._by_domain: dict[str, dict[str, DomainTopic]] = {}
        self._subscriptions: dict[str, Subscription] = {}
        self._by_source: dict[str, dict[str, Subscription]] = {}

    def load(self) -> None:
        """Read what the store has kept. Raises ValueError when it refers to what is not there any more."""
        for resource in self._store.resources():
            if kind := SOURCES.get(resource.kind):
                self._remember_source(kind.revived(resource.document))
        for resource in self._store.resources():
            if resource.kind == SUBSCRIPTION:
                try:
                    self._remember_subscription(self._revive(resource))
                except Refused as refused:
                    raise ValueError(f"{resource.document['id']}, as it was kept: {refused.message}") from refused

    def clear(self) -> None:
        """Forget everything (the store is cleared by itself)."""
        for index in (
            self._sources, self._endpoints, self._by_domain, self._subscriptions, self._by_source,
        ):  # fmt: skip
            index.clear()

    # Sources

    def sources(self) -> list[Source]:
        """All sources, oldest first."""
        return list(self._sources.values())

    def source(self, arm_id: str) -> Source | None:
        """The source of that ARM id."""
        return self._sources.get(arm_id.lower())

    def topics(self) -> list[Topic]:
        """What has an endpoint of its own, domains too, oldest first."""
        return list(self._endpoints.values())

    def topic_named(self, name: str) -> Topic | None:
        """The topic or domain of that name: names are unique, since they make the endpoint."""
        return self._endpoints.get(name.lower())

    def topics_of(self, domain: Domain) -> Collection[DomainTopic]:
        """The topics of a domain, oldest first."""
        return self._by_domain.get(domain.id.lower(), {}).values()

    def system_topic_of(self, source: str) -> SystemTopic | None:
        """The system topic of an Azure resource: there is at most one."""
        for each in self._sources.values():
            if isinstance(each, SystemTopic) and each.source.lower() == source.lower():
                return each
        return None

    async def put_source(self, source: Source) -> None:
        """Create or replace a source."""
        await self._store.put_resource(source.id.lower(), source.kind, source.document())
        self._remember_source(source)

    async def delete_source(self, source: Source) -> None:
        """Forget a source. The subscriptions and topics it is known to have are for the caller to delete first."""
        self._sources.pop(source.id.lower(), None)
        if isinstance(source, Topic):
            self._endpoints.pop(source.name.lower(), None)
        elif isinstance(source, DomainTopic):
            self._by_domain.get(source.domain_id.lower(), {}).pop(source.id.lower(), None)
        await self._store.delete_resource(source.id.lower())

    # Subscriptions

    def subscriptions(self) -> list[Subscription]:
        """All event subscriptions, oldest first."""
        return list(self._subscriptions.values())

    def subscriptions_of(self, source_id: str) -> Iterable[Subscription]:
        """The event subscriptions of the source of that ARM id."""
        return self._by_source.get(source_id.lower(), {}).values()

    def subscription(self, arm_id: str) -> Subscription | None:
        """The event subscription of that ARM id, as `subscription_id` spells it."""
        return self._subscriptions.get(arm_id.lower())

    def surroundings(self, source: Source) -> Surroundings:
        """What the properties of a subscription to `source` are checked against."""
        default_events = source.default_events if isinstance(source, SystemTopic) else None
        return Surroundings(self._schema(source), self._where, default_events)

    async def put_subscription(self, subscription: Subscription) -> None:
        """Create or replace an event subscription; gives it its number. Raises Refused when its source is gone."""
        self._demand_source(subscription)  # it may have gone while the caller waited
        key = subscription.id.lower()
        subscription.number = await self._store.put_resource(key, SUBSCRIPTION, subscription.document())
        self._demand_source(subscription)  # or during the write: what was written has gone with it
        self._remember_subscription(subscription)

    async def delete_subscription(self, subscription: Subscription) -> None:
        """Forget an event subscription. What waits in its queue is for the caller to drop."""
        self._subscriptions.pop(subscription.id.lower(), None)
        self._by_source.get(subscription.source_id.lower(), {}).pop(subscription.id.lower(), None)
        await self._store.delete_resource(subscription.id.lower())

    def _schema(self, source: Source) -> Schema:
        if isinstance(source, DomainTopic):
            domain = self._sources[source.domain_id.lower()]
            assert isinstance(domain, Domain), "a domain topic goes with its domain"
            return domain.schema
        return source.schema

    def _demand_source(self, subscription: Subscription) -> None:
        if self.source(subscription.source_id) is None:
            raise Refused(ARM_NOT_FOUND, f"The Resource '{subscription.source_id}' was not found.")

    def _revive(self, resource: Resource) -> Subscription:
        document = resource.document
        around = self.surroundings(self._sources[document["source"].lower()])
        return Subscription(
            id=document["id"],
            source_id=document["source"],
            topic_id=document["topic"],
            revision=parse_properties(document["properties"], around),
            wanted=document["wanted"] and parse_properties(document["wanted"], around),
            agreed=document["agreed"],
            state=State(document["state"]),
            number=resource.number,
            validation=Validation.revived(document["validation"]),
            failure=document["failure"],
            rate=document["rate"],
        )

    def _remember_source(self, source: Source) -> None:
        self._sources[source.id.lower()] = source
        if isinstance(source, Topic):
            self._endpoints[source.name.lower()] = source
        elif isinstance(source, DomainTopic):
            self._by_domain.setdefault(source.domain_id.lower(), {})[source.id.lower()] = source

    def _remember_subscription(self, subscription: Subscription) -> None:
        key = subscription.id.lower()
        self._subscriptions[key] = subscription
        self._by_source.setdefault(subscription.source_id.lower(), {})[key] = subscription
