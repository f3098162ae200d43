"""Creating, changing and deleting what namespaces are made of, whoever asks: ARM, the configuration file, a start.

One change at a time. It must not know HTTP or how a request looks.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping, Sequence
from typing import Any

from emulators.eventgrid.auth import SECOND_DEVELOPMENT_KEY
from emulators.eventgrid.configuration import ConfigurationError
from emulators.eventgrid.errors import ARM_CONFLICT, ARM_INVALID_REQUEST, ARM_NOT_FOUND, Refused
from emulators.eventgrid.namespaces import limits
from emulators.eventgrid.namespaces.broker import Broker
from emulators.eventgrid.namespaces.catalogue import NamespaceCatalogue
from emulators.eventgrid.namespaces.configuration import ConfiguredNamespace
from emulators.eventgrid.namespaces.resources import (
    NAMESPACE_TYPE,
    Namespace,
    NamespaceTopic,
    QueueSubscription,
    parse_namespace,
    parse_subscription,
    parse_topic,
)
from emulators.eventgrid.namespaces.store import QueueStore, QueueWork
from emulators.eventgrid.namespaces.sweeper import Sweeper
from emulators.eventgrid.provisioning import LOCAL_GROUP
from emulators.eventgrid.store import DELETE_CHUNK


class NamespaceProvisioning:
    """The one way by which these resources change."""

    def __init__(
        self,
        catalogue: NamespaceCatalogue,
        store: QueueStore,
        broker: Broker,
        sweeper: Sweeper,
        *,
        key: str,
        configured: Sequence[ConfiguredNamespace],
    ) -> None:
        self.catalogue = catalogue
        self._store, self._broker, self._sweeper = store, broker, sweeper
        self._keys = (key, SECOND_DEVELOPMENT_KEY)
        self._configured = configured
        self._change = asyncio.Lock()

    async def begin(self) -> None:
        """Make what the configuration file asks for; what is there already is brought to what it says."""
        for wanted in self._configured:
            try:
                await self._provide(wanted)
            except Refused as refused:
                raise ConfigurationError(
                    f"namespace '{wanted.name}' of the configuration: {refused.message}"
                ) from refused

    async def reset(self) -> None:
        """Forget every resource (the store is cleared by itself) and begin again."""
        async with self._change:
            gone = self.catalogue.subscriptions()
            self.catalogue.clear()
            await self._store.transact(QueueWork.clear)
        for subscription in gone:
            self._broker.wake(subscription.number)
        await self.begin()

    async def put_namespace(self, arm_id: str, body: Mapping[str, Any]) -> tuple[Namespace, bool]:
        """Create or replace a namespace, and whether it is new. Its keys outlive a replacement. Raises Refused."""
        async with self._change:
            existing = self.catalogue.namespace(arm_id)
            namespace = parse_namespace(
                existing.id if existing else arm_id, body, existing.keys if existing else self._keys
            )
            if existing is None:
                self._check_new(namespace)
            await self.catalogue.put_namespace(namespace)
            return namespace, existing is None

    async def put_topic(self, arm_id: str, body: Mapping[str, Any]) -> tuple[NamespaceTopic, bool]:
        """Create or replace a topic, and whether it is new. Raises Refused."""
        async with self._change:
            existing = self.catalogue.topic(arm_id)
            topic = parse_topic(existing.id if existing else arm_id, body, existing.keys if existing else self._keys)
            namespace = self.catalogue.namespace(topic.namespace_id)
            if namespace is None:
                raise _not_found(topic.namespace_id)
            most = namespace.capacity * limits.TOPICS_PER_THROUGHPUT_UNIT_MAX
            if existing is None and len(self.catalogue.topics_of(namespace)) >= most:
                raise Refused(ARM_INVALID_REQUEST, f"A namespace of {namespace.capacity} units may have {most} topics.")
            subscriptions = [  # their lifetimes follow the topic's retention, or forbid it
                parse_subscription(each.id, each.properties, topic, self.catalogue.storage_account)
                for each in self.catalogue.subscriptions_of(topic)
            ]
            await self.catalogue.put_topic(topic)
            for each in subscriptions:
                await self.catalogue.put_subscription(each)
            return topic, existing is None

    async def put_subscription(self, arm_id: str, properties: object) -> tuple[QueueSubscription, bool]:
        """Create or replace an event subscription, and whether it is new. Raises Refused."""
        async with self._change:
            existing = self.catalogue.subscription(arm_id)
            topic_id = arm_id[: arm_id.lower().rindex("/eventsubscriptions/")]
            topic = self.catalogue.topic(topic_id)
            if topic is None:
                raise _not_found(topic_id)
            subscription = parse_subscription(
                existing.id if existing else arm_id, properties, topic, self.catalogue.storage_account
            )
            most = limits.SUBSCRIPTIONS_PER_TOPIC_MAX
            if existing is None and len(list(self.catalogue.subscriptions_of(topic))) >= most:
                raise Refused(ARM_INVALID_REQUEST, f"A topic may have {most} event subscriptions.")
            subscription = await self.catalogue.put_subscription(subscription)
        self._sweeper.notice(0.0)  # another limit may end events now
        return subscription, existing is None

    async def rotate_namespace_key(self, namespace: Namespace, name: str, secret: bytes) -> Namespace:
        """Replace key1 or key2 of a namespace."""
        async with self._change:
            rotated = namespace.with_key(name, base64.b64encode(secret).decode())
            await self.catalogue.put_namespace(rotated)
            return rotated

    async def rotate_topic_key(self, topic: NamespaceTopic, name: str, secret: bytes) -> NamespaceTopic:
        """Replace key1 or key2 of a topic."""
        async with self._change:
            rotated = topic.with_key(name, base64.b64encode(secret).decode())
            await self.catalogue.put_topic(rotated)
            return rotated

    async def delete_namespace(self, namespace: Namespace) -> None:
        """Delete a namespace with everything in it."""
        async with self._change:
            for topic in self.catalogue.topics_of(namespace):
                await self._delete_topic(topic)
            await self.catalogue.forget_namespace(namespace)

    async def delete_topic(self, topic: NamespaceTopic) -> None:
        """Delete a topic with its event subscriptions."""
        async with self._change:
            await self._delete_topic(topic)

    async def delete_subscription(self, subscription: QueueSubscription) -> None:
        """Delete an event subscription with whatever waits in its queue."""
        async with self._change:
            await self._delete_subscription(subscription)

    async def _delete_topic(self, topic: NamespaceTopic) -> None:
        for subscription in list(self.catalogue.subscriptions_of(topic)):
            await self._delete_subscription(subscription)
        await self.catalogue.forget_topic(topic)

    async def _delete_subscription(self, subscription: QueueSubscription) -> None:
        await self.catalogue.forget_subscription(subscription)
        self._broker.wake(subscription.number)

        def work(queues: QueueWork) -> bool:
            gone = queues.of_queue(subscription.number, DELETE_CHUNK)
            queues.remove(gone)
            return bool(gone)

        while await self._store.transact(work):
            pass  # in chunks, so that others are served between

    async def _provide(self, wanted: ConfiguredNamespace) -> None:
        existing = self.catalogue.namespace_named(wanted.name)
        namespace_id = existing.id if existing else f"{LOCAL_GROUP}/providers/{NAMESPACE_TYPE}/{wanted.name}"
        await self.put_namespace(namespace_id, wanted.body)
        for topic in wanted.topics:
            topic_id = f"{namespace_id}/topics/{topic.name}"
            await self.put_topic(topic_id, topic.body)
            for name, properties in topic.subscriptions.items():
                await self.put_subscription(f"{topic_id}/eventSubscriptions/{name}", properties)

    def _check_new(self, namespace: Namespace) -> None:
        if len(self.catalogue.namespaces()) >= limits.NAMESPACES_MAX:
            raise Refused(ARM_INVALID_REQUEST, f"There may be {limits.NAMESPACES_MAX} namespaces.")
        if self.catalogue.namespace_named(namespace.name) is not None:
            raise Refused(
                ARM_CONFLICT,
                f"A namespace named '{namespace.name}' exists in another resource group; names make the endpoint, so "
                "they are unique.",
            )


def _not_found(arm_id: str) -> Refused:
    return Refused(ARM_NOT_FOUND, f"The Resource '{arm_id}' was not found.")
