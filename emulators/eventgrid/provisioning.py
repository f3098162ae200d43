"""Creating, changing and deleting resources, whoever asks: ARM, the configuration file, a start, an expiration.

It joins the catalogue, the handshakes and the lanes; it must not know HTTP or how a request looks.
"""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from emulators.eventgrid import errors, limits
from emulators.eventgrid.auth import SECOND_DEVELOPMENT_KEY
from emulators.eventgrid.catalogue import Catalogue, Source, subscription_id
from emulators.eventgrid.configuration import ConfigurationError, Configured
from emulators.eventgrid.errors import Refused
from emulators.eventgrid.handshake import Handshakes, Outcome
from emulators.eventgrid.store import Store
from emulators.eventgrid.subscriptions import State, Subscription, parse_properties
from emulators.eventgrid.systemtopics import ACCOUNT_ID, SystemTopic
from emulators.eventgrid.topics import Domain, DomainTopic, Topic, check_name, invalid
from emulators.eventgrid.worker import Dispatcher

logger = logging.getLogger("eventgrid.provisioning")
LOCAL_GROUP = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/local"
"""Where topics are that no ARM call has made: the default one and the configuration file's."""
DEFAULT_TOPIC = "default"
"""The topic behind /api/events."""


class Provisioning:
    """The one way by which resources change."""

    def __init__(
        self,
        catalogue: Catalogue,
        store: Store,
        handshakes: Handshakes,
        dispatcher: Dispatcher,
        *,
        key: str,
        configured: Sequence[Configured],
        storage_account: str,
        changed: Callable[[], None],
    ) -> None:
        self.catalogue = catalogue
        self._store = store
        self._handshakes = handshakes
        self._dispatcher = dispatcher
        self._key = key
        self._configured = configured
        self._storage_account = storage_account
        self._changed = changed
        self.base_url = ""
        """Where this emulator answers, for the validation URLs of configured subscriptions; told before `begin`."""

    async def begin(self) -> None:
        """Go on with what there is after a start, and make the default topic if it is not there yet."""
        for subscription in self.catalogue.subscriptions():
            self._handshakes.resume(subscription, self.base_url)
            if subscription.agreed and not self._waits(subscription):
                self._dispatcher.serve(subscription)
        if self.catalogue.topic_named(DEFAULT_TOPIC) is None:
            await self.put_topic(Topic, f"{LOCAL_GROUP}/providers/{Topic.resource_type}/{DEFAULT_TOPIC}", {})
        for wanted in self._configured:
            await self._provide(wanted)

    async def _provide(self, wanted: Configured) -> None:
        """What the configuration file asks for; a subscription that is there as it should be is left alone."""
        try:
            source = await self._provide_source(wanted)
            for name, properties in wanted.subscriptions.items():
                revision = parse_properties(properties, self.catalogue.surroundings(source))
                found = self.catalogue.subscription(subscription_id(source.id, name))
                if found is None or found.latest.settings != revision.settings or found.state is State.FAILED:
                    await self.put_subscription(source, name, properties, self.base_url)
        except Refused as refused:
            raise ConfigurationError(
                f"{wanted.kind} '{wanted.name}' of the configuration: {refused.message}"
            ) from refused

    async def _provide_source(self, wanted: Configured) -> Source:
        """A topic or domain is found by its name, a system topic by its resource, wherever ARM has made it."""
        if wanted.kind == SystemTopic.kind:
            arm_id = _local_id(SystemTopic, wanted.name)
            made = self.catalogue.system_topic_of(SystemTopic.parsed(arm_id, wanted.body).source)
            return await self.put_system_topic(made.id if made else arm_id, wanted.body)
        domain, _, topic = wanted.name.partition("/")
        existing = self.catalogue.topic_named(domain)
        if topic and isinstance(existing, Domain):
            return await self.put_domain_topic(existing, topic)
        kind = Topic if wanted.kind == Topic.kind else Domain
        known = existing is not None and type(existing) is kind
        return await self.put_topic(kind, existing.id if existing and known else _local_id(kind, domain), wanted.body)

    # Topics and domains

    async def put_topic(self, kind: type[Topic], arm_id: str, body: Mapping[str, Any]) -> Topic:
        """Create or replace a topic or domain. Its keys outlive a replacement. Raises Refused."""
        existing = self.topic(arm_id)
        keys = existing.keys if existing else (self._key, SECOND_DEVELOPMENT_KEY)
        topic = kind.parsed(existing.id if existing else arm_id, body, keys)
        if existing is None:
            self._check_new(topic)
        elif existing.schema is not topic.schema and self._has_subscriptions(existing):
            raise invalid("The input schema of a topic with subscriptions cannot change.")
        await self.catalogue.put_source(topic)
        return topic

    async def rotate_key(self, topic: Topic, name: str, secret: bytes) -> Topic:
        """Replace key1 or key2."""
        rotated = topic.with_key(name, base64.b64encode(secret).decode())
        await self.catalogue.put_source(rotated)
        return rotated

    async def put_domain_topic(self, domain: Domain, name: str) -> DomainTopic:
        """A topic of a domain, made if it is not there. Raises Refused."""
        check_name("domain topic", name, limits.TOPIC_NAME_CHARACTERS)
        topic = DomainTopic(f"{domain.id}/topics/{name}")
        if isinstance(existing := self.catalogue.source(topic.id), DomainTopic):
            return existing
        if len(self.catalogue.topics_of(domain)) >= limits.DOMAIN_TOPICS_MAX:
            raise invalid(f"A domain may have {limits.DOMAIN_TOPICS_MAX} topics.")
        await self.catalogue.put_source(topic)
        return topic

    async def put_system_topic(self, arm_id: str, body: object) -> SystemTopic:
        """Create or replace a system topic: one for each resource. Raises Refused."""
        topic = SystemTopic.parsed(arm_id, body)
        found = ACCOUNT_ID.fullmatch(topic.source)
        if found is None or found["account"].lower() != self._storage_account.lower():
            raise invalid(
                f"properties.source must be the storage account '{self._storage_account}', with which this emulator "
                "was started (--storage)."
            )
        other = self.catalogue.system_topic_of(topic.source)
        if other is not None and other.id.lower() != arm_id.lower():
            raise Refused(errors.ARM_CONFLICT, f"'{topic.source}' has the system topic '{other.id}' already.")
        existing = self.catalogue.source(arm_id)
        if isinstance(existing, SystemTopic) and existing.source.lower() != topic.source.lower():
            raise invalid("The source of a system topic cannot change.")
        await self.catalogue.put_source(topic)
        return topic

    async def system_topic_for(self, source: str) -> SystemTopic:
        """The system topic of a resource; the first subscription on the resource itself makes it. Raises Refused."""
        if existing := self.catalogue.system_topic_of(source):
            return existing
        group, _, account = source.partition("/providers/")
        name = f"{account.rpartition('/')[2]}-system-topic"
        body = {"properties": {"source": source, "topicType": "Microsoft.Storage.StorageAccounts"}}
        return await self.put_system_topic(f"{group}/providers/{SystemTopic.resource_type}/{name}", body)

    async def delete_source(self, source: Source) -> None:
        """Delete a source with its subscriptions and topics, also those that are made meanwhile."""
        while True:
            for subscription in list(self.catalogue.subscriptions_of(source.id)):
                await self.delete_subscription(subscription)
            for topic in list(self.catalogue.topics_of(source)) if isinstance(source, Domain) else ():
                await self.delete_source(topic)
            if not self._has_subscriptions(source):
                break
        await self.catalogue.delete_source(source)

    # Event subscriptions

    async def put_subscription(
        self, source: Source, name: str, properties: Mapping[str, Any], base_url: str
    ) -> Outcome:
        """Create or replace an event subscription and start its handshake. Raises Refused."""
        check_name("event subscription", name, limits.SUBSCRIPTION_NAME_CHARACTERS)
        revision = parse_properties(properties, self.catalogue.surroundings(source))
        arm_id = subscription_id(source.id, name)
        existing = self.catalogue.subscription(arm_id)
        if existing is None:
            self._check_room(source)
            subscription = Subscription(arm_id, source.id, source.origin, revision)
        elif existing.agreed:
            subscription = replace(existing, wanted=revision, state=State.UPDATING, validation=None)
        else:
            subscription = replace(existing, revision=revision, state=State.CREATING, validation=None)
        if existing is not None:
            self._handshakes.stop(existing)
            if self._waits(subscription):
                await self._dispatcher.drop(existing.number)
        await self.catalogue.put_subscription(subscription)
        self._changed()
        return self._handshakes.start(subscription, base_url)

    async def delete_subscription(self, subscription: Subscription) -> None:
        """Delete an event subscription with whatever waits in its queue; a domain topic may go with its last one."""
        self._handshakes.stop(subscription)
        await self._dispatcher.drop(subscription.number)
        await self.catalogue.delete_subscription(subscription)
        await self._store.empty_queue(subscription.number)
        self._handshakes.say_goodbye(subscription)
        self._changed()
        source = self.catalogue.source(subscription.source_id)
        if isinstance(source, DomainTopic) and not self._has_subscriptions(source):
            domain = self.catalogue.source(source.domain_id)
            if isinstance(domain, Domain) and domain.deletes_topics:
                await self.catalogue.delete_source(source)

    async def reset(self) -> None:
        """Forget every resource and all that waits."""
        await self._handshakes.close()
        for subscription in self.catalogue.subscriptions():
            await self._dispatcher.drop(subscription.number)
        self.catalogue.clear()
        await self._store.clear()
        await self.begin()

    def topic(self, arm_id: str) -> Topic | None:
        """The topic or domain of that ARM id."""
        found = self.catalogue.source(arm_id)
        return found if isinstance(found, Topic) else None

    def _waits(self, subscription: Subscription) -> bool:
        """Whether deliveries wait for an update's handshake: an endpoint that is asked until it is up is down now."""
        return subscription.state is State.UPDATING and self._handshakes.retries

    def _has_subscriptions(self, source: Source) -> bool:
        topics = self.catalogue.topics_of(source) if isinstance(source, Domain) else ()
        return any(list(self.catalogue.subscriptions_of(each.id)) for each in (source, *topics))

    def _check_room(self, source: Source) -> None:
        most = limits.SUBSCRIPTIONS_PER_DOMAIN_MAX if isinstance(source, Domain) else limits.SUBSCRIPTIONS_PER_TOPIC_MAX
        if len(list(self.catalogue.subscriptions_of(source.id))) >= most:
            raise invalid(f"A {source.kind} may have {most} event subscriptions.")

    def _check_new(self, topic: Topic) -> None:
        if sum(each.kind == topic.kind for each in self.catalogue.topics()) >= limits.TOPICS_MAX:
            raise invalid(f"There may be {limits.TOPICS_MAX} of {topic.resource_type}.")
        if self.catalogue.topic_named(topic.name) is not None:
            raise Refused(
                errors.ARM_CONFLICT,
                f"A topic or domain named '{topic.name}' exists in another place; names make the endpoint, so they "
                "are unique.",
            )


def _local_id(kind: type[Topic] | type[SystemTopic], name: str) -> str:
    return f"{LOCAL_GROUP}/providers/{kind.resource_type}/{name}"
