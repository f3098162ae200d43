"""Publishing: one request to a topic becomes waiting deliveries, durable before the 200.

It knows topics, schemas and filters; it must not know how events go out.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from emulators.base.clock import Clock
from emulators.base.ids import Ids
from emulators.base.serving import Request
from emulators.eventgrid import limits, metrics
from emulators.eventgrid.auth import KEY_HEADER, authorize
from emulators.eventgrid.catalogue import Catalogue
from emulators.eventgrid.errors import FORBIDDEN, TOO_LARGE, Refused
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
from emulators.eventgrid.systemtopics import SystemTopic
from emulators.eventgrid.topics import Domain, Topic


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
        self._collects_while_creating = collects_while_creating
        self._wake = wake

    async def publish(self, topic: Topic, request: Request) -> None:
        """Accept all of the request's events, or raise Refused and accept none."""
        began = asyncio.get_running_loop().time()
        try:
            self._authorize(topic, request)
            events = self._read(topic, request)
        except Refused as refused:
            kind = refused.kind
            self._metrics.add(metrics.PUBLISH_FAILED, topic=topic.name, error=str(kind.status), errorType=kind.detail)
            raise
        await self.accept(topic, events)
        took = asyncio.get_running_loop().time() - began
        self._metrics.took(metrics.PUBLISH_LATENCY, took * 1000, topic=topic.name)

    async def accept(self, source: Topic | SystemTopic, events: Sequence[Event]) -> None:
        """Queue events for every subscription that wants them; durable on return."""
        now = self._clock.now()
        candidates: dict[str, list[Subscription]] = {}
        matched: Counter[str] = Counter()
        accepted = []
        woken: set[int] = set()
        for event in events:
            subscriptions = candidates.get(event.domain_topic)
            if subscriptions is None:
                subscriptions = candidates[event.domain_topic] = self._subscriptions(source, event.domain_topic, now)
            wanting = [each for each in subscriptions if each.settings.filter.matches(event)]
            if not wanting:
                self._metrics.add(metrics.UNMATCHED, topic=source.name)
                continue
            matched.update(each.name for each in wanting)
            woken.update(each.number for each in wanting)
            accepted.append((event, [self._target(each, now) for each in wanting]))
        if accepted:
            await self._store.accept(now, accepted)
        for name, count in matched.items():
            self._metrics.add(metrics.MATCHED, count, topic=source.name, subscription=name)
        self._metrics.add(metrics.PUBLISHED, len(events), topic=source.name)
        for queue in woken:
            self._wake(queue)

    def _subscriptions(self, source: Topic | SystemTopic, domain_topic: str, now: float) -> list[Subscription]:
        """Whose filters are asked: those of the source and, in a domain, of the topic that the event is for."""
        sources = [source.id, f"{source.id}/topics/{domain_topic}"] if domain_topic else [source.id]
        found = (each for source_id in sources for each in self._catalogue.subscriptions_of(source_id))
        return [each for each in found if self._collects(each, now)]

    def _authorize(self, topic: Topic, request: Request) -> None:
        if not topic.firewall.admits(request.client):
            raise Refused(FORBIDDEN, f"Publishing to {topic.name} from {request.client} is rejected by its IP rules.")
        query: Mapping[str, str] = {} if KEY_HEADER in request.headers else dict(request.query)
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
        reception = Reception(topic.id, topic.mapping, self._ids.guid, self._clock.utc(), isinstance(topic, Domain))
        match topic.schema:
            case Schema.EVENT_GRID:
                return read_event_grid(request.body, reception)
            case Schema.CLOUD_EVENT:
                return read_cloud_events(request.headers, request.body, reception)
            case Schema.CUSTOM:
                return read_custom(request.body, reception)

    def _collects(self, subscription: Subscription, now: float) -> bool:
        expires = subscription.settings.expires
        creating = self._collects_while_creating and subscription.state is State.CREATING
        return (subscription.agreed or creating) and (expires is None or now < expires)

    def _target(self, subscription: Subscription, now: float) -> Target:
        return Target(subscription.number, now + subscription.settings.live_seconds * self._time_scale)
