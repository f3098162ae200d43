"""Publishing: one request to a topic becomes waiting deliveries, durable before the 200.

It knows topics, schemas and filters; it must not know how events go out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from emulators.base.clock import Clock
from emulators.base.ids import Ids
from emulators.base.serving import Request
from emulators.eventgrid import limits, metrics
from emulators.eventgrid.auth import authorize
from emulators.eventgrid.catalogue import Catalogue
from emulators.eventgrid.errors import TOO_LARGE, Refused
from emulators.eventgrid.metrics import Metrics
from emulators.eventgrid.schemas import (
    Event,
    Reception,
    Schema,
    read_cloud_events,
    read_custom,
    read_event_grid,
)
from emulators.eventgrid.store import Store, Target
from emulators.eventgrid.subscriptions import State, Subscription
from emulators.eventgrid.topics import Topic


class Publisher:
    """Accepts events. `wake` is told the queues that have got something."""

    def __init__(
        self,
        catalogue: Catalogue,
        store: Store,
        clock: Clock,
        ids: Ids,
        counted: Metrics,
        *,
        time_scale: float,
        bearer_allowed: bool,
        collects_while_creating: bool,
        wake: Callable[[int], None],
    ) -> None:
        self._catalogue = catalogue
        self._store = store
        self._clock = clock
        self._ids = ids
        self._metrics = counted
        self._time_scale = time_scale
        self._bearer_allowed = bearer_allowed
        self._collecting = {State.SUCCEEDED, State.UPDATING} | ({State.CREATING} if collects_while_creating else set())
        self._wake = wake

    async def publish(self, topic: Topic, request: Request) -> None:
        """Accept all of the request's events, or raise Refused and accept none."""
        try:
            self._authorize(topic, request)
            events = self._read(topic, request)
        except Refused as refused:
            kind = refused.kind
            self._metrics.add(metrics.PUBLISH_FAILED, topic=topic.name, error=str(kind.status), errorType=kind.detail)
            raise
        await self.accept(topic, events)

    async def accept(self, topic: Topic, events: list[Event]) -> None:
        """Queue events for every subscription that wants them; durable on return."""
        now = self._clock.now()
        subscriptions = [each for each in self._catalogue.subscriptions_of(topic) if self._collects(each, now)]
        accepted = []
        woken: set[int] = set()
        for event in events:
            wanting = [each for each in subscriptions if each.settings.filter.matches(event)]
            for each in wanting:
                self._metrics.add(metrics.MATCHED, topic=topic.name, subscription=each.name)
            if not wanting:
                self._metrics.add(metrics.UNMATCHED, topic=topic.name)
                continue
            woken.update(each.number for each in wanting)
            accepted.append((event, [self._target(each, now) for each in wanting]))
        if accepted:
            await self._store.accept(topic.id, now, accepted)
        self._metrics.add(metrics.PUBLISHED, len(events), topic=topic.name)
        for queue in woken:
            self._wake(queue)

    def _authorize(self, topic: Topic, request: Request) -> None:
        query: Mapping[str, str] = dict(request.query)
        authorize(
            request.headers,
            query,
            path=request.path,
            keys=topic.accepted_keys,
            now=self._clock.utc(),
            bearer_allowed=self._bearer_allowed and request.scheme == "https",
        )

    def _read(self, topic: Topic, request: Request) -> list[Event]:
        if len(request.body) > limits.REQUEST_BYTES_MAX:
            raise Refused(TOO_LARGE, f"The maximum size ({limits.REQUEST_BYTES_MAX}) has been exceeded.")
        reception = Reception(topic.id, topic.mapping, self._ids.guid, self._clock.utc())
        match topic.schema:
            case Schema.EVENT_GRID:
                return read_event_grid(request.body, reception)
            case Schema.CLOUD_EVENT:
                return read_cloud_events(request.headers, request.body)
            case Schema.CUSTOM:
                return read_custom(request.body, reception)

    def _collects(self, subscription: Subscription, now: float) -> bool:
        expires = subscription.settings.expires
        return subscription.state in self._collecting and (expires is None or now < expires)

    def _target(self, subscription: Subscription, now: float) -> Target:
        return Target(subscription.number, now + subscription.settings.live_seconds * self._time_scale)
