"""What a user or the portal may look at: metrics, subscriptions with their backlog, events in flight, dead letters.

Read only, but for `redeliver`, which makes a waiting delivery due now, also at an endpoint that was put aside. Every
list has a bound.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from emulators.base.control import Route, json_response, problem, read_object
from emulators.base.serving import Request, Response
from emulators.eventgrid.catalogue import Catalogue
from emulators.eventgrid.store import Attempt, Store, Waiting
from emulators.eventgrid.subscriptions import Subscription
from emulators.eventgrid.worker import Desk, Dispatcher

LISTED_MAX = 200
"""Entries in one answer. Our choice; a page of the portal."""


class Onlookers:
    """The emulator's own endpoints below /_emulator."""

    def __init__(self, catalogue: Catalogue, store: Store, desk: Desk, dispatcher: Dispatcher) -> None:
        self._catalogue = catalogue
        self._store = store
        self._desk = desk
        self._dispatcher = dispatcher

    def routes(self) -> dict[tuple[str, str], Route]:
        """(method, path below the prefix) to what answers it."""
        return {
            ("GET", "/metrics"): self.metrics,
            ("GET", "/metrics.json"): self.metrics_document,
            ("GET", "/topics"): self.topics,
            ("GET", "/events"): self.events,
            ("GET", "/deadletters"): self.dead_letters,
            ("POST", "/redeliver"): self.redeliver,
        }

    async def metrics(self, request: Request) -> Response:
        """Prometheus text."""
        text = self._desk.metrics.prometheus()
        return Response(200, {"content-type": "text/plain; version=0.0.4; charset=utf-8"}, text.encode())

    async def metrics_document(self, request: Request) -> Response:
        """The same as JSON."""
        return json_response(200, self._desk.metrics.document())

    async def topics(self, request: Request) -> Response:
        """Topics, domains and their topics, system topics; their subscriptions and what waits for each."""
        backlog = self._store.backlog()
        base_url = f"{request.scheme}://{request.host}"
        value = [
            {
                **source.shown(base_url),
                "eventSubscriptions": [
                    {**each.shown(), "waiting": backlog.get(each.number, 0), "failure": each.failure}
                    for each in self._catalogue.subscriptions_of(source.id)
                ],
            }
            for source in self._catalogue.sources()
        ]
        return json_response(200, {"value": value})

    async def events(self, request: Request) -> Response:
        """Events in flight (each subscription's next due first; `?subscription=` chooses) and the latest that ended."""
        wanted = dict(request.query).get("subscription", "").lower()
        waiting = (
            self._in_flight(subscription, each)
            for subscription in self._catalogue.subscriptions()
            if wanted in ("", subscription.name.lower())
            for each in self._store.waiting(subscription.number, LISTED_MAX)
        )
        finished = [
            {**asdict(each), "attempts": [_shown(attempt) for attempt in each.attempts]}
            for each in reversed(self._desk.finished)
            if wanted in ("", each.subscription.lower())
        ]
        return json_response(200, {"inFlight": list(islice(waiting, LISTED_MAX)), "finished": finished[:LISTED_MAX]})

    async def dead_letters(self, request: Request) -> Response:
        """Dead letters that are still ours: waiting for their delay, or for their blob to be safe."""
        value = [
            {
                "eventId": each.event_id,
                "subscription": each.subscription,
                "reason": each.reason,
                "container": each.container,
                "due": _time(each.due),
                "blob": each.path,
            }
            for each in self._store.letters(LISTED_MAX)
        ]
        return json_response(200, {"value": value})

    async def redeliver(self, request: Request) -> Response:
        """Make one waiting delivery due now: `{"delivery": number}` from the list of events."""
        document = read_object(request)
        number = document.get("delivery") if document else None
        if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < 2**63:
            return problem(400, 'Send {"delivery": number}, a number from GET /_emulator/events.')
        queue = await self._store.postpone(number, self._desk.clock.now())
        if queue is None:
            return problem(404, "No such delivery waits any more.")
        self._dispatcher.hurry(queue)
        return Response(204)

    def _in_flight(self, subscription: Subscription, waiting: Waiting) -> dict[str, Any]:
        return {
            "delivery": waiting.number,
            "eventId": waiting.event_id,
            "subscription": subscription.name,
            "published": _time(waiting.published),
            "due": _time(waiting.due),
            "expires": _time(waiting.expires),
            "attempts": [_shown(each) for each in self._store.attempts(waiting.number)],
        }


def _shown(attempt: Attempt) -> dict[str, Any]:
    return {**asdict(attempt), "at": _time(attempt.at)}


def _time(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat()
