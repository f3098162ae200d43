"""Namespaces as one part of the emulator: what is wired to what, and when it begins and ends.

`application.py` hands it requests and what all of the emulator shares: store, clock, metrics, the dead-letter office.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import asdict

from emulators.base.clock import Clock
from emulators.base.control import Route, json_response
from emulators.base.ids import Ids
from emulators.base.serving import Request, Response
from emulators.eventgrid.metrics import Metrics
from emulators.eventgrid.namespaces.broker import Broker
from emulators.eventgrid.namespaces.catalogue import NamespaceCatalogue
from emulators.eventgrid.namespaces.configuration import ConfiguredNamespace
from emulators.eventgrid.namespaces.data_plane import DataPlane, Guard
from emulators.eventgrid.namespaces.deaths import Deaths
from emulators.eventgrid.namespaces.management import NamespaceManagement
from emulators.eventgrid.namespaces.provisioning import NamespaceProvisioning
from emulators.eventgrid.namespaces.store import QueueStore
from emulators.eventgrid.namespaces.sweeper import Sweeper
from emulators.eventgrid.schemas import Event
from emulators.eventgrid.store import Store


class Namespaces:
    """Everything that serves namespaces. `buried` wakes the dead-letter office."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        ids: Ids,
        counted: Metrics,
        *,
        key: str,
        time_scale: float,
        storage_account: str,
        bearer_allowed: bool,
        configured: Sequence[ConfiguredNamespace],
        guard: Guard,
        buried: Callable[[], None],
    ) -> None:
        self._clock = clock
        self._catalogue = NamespaceCatalogue(store, storage_account=storage_account)
        self._queues = QueueStore(store.database)
        deaths = Deaths(clock, counted, time_scale=time_scale, buried=buried)
        self._sweeper = Sweeper(self._catalogue, self._queues, deaths, clock)
        self._broker = Broker(
            self._catalogue,
            self._queues,
            deaths,
            clock,
            ids,
            counted,
            time_scale=time_scale,
            notice=self._sweeper.notice,
        )
        self._provisioning = NamespaceProvisioning(
            self._catalogue, self._queues, self._broker, self._sweeper, key=key, configured=configured
        )
        self.management = NamespaceManagement(self._provisioning, ids)
        self.data_plane = DataPlane(self._catalogue, self._broker, guard, bearer_allowed=bearer_allowed)
        self._sweeping: asyncio.Task[None] | None = None

    def load(self) -> None:
        """Read what the store has kept."""
        self._catalogue.load()

    async def begin(self) -> None:
        """Provide what is configured and start sweeping."""
        await self._provisioning.begin()
        self._sweeping = asyncio.create_task(self._sweeper.run(self._provisioning.delete_subscription))

    def stop_waiting(self) -> None:
        """The emulator is about to stop: answer who waits for events."""
        self._broker.stop_waiting()

    async def close(self) -> None:
        """Stop sweeping."""
        self.stop_waiting()
        if self._sweeping is not None:
            self._sweeping.cancel()
            await asyncio.gather(self._sweeping, return_exceptions=True)

    async def forward(self, topic_id: str, event: Event) -> bool:
        """Put an event that another topic's subscription brings into a topic; False when there is no such topic."""
        topic = self._catalogue.topic(topic_id)
        if topic is None:
            return False
        await self._broker.publish(topic, [event])
        return True

    async def reset(self) -> None:
        """Forget every resource and all that waits."""
        await self._provisioning.reset()

    def count(self) -> int:
        """How many namespaces there are."""
        return len(self._catalogue.namespaces())

    def routes(self) -> dict[tuple[str, str], Route]:
        """The emulator's own endpoint: (method, path below the prefix) to what answers it."""
        return {("GET", "/namespaces"): self._show}

    async def _show(self, request: Request) -> Response:
        """Namespaces, topics, event subscriptions, and what each queue holds."""
        now = self._clock.now()
        value = [
            {
                **namespace.shown(request.host),
                "topics": [
                    {
                        **topic.shown(),
                        "eventSubscriptions": [
                            {
                                **each.shown(),
                                **asdict(self._queues.backlog(each.number, now)),
                            }
                            for each in self._catalogue.subscriptions_of(topic)
                        ],
                    }
                    for topic in self._catalogue.topics_of(namespace)
                ],
            }
            for namespace in self._catalogue.namespaces()
        ]
        return json_response(200, {"value": value, "receivers": self._broker.receivers})
