"""`python -m bench.eventgrid`: what publishing, delivering, fanning out and a backlog cost the Event Grid emulator.

Every figure is a ratio measured in one run: against a server of canned answers, against a bare POST to the same
receiver, or against the emulator itself without the load in question.

The backlog is 100,000 events unless told otherwise; the million that the goal speaks of takes minutes to load:
`python -m bench.eventgrid --only backlog --queued 1000000`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import aiohttp
from azure.core.credentials import AzureKeyCredential
from azure.core.pipeline.transport import AioHttpTransport
from azure.eventgrid import EventGridEvent
from azure.eventgrid.aio import EventGridPublisherClient

from bench.processes import Serving, serving
from emulators.eventgrid.auth import DEVELOPMENT_KEY

IN_FLIGHT = 16
BATCH = 100
LARGE_BATCH = 2_500
DELIVERED = 1_000
"""Deliveries over which a backlog's rate is taken."""
SUBSCRIBERS, HANGING = 20, 5
ARM = "/subscriptions/s/resourceGroups/g/providers/Microsoft.EventGrid"
QUERY, BEARER = {"api-version": "2025-02-15"}, {"authorization": "Bearer bench"}
KEY = {"aeg-sas-key": DEVELOPMENT_KEY}
Figures: TypeAlias = dict[str, list[float]]
"""The ratio of each round, by what it is of."""


def event(number: object = 0) -> dict[str, Any]:
    """An event of the order service's size."""
    return {
        "id": str(number), "subject": "orders/update", "eventType": "OrderStatusUpdated", "dataVersion": "1.0",
        "eventTime": "2026-11-23T10:00:00Z", "data": {"orderId": "o-1", "status": "shipped", "text": "x" * 300},
    }  # fmt: skip


@asynccontextmanager
async def topic(bench: Bench, name: str, urls: list[str]) -> AsyncIterator[str]:
    """A topic with a subscription for each URL; both go at the end. Its address."""
    http, path = bench.http, f"{bench.emulator.url}{ARM}/topics/{name}"
    await _arm(http, "PUT", path, {"location": "here"})
    for at, url in enumerate(urls):
        destination = {"endpointType": "WebHook", "properties": {"endpointUrl": url}}
        await _arm(http, "PUT", f"{path}/eventSubscriptions/sub-{at}", {"properties": {"destination": destination}})
    for at in range(len(urls)):
        while True:
            found = await _arm(http, "GET", f"{path}/eventSubscriptions/sub-{at}")
            if found["properties"]["provisioningState"] == "Succeeded":
                break
            await asyncio.sleep(0.01)
    yield f"{bench.emulator.url}/{name}/api/events"
    await _arm(http, "DELETE", path)


async def _arm(http: aiohttp.ClientSession, method: str, url: str, body: object = None) -> Any:
    async with http.request(method, url, json=body, params=QUERY, headers=BEARER) as answer:
        answer.raise_for_status()
        return await answer.json() if answer.content_type == "application/json" else None


async def sdk_rate(endpoint: str, calls: int, batch: int) -> float:
    """Calls a second of the real SDK with IN_FLIGHT of them under way."""
    transport = AioHttpTransport(use_env_settings=False)
    made = event()
    events = [
        EventGridEvent(made["subject"], made["eventType"], made["data"], made["dataVersion"]) for _ in range(batch)
    ]
    async with EventGridPublisherClient(endpoint, AzureKeyCredential(DEVELOPMENT_KEY), transport=transport) as client:
        left = iter(range(calls))

        async def worker() -> None:
            for _ in left:
                await client.send(events)

        began = time.perf_counter()
        await asyncio.gather(*(worker() for _ in range(IN_FLIGHT)))
        return calls / (time.perf_counter() - began)


@dataclass(frozen=True, slots=True)
class Bench:
    """The servers of a run, and how much is asked of them."""

    emulator: Serving
    canned: Serving
    receiver: Serving
    http: aiohttp.ClientSession
    rounds: int
    calls: int
    events: int
    queued: int

    async def arrived(self, count: int) -> list[float]:
        """The moments of arrival, once so many events have arrived."""
        async with asyncio.timeout(600), self.http.get(f"{self.receiver.url}/arrived?count={count}") as answer:
            moments: dict[str, float] = (await answer.json())["arrived"]
            return list(moments.values())

    async def gate(self, path: str, *, opened: bool) -> None:
        """Hold the receiver's deliveries to a path, or let them go."""
        async with self.http.post(f"{self.receiver.url}/gate{path}", data=b"1" if opened else b"0") as answer:
            answer.raise_for_status()

    async def load(self, endpoint: str, queued: int) -> None:
        """Publish so many events."""
        for begin in range(0, queued, LARGE_BATCH):
            await self.post(endpoint, [event(number) for number in range(begin, min(queued, begin + LARGE_BATCH))])

    async def delivery_rate(self, path: str) -> float:
        """The rate of the first DELIVERED deliveries to a path, whose gate is closed before and after."""
        await self.arrived(0)
        began = time.monotonic()
        await self.gate(path, opened=True)
        moments = await self.arrived(DELIVERED)
        await self.gate(path, opened=False)
        return DELIVERED / (sorted(moments)[DELIVERED - 1] - began)

    async def post(self, url: str, body: object) -> None:
        """POST with the key."""
        async with self.http.post(url, json=body, headers=KEY) as answer:
            answer.raise_for_status()


async def publishing(bench: Bench) -> Figures:
    """The rate relative to canned answers, of single events and of batches; a subscriber hangs, so events are kept."""
    ratios: Figures = {"publish": [], f"publish, batch of {BATCH}": []}
    for at in range(bench.rounds):
        for (name, found), batch, calls in zip(
            ratios.items(), (1, BATCH), (bench.calls, bench.calls // 10), strict=True
        ):
            async with topic(bench, f"publish-{batch}-{at}", [bench.receiver.url + "/hang"]) as endpoint:
                ours = await sdk_rate(endpoint, calls, batch)
            found.append(ours / await sdk_rate(f"{bench.canned.url}/{name[0]}/api/events", calls, batch))
    return ratios


async def lag(bench: Bench) -> Figures:
    """From the publisher's 200, and from its request, to the arrival at the receiver; relative to a bare POST there."""
    accepted, sent = [], []
    async with topic(bench, "lag", [bench.receiver.url]) as endpoint:
        for _ in range(bench.rounds):
            bare, after_answer, after_request = [], [], []
            for number in range(bench.calls // 5):
                began = time.monotonic()
                await bench.post(bench.receiver.url, event(number))
                bare.append(time.monotonic() - began)
                began = time.monotonic()
                await bench.post(endpoint, [event(number)])
                answered = time.monotonic()
                (arrived,) = await bench.arrived(1)
                after_answer.append(arrived - answered)
                after_request.append(arrived - began)
            accepted.append(statistics.median(after_answer) / statistics.median(bare))
            sent.append(statistics.median(after_request) / statistics.median(bare))
    return {"idle lag p50, from the 200": accepted, "idle lag p50, from the request": sent}


async def fan_out(bench: Bench) -> Figures:
    """The p99 lag of the healthy subscribers beside hanging ones, relative to the same without the hanging ones.

    An event's lags at all subscribers go up and down together: it takes hundreds of events for a p99 of more than one.
    """
    ratios = []
    healthy = [f"{bench.receiver.url}/{at}" for at in range(SUBSCRIBERS - HANGING)]
    hanging = [f"{bench.receiver.url}/hang/{at}" for at in range(HANGING)]
    for at in range(bench.rounds):
        async with (
            topic(bench, f"fan-alone-{at}", healthy) as alone,
            topic(bench, f"fan-beside-{at}", hanging + healthy) as beside,
        ):
            lags: dict[str, list[float]] = {alone: [], beside: []}
            for number in range(bench.events):
                for endpoint, found in lags.items():
                    began = time.monotonic()
                    await bench.post(endpoint, [event(number)])
                    found += [moment - began for moment in await bench.arrived(len(healthy))]
        p99 = {endpoint: statistics.quantiles(found, n=100)[98] for endpoint, found in lags.items()}
        ratios.append(p99[beside] / p99[alone])
    return {f"fan-out p99, {HANGING} of {SUBSCRIBERS} hang": ratios}


async def backlog(bench: Bench) -> Figures:
    """The rate of delivery out of a large backlog, relative to one of a thousand, and the memory that it takes.

    Rounds alternate; what loading has left for the disk to write is written before.
    """
    memory, ratios = [bench.emulator.memory_mib()], []
    await bench.gate("/few", opened=False)
    await bench.gate("/many", opened=False)
    async with (
        topic(bench, "queued-few", [bench.receiver.url + "/few"]) as few,
        topic(bench, "queued-many", [bench.receiver.url + "/many"]) as many,
    ):
        await bench.load(many, bench.queued)
        memory.append(bench.emulator.memory_mib())
        os.sync()
        for _ in range(bench.rounds):
            large = await bench.delivery_rate("/many")
            await bench.load(few, DELIVERED)
            ratios.append(large / await bench.delivery_rate("/few"))
    told = f"memory before and with {bench.queued} queued: {memory[0]:.0f} and {memory[1]:.0f} MiB"
    print(told, file=sys.stderr)  # stdout is for the figures, with --json for them alone
    return {f"delivery rate with {bench.queued} queued": ratios}


FIGURES: dict[str, Callable[[Bench], Awaitable[Figures]]] = {
    "publish": publishing,
    "lag": lag,
    "fan-out": fan_out,
    "backlog": backlog,
}
GOALS = {
    "publish": ">= 0.85",
    "publish, batch": ">= 0.6",
    "idle lag": "<= 5.0",
    "fan-out": "<= 1.5",
    "delivery rate": ">= 0.8",
}
"""What was asked for, by how a figure's name begins (the longest wins)."""


def main() -> int:
    """Print one line a figure: the median ratio of the rounds, their spread, and the goal."""
    parser = argparse.ArgumentParser(prog="python -m bench.eventgrid", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each figure (default %(default)s)")
    parser.add_argument("--calls", type=int, default=1000, help="calls per round (default %(default)s)")
    parser.add_argument("--events", type=int, default=500, help="fanned out per round (default %(default)s)")
    parser.add_argument("--queued", type=int, default=100_000, help="the large backlog (default %(default)s)")
    parser.add_argument("--only", choices=list(FIGURES), help="one figure only")
    parser.add_argument("--json", action="store_true", help="print JSON")
    chosen = parser.parse_args()
    report = asyncio.run(measure(chosen))
    if chosen.json:
        print(json.dumps(report, indent=2))
        return 0
    print(f"Event Grid emulator with --data, {IN_FLIGHT} calls in flight")
    for name, ratios in report.items():
        spread = f"({min(ratios):.2f} to {max(ratios):.2f})"
        goal = GOALS[max((each for each in GOALS if name.startswith(each)), key=len)]
        print(f"  {name:<34} {statistics.median(ratios):.2f}  {spread:<18} goal {goal}")
    return 0


async def measure(chosen: argparse.Namespace) -> Figures:
    """All figures that were chosen."""
    report: Figures = {}
    with ExitStack() as stack:
        data = stack.enter_context(tempfile.TemporaryDirectory())
        canned = stack.enter_context(serving("bench.canned_eventgrid"))
        receiver = stack.enter_context(serving("bench.receiver"))
        command = ("emulators.eventgrid", "--port", "0", "--data", data, "--exit-when-stdin-closes")
        emulator = stack.enter_context(serving(*command))
        async with aiohttp.ClientSession() as http:
            bench = Bench(emulator, canned, receiver, http, chosen.rounds, chosen.calls, chosen.events, chosen.queued)
            for name, figure in FIGURES.items():
                if chosen.only in (None, name):
                    report |= await figure(bench)
    return report


if __name__ == "__main__":
    sys.exit(main())
