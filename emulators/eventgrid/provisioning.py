"""Creating, changing and deleting topics and event subscriptions, whoever asks: ARM, the configuration file, a start.

It joins the catalogue, the handshakes and the lanes; it must not know HTTP or how a request looks.
"""

from __future__ import annotations

import base64
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from emulators.eventgrid import errors, limits
from emulators.eventgrid.auth import SECOND_DEVELOPMENT_KEY
from emulators.eventgrid.catalogue import Catalogue
from emulators.eventgrid.configuration import ConfigurationError, Configured
from emulators.eventgrid.errors import Refused
from emulators.eventgrid.handshake import Handshakes
from emulators.eventgrid.store import Store
from emulators.eventgrid.subscriptions import (
    State,
    Subscription,
    check_name,
    normalized,
    parse_properties,
    subscription_id,
)
from emulators.eventgrid.topics import Topic, parse_topic, topic_id
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
        base_url: str,
    ) -> None:
        self.catalogue = catalogue
        self._store = store
        self._handshakes = handshakes
        self._dispatcher = dispatcher
        self._key = key
        self._configured = configured
        self._base_url = base_url

    async def begin(self) -> None:
        """Go on with what there is after a start, and make the default topic if it is not there yet."""
        for subscription in self.catalogue.subscriptions():
            self._handshakes.resume(subscription)
            if subscription.state is State.SUCCEEDED:
                self._dispatcher.serve(subscription)
        if self.catalogue.topic_named(DEFAULT_TOPIC) is None:
            await self.put_topic(topic_id(LOCAL_GROUP, DEFAULT_TOPIC), {})

        for topic in self._configured:
            await self._provide(topic)

    async def _provide(self, wanted: Configured) -> None:
        """What the configuration file asks for; a subscription that is there as it should be is left alone."""
        try:
            existing = self.catalogue.topic_named(wanted.name)
            topic = await self.put_topic(existing.id if existing else topic_id(LOCAL_GROUP, wanted.name), wanted.body)
            for name, properties in wanted.subscriptions.items():
                settings = parse_properties(properties, self.catalogue.surroundings(topic))
                found = self.catalogue.subscription(subscription_id(topic.id, name))
                if found is None or found.settings != settings or found.state is State.FAILED:
                    await self.put_subscription(topic, name, properties, self._base_url)
        except Refused as refused:
            raise ConfigurationError(f"topic '{wanted.name}' of the configuration: {refused.message}") from refused

    async def put_topic(self, arm_id: str, body: Mapping[str, Any]) -> Topic:
        """Create or replace a topic. Its keys outlive a replacement. Raises Refused."""
        existing = self.catalogue.topic(arm_id)
        keys = existing.keys if existing else (self._key, SECOND_DEVELOPMENT_KEY)
        topic = parse_topic(existing.id if existing else arm_id, body, keys)
        if existing is None:
            self._check_new(topic)
        elif existing.schema is not topic.schema and list(self.catalogue.subscriptions_of(existing)):
            raise Refused(errors.ARM_INVALID_REQUEST, "The input schema of a topic with subscriptions cannot change.")
        await self.catalogue.put_topic(topic)
        return topic

    async def rotate_key(self, topic: Topic, name: str, secret: bytes) -> Topic:
        """Replace key1 or key2."""
        rotated = topic.with_key(name, base64.b64encode(secret).decode())
        await self.catalogue.put_topic(rotated)
        return rotated

    async def delete_topic(self, topic: Topic) -> None:
        """Delete a topic and its subscriptions, also those that are made meanwhile."""
        while subscriptions := list(self.catalogue.subscriptions_of(topic)):
            for subscription in subscriptions:
                await self.delete_subscription(subscription)
        await self.catalogue.delete_topic(topic)

    async def put_subscription(
        self, topic: Topic, name: str, properties: Mapping[str, Any], base_url: str
    ) -> Subscription:
        """Create or replace an event subscription and start its handshake. Raises Refused."""
        check_name(name)
        settings = parse_properties(properties, self.catalogue.surroundings(topic))
        arm_id = subscription_id(topic.id, name)
        existing = self.catalogue.subscription(arm_id)
        if existing is None and len(list(self.catalogue.subscriptions_of(topic))) >= limits.SUBSCRIPTIONS_PER_TOPIC_MAX:
            raise Refused(
                errors.ARM_INVALID_REQUEST,
                f"A topic may have {limits.SUBSCRIPTIONS_PER_TOPIC_MAX} event subscriptions.",
            )
        subscription = Subscription(
            id=existing.id if existing else arm_id,
            topic_id=topic.id,
            properties=normalized(properties, settings),
            settings=settings,
            state=State.UPDATING if existing else State.CREATING,
        )
        if existing is not None:
            self._handshakes.stop(existing)
            await self._dispatcher.drop(existing.number)
        await self.catalogue.put_subscription(subscription)
        self._handshakes.start(subscription, base_url)
        return subscription

    async def delete_subscription(self, subscription: Subscription) -> None:
        """Delete an event subscription with whatever waits in its queue."""
        self._handshakes.stop(subscription)
        await self._dispatcher.drop(subscription.number)
        await self.catalogue.delete_subscription(subscription)
        await self._store.empty_queue(subscription.number)
        self._handshakes.say_goodbye(subscription)

    async def reset(self) -> None:
        """Forget every resource and all that waits."""
        await self._handshakes.close()
        for subscription in self.catalogue.subscriptions():
            await self._dispatcher.drop(subscription.number)
        self.catalogue.clear()
        await self._store.clear()
        await self.begin()

    def _check_new(self, topic: Topic) -> None:
        if len(self.catalogue.topics()) >= limits.TOPICS_MAX:
            raise Refused(errors.ARM_INVALID_REQUEST, f"There may be {limits.TOPICS_MAX} topics.")
        if self.catalogue.topic_named(topic.name) is not None:
            raise Refused(
                errors.ARM_CONFLICT,
                f"A topic named '{topic.name}' exists in another resource group; names make the endpoint, so they "
                "are unique.",
            )
