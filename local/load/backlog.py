"""`python -m local backlog`: so many events wait while the read side is down; then it comes up.

What a long outage leaves behind is laid out at once: orders with their events in the write side, as commands would have
left them, and the events published in large requests. What is shown is the way back: how fast it drains, that no
service's memory grows with it, that no view ever goes back to an older version, and that both sides agree in the end.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from azure.core.credentials import AzureKeyCredential
from azure.core.pipeline.transport import AioHttpTransport
from azure.cosmos.aio import ContainerProxy, CosmosClient
from azure.eventgrid.aio import EventGridPublisherClient
from rich.console import Console

from emulators.base.control import CONTROL_HEADER
from emulators.cosmos.account import WELL_KNOWN_KEY
from local.load.deliveries import undelivered
from local.load.footprint import Footprint
from local.load.lives import life, published_documents
from local.load.report import tell
from local.operator import operate
from local.stack import Options, Stack, app_settings, free_ports, running_stack
from order_events import OrderStatus, to_event_grid_event

LIFE = (
    OrderStatus.CREATED,
    OrderStatus.APPROVED,
    OrderStatus.INVOICED,
    OrderStatus.SHIPPED,
    OrderStatus.DELIVERED,
)
"""What each order went through during the outage."""
ORDERS_PER_REQUEST = 100
"""Their events share a request of about 200 KB; Event Grid takes 1 MB."""
WRITERS = 8
LOOK_SECONDS = 1.0
TURN_SECONDS = 60.0
"""How far Event Grid's clock is turned when the read side is back: it had put the endpoint aside for half of that."""
EVENTS_PER_SECOND_MIN = 10
"""Slower than this, it is taken for stuck."""
START_SECONDS_MAX = 120.0
WARM_SHARE = 0.2
"""Of the backlog; pools, caches and imports are at their size by then."""
GROWTH_MIB_MAX = 64.0
"""Beyond that. Keeping the events alone would take more (each about a kilobyte in memory, from 100,000 on)."""
VERIFY_SECONDS = 300
SERVICES = ("cosmos", "eventgrid", "functions")


@dataclass
class Drain:
    """What was seen while the backlog went down."""

    events: int
    seconds: float = 0.0
    seconds_to_lay_out: float = 0.0
    app_cpu_seconds: float = 0.0
    emulators_cpu_seconds: float = 0.0
    left: int = 0
    """Deliveries that were still waiting when patience ended."""
    changes_seen: int = 0
    backwards: list[str] = field(default_factory=list)
    """Views that showed an older version after a newer one."""


async def backlog(*, events: int, seed: int, as_json: bool) -> int:
    """Lay out, drain, verify; 0 when everything held."""
    console = Console(stderr=True)
    with tempfile.TemporaryDirectory(prefix="backlog-") as directory:
        async with running_stack(Options(Path(directory), ports=free_ports(), quiet=True)) as stack:
            host = await stack.supervisor.take_down("functions")
            orders = -(-events // len(LIFE))
            drain = Drain(orders * len(LIFE))
            console.print(f"the read side is down; laying out {drain.events} events of {orders} orders …")
            began = time.perf_counter()
            await _lay_out(stack, orders, seed)
            drain.seconds_to_lay_out = time.perf_counter() - began
            await stack.supervisor.start(host)
            footprint = Footprint(stack, SERVICES)
            await _drain(stack, drain, footprint, console)
            console.print("comparing both sides …")
            verified = await operate(stack, "verify", "--wait", str(VERIFY_SECONDS))
    report = _report(drain, footprint, {"exitCode": verified.code, **verified.document()})
    return tell(report, as_json=as_json)


async def _lay_out(stack: Stack, orders: int, seed: int) -> None:
    """Write the orders and publish their events, a hundred orders a request, in no order."""
    transport = AioHttpTransport(use_env_settings=False)
    settings = app_settings(stack.options.app) | stack.settings()
    credential = AzureKeyCredential(settings["EventGridTopicKey"])
    names = iter(range(0, orders, ORDERS_PER_REQUEST))
    dice = random.Random(seed)  # noqa: S311 - repeatable
    async with (
        CosmosClient(stack.url("cosmos"), WELL_KNOWN_KEY, transport=transport) as client,
        EventGridPublisherClient(
            settings["EventGridTopicEndpoint"], credential, transport=AioHttpTransport(use_env_settings=False)
        ) as topic,
    ):
        database = client.get_database_client(stack.topology.database)
        container = database.get_container_client(settings["OrdersWriteContainer"])

        async def writer() -> None:
            for first in names:
                numbers = range(first, min(first + ORDERS_PER_REQUEST, orders))
                lives = [life(f"backlog-{number}", LIFE) for number in numbers]
                for events in lives:
                    batch: list[Any] = [("create", (document,)) for document in published_documents(events)]
                    await container.execute_item_batch(batch, partition_key=events[0].order_id)
                published = [each for events in lives for each in events]
                dice.shuffle(published)
                await topic.send([to_event_grid_event(each) for each in published])

        async with asyncio.TaskGroup() as group:
            for _ in range(WRITERS):
                group.create_task(writer())


async def _drain(stack: Stack, drain: Drain, footprint: Footprint, console: Console) -> None:
    transport = AioHttpTransport(use_env_settings=False)
    deadline = time.perf_counter() + START_SECONDS_MAX + drain.events / EVENTS_PER_SECOND_MIN
    async with (
        aiohttp.ClientSession(stack.url("eventgrid"), headers={CONTROL_HEADER: "1"}) as session,
        CosmosClient(stack.url("cosmos"), WELL_KNOWN_KEY, transport=transport) as client,
    ):
        views = Views(client.get_database_client(stack.topology.database).get_container_client("orders-read-1"), drain)
        app, emulators = footprint.cpu_seconds("functions"), footprint.cpu_seconds("cosmos", "eventgrid")
        began = time.perf_counter()
        await session.post("/_emulator/clock", json={"advanceSeconds": TURN_SECONDS})
        while (left := await undelivered(stack)) and time.perf_counter() < deadline:
            footprint.look(warming=left > (1 - WARM_SHARE) * drain.events)
            await views.look()
            console.print(f"{left} events wait", highlight=False)
            await asyncio.sleep(LOOK_SECONDS)
        drain.seconds, drain.left = time.perf_counter() - began, left
        footprint.look(warming=False)
        await views.look()
        drain.app_cpu_seconds = footprint.cpu_seconds("functions") - app
        drain.emulators_cpu_seconds = footprint.cpu_seconds("cosmos", "eventgrid") - emulators


class Views:
    """Follows the change feed of the read container: a view may only ever go forward."""

    def __init__(self, container: ContainerProxy, drain: Drain) -> None:
        self._container = container
        self._drain = drain
        self._versions: dict[str, int] = {}
        self._from: dict[str, Any] = {"start_time": "Beginning"}

    async def look(self) -> None:
        """Read what has changed since the last look."""
        async for document in self._container.query_items_change_feed(**self._from):
            if document["type"] == "view":
                self._see(document["orderId"], document["version"])
        self._from = {"continuation": self._container.client_connection.last_response_headers["etag"]}

    def _see(self, order_id: str, version: int) -> None:
        before = self._versions.get(order_id, 0)
        if version < before:
            self._drain.backwards.append(f"{order_id}: version {version} after {before}")
        self._drain.changes_seen += version != before
        self._versions[order_id] = version


def _report(drain: Drain, footprint: Footprint, verified: dict[str, Any]) -> dict[str, Any]:
    memory = {service: each.document() for service, each in footprint.memory.items()}
    grown = list(_grown(footprint))
    return {
        "events": drain.events,
        "secondsToLayOut": round(drain.seconds_to_lay_out, 1),
        "secondsToDrain": round(drain.seconds, 1),
        "eventsPerSecond": round((drain.events - drain.left) / drain.seconds, 1),
        "appCpuMillisecondsPerEvent": round(1000 * drain.app_cpu_seconds / drain.events, 2),
        "emulatorsCpuMillisecondsPerEvent": round(1000 * drain.emulators_cpu_seconds / drain.events, 2),
        "notDelivered": drain.left,
        "memoryMiB": memory,
        "grown": grown,
        "viewChangesSeen": drain.changes_seen,
        "backwards": drain.backwards,
        "verify": verified,
        "holds": not (drain.left or grown or drain.backwards or verified["exitCode"]),
    }


def _grown(footprint: Footprint) -> Iterator[str]:
    for service, memory in footprint.memory.items():
        if memory.growth > GROWTH_MIB_MAX:
            yield f"{service}: {memory.growth:.0f} MiB more than when {WARM_SHARE:.0%} had drained"
