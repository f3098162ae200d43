"""Pull delivery against a plain model of it: any sequence of publishing, receiving, settling and passing time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any

import orjson
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from emulators.base.clock import stopped_clock
from emulators.base.ids import Ids
from emulators.base.serving import Request, Response
from emulators.eventgrid.application import Options, create
from emulators.eventgrid.auth import DEVELOPMENT_KEY
from emulators.eventgrid.configuration import Configured
from emulators.eventgrid.namespaces.configuration import ConfiguredNamespace

LOCK_SECONDS, LIVE_SECONDS, DELIVERIES_MAX = 60, 600, 2
QUEUE = {"receiveLockDurationInSeconds": LOCK_SECONDS, "maxDeliveryCount": DELIVERIES_MAX, "eventTimeToLive": "PT10M"}
PROPERTIES = {"deliveryConfiguration": {"deliveryMode": "Queue", "queue": QUEUE}}
SALES = ConfiguredNamespace("sales", {}, (Configured("topic", "orders", {}, {"shipping": PROPERTIES}),))
SUBSCRIPTION = "/topics/orders/eventsubscriptions/shipping"
SWEEP_TICKS_MAX = 1_000
RECENT = 6
"""Tokens that are settled are mostly new, some stale."""


@dataclass
class Modelled:
    """What should be true of one event that is not gone."""

    id: str
    expires: float
    available: float
    deliveries: int = 0
    token: str | None = None

    def held(self, now: float) -> bool:
        """Whether its token is good."""
        return self.token is not None and self.available > now


class PullDelivery(RuleBasedStateMachine):
    """The emulator in process, on a clock that stands, and the model beside it."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.clock = stopped_clock()
        self.app = create(clock=self.clock, ids=Ids(1), options=Options(namespaces=[SALES]))
        self.run(self.app.open())
        self.events: list[Modelled] = []
        self.tokens: list[str] = []
        self.published = 0

    def teardown(self) -> None:
        """Close the emulator."""
        self.run(self.app.close())
        self.runner.close()

    def run(self, work: Awaitable[Any]) -> Any:
        """What `work` comes to, on the emulator's loop."""

        async def main() -> Any:
            return await work

        return self.runner.run(main())

    def call(self, method: str, target: str, body: object = None, **headers: str) -> Any:
        """The JSON of an answer that must be 200."""
        given = {"authorization": f"SharedAccessKey {DEVELOPMENT_KEY}", "host": "here", **headers}
        request = Request(method, target, given, b"" if body is None else orjson.dumps(body))
        answer: Response = self.run(self.app.handle(request))
        assert answer.status == 200
        assert isinstance(answer.body, bytes)
        return orjson.loads(answer.body)

    def receivable(self) -> list[Modelled]:
        """Those that wait, longest first; equals in the order of publishing."""
        now = self.clock.now()
        waiting = [each for each in self.events if each.available <= now < each.expires]
        return sorted(waiting, key=lambda each: each.available)

    @rule(count=st.integers(1, 3))
    def publish(self, count: int) -> None:
        """Some events in one request."""
        now = self.clock.now()
        ids = [str(self.published + at) for at in range(count)]
        self.published += count
        batch = [{"specversion": "1.0", "id": each, "source": "/s", "type": "t", "data": 1} for each in ids]
        kind = {"content-type": "application/cloudevents-batch+json"}
        self.call("POST", "/topics/orders:publish?api-version=2024-06-01", batch, **kind)
        self.events += [Modelled(each, now + LIVE_SECONDS, now) for each in ids]

    @precondition(lambda self: bool(self.receivable()))
    @rule(most=st.integers(1, 4))
    def receive(self, most: int) -> None:
        """Exactly those that the model names, in its order, each counted."""
        expected = self.receivable()[:most]
        answer = self.call("POST", f"{SUBSCRIPTION}:receive?api-version=2024-06-01&maxEvents={most}")
        received = [(each["event"]["id"], each["brokerProperties"]["deliveryCount"]) for each in answer["value"]]
        assert received == [(each.id, each.deliveries + 1) for each in expected]
        for each, shown in zip(expected, answer["value"], strict=True):
            each.deliveries += 1
            each.available = self.clock.now() + LOCK_SECONDS
            each.token = shown["brokerProperties"]["lockToken"]
            self.tokens.append(each.token)

    @precondition(lambda self: bool(self.tokens))
    @rule(operation=st.sampled_from(["acknowledge", "reject", "renewLock", "release"]), data=st.data())
    def settle(self, operation: str, data: st.DataObject) -> None:
        """Tokens old and new: those that hold succeed, the others fail each by itself."""
        now = self.clock.now()
        tokens = data.draw(st.lists(st.sampled_from(self.tokens[-RECENT:]), min_size=1, max_size=4, unique=True))
        delay = data.draw(st.sampled_from([0, 10, 60])) if operation == "release" else 0
        target = f"{SUBSCRIPTION}:{operation}?api-version=2024-06-01&releaseDelayInSeconds={delay}"
        answer = self.call("POST", target, {"lockTokens": tokens})
        held = {each.token: each for each in self.events if each.held(now)}
        assert answer["succeededLockTokens"] == [each for each in tokens if each in held]
        assert [each["lockToken"] for each in answer["failedLockTokens"]] == [
            each for each in tokens if each not in held
        ]
        for each in (held[token] for token in tokens if token in held):
            if operation == "renewLock":
                each.available = now + LOCK_SECONDS
            elif operation == "release" and each.deliveries < DELIVERIES_MAX:
                each.available, each.token = now + delay, None
            else:
                self.events.remove(each)

    @rule(seconds=st.sampled_from([1, 9, 10, 59, 60, 61, 300]))
    def wait(self, seconds: int) -> None:
        """Time passes; what is too old, or was delivered too often, goes when nobody holds it."""
        self.clock.advance(seconds)
        now = self.clock.now()
        self.events = [
            each
            for each in self.events
            if each.available > now or (each.expires > now and each.deliveries < DELIVERIES_MAX)
        ]

    @invariant()
    def the_queue_holds_what_the_model_holds(self) -> None:
        """Receivable, held and delayed; the sweeper has its turns first."""
        now = self.clock.now()
        held = sum(each.held(now) for each in self.events)
        waiting = sum(each.available <= now for each in self.events)
        expected = (waiting, held, len(self.events) - waiting - held)
        for _ in range(SWEEP_TICKS_MAX):
            if (found := self.backlog()) == expected:
                return
            self.run(asyncio.sleep(0))
        raise AssertionError(f"{found} instead of {expected}")

    def backlog(self) -> tuple[int, int, int]:
        """What the emulator says."""
        (namespace,) = self.call("GET", "/_emulator/namespaces", **{"x-emulator-control": "1"})["value"]
        shown = namespace["topics"][0]["eventSubscriptions"][0]
        return shown["waiting"], shown["held"], shown["delayed"]


TestPullDelivery = pytest.mark.our_choice("a model written from the documentation of pull delivery")(
    PullDelivery.TestCase
)
TestPullDelivery.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
