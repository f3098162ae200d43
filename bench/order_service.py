"""`python -m bench.order_service`: the order service end to end, from an HTTP command to the view in Cosmos DB.

Beside it, in the same rounds and on the same emulators, host, transport and client settings: bare SDK calls on each
rung of guarantees (`ladder/`), of which the lowest is the naive flow and the highest makes the service's own calls.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
from azure.core.pipeline.transport import AioHttpTransport
from azure.cosmos.aio import ContainerProxy, CosmosClient
from rich.console import Console
from rich.table import Table

from bench import eventsourced, page
from emulators.base.control import CONTROL_HEADER
from emulators.cosmos.account import WELL_KNOWN_KEY
from local.client import OrderService
from local.environment import ROOT
from local.load.deliveries import undelivered
from local.load.footprint import Footprint
from local.stack import SERVICES, Options, Stack, free_ports, running_stack

LADDER = Path(__file__).parent / "ladder"
RUNGS = ("naive", "commit", "relay", "gate", "history")
MAY_DIVERGE = frozenset(("naive", "commit", "relay"))
"""Whoever overwrites views blindly may end with an older status for ever: that is a figure, not a failure."""
GAINS = {
    "naive": "none: the source article's upsert, publish, upsert",
    "commit": "no command lost or doubled: event and order in one batch, under the ETag",
    "relay": "no event forgotten: what is published is marked, the rest is sent again",
    "gate": "the read side only goes forward, in any order of arrival",
    "history": "every step is kept on the read side, with the view",
    "service": "commands repeatable under their key, validated, refused with reasons, observable; requests shared",
}
"""What each side guarantees beyond the one before."""
SERVICE = "service"
LIBRARY = "eventsourcing"
CLIENTS = 16
"""Commands in flight."""
ORDERS = 150
"""Orders of one round; each gets two commands."""
COMMANDS = 2 * ORDERS
IDLE_COMMANDS = 40
"""Commands of one round whose lag is measured, one at a time."""
WARM_ORDERS = 20
WARM_LOOK_SECONDS, WARM_CPU_SECONDS = 2.0, 0.1
"""A host that uses less than so much CPU in so long has come to rest."""
POLL_SECONDS = 0.001
SETTLE_SECONDS_MAX = 60.0


class Spent(NamedTuple):
    """What a stack has used so far, or for one command."""

    app_seconds: float
    emulator_seconds: float
    calls: float
    units: float

    def since(self, before: Spent, commands: int) -> Spent:
        """For each command of those since `before`."""
        return Spent(*((now - then) / commands for now, then in zip(self, before, strict=True)))


@dataclass
class Measured:
    """What one side did, round by round; per command where it says so."""

    rates: list[float] = field(default_factory=list)
    """Commands projected a second."""
    lags: list[float] = field(default_factory=list)
    """Seconds from a command's answer until its view is there, of an idle system."""
    app_seconds: list[float] = field(default_factory=list)
    emulator_seconds: list[float] = field(default_factory=list)
    """CPU per command."""
    calls: float = 0.0
    units: float = 0.0
    """Requests to Cosmos DB and their charge, per command."""
    diverged: int = 0
    """Views that show an older status after everything was delivered, of all rounds."""


@dataclass
class Side:
    """One running stack under measurement."""

    name: str
    stack: Stack
    service: OrderService
    views: ContainerProxy
    measured: Measured = field(default_factory=Measured)

    async def round(self) -> None:
        """Measure once, when it is warm."""
        await self._warm_up()
        before = await self.spent()
        began = time.perf_counter()
        await self.burst("busy-")
        self.measured.diverged += await self._until_projected("busy-", ORDERS)
        self.measured.rates.append(COMMANDS / (time.perf_counter() - began))
        each = (await self.spent()).since(before, COMMANDS)
        self.measured.app_seconds.append(each.app_seconds)
        self.measured.emulator_seconds.append(each.emulator_seconds)
        self.measured.calls, self.measured.units = each.calls, each.units
        await self._measure_lag()

    async def _warm_up(self) -> None:
        """First uses are behind it and its host's spare process has started: neither is the cost of a command."""
        await self.burst("warm-", WARM_ORDERS)
        deadline = time.perf_counter() + SETTLE_SECONDS_MAX
        while time.perf_counter() < deadline:
            before = await self.spent()
            await asyncio.sleep(WARM_LOOK_SECONDS)
            if (await self.spent()).app_seconds - before.app_seconds < WARM_CPU_SECONDS:
                return
        raise TimeoutError(f"{self.name}: its host does not come to rest")

    async def burst(self, prefix: str, orders: int = ORDERS) -> None:
        """Lead a round's orders through two statuses, so many clients at once."""
        left = iter(f"{prefix}{number}" for number in range(orders))

        async def client() -> None:
            for order in left:
                for status in ("created", "approved"):
                    answer = await self.service.update(order, status)
                    assert answer.status in (200, 201), answer
                    await asyncio.sleep(0)

        await asyncio.gather(*(client() for _ in range(CLIENTS)))

    async def spent(self) -> Spent:
        """CPU time of the app's host and of the two emulators so far, and what the Cosmos emulator has counted."""
        footprint = Footprint(self.stack, SERVICES)
        app, emulators = footprint.cpu_seconds("functions"), footprint.cpu_seconds("cosmos", "eventgrid")
        return Spent(app, emulators, *await self._counted())

    async def _measure_lag(self) -> None:
        for number in range(IDLE_COMMANDS):
            order = f"idle-{number}"
            await self.service.update(order, "created")
            answered = time.perf_counter()
            while not await self._is_there(order):
                if time.perf_counter() - answered > SETTLE_SECONDS_MAX:
                    raise TimeoutError(f"{self.name}: {order} has no view after {SETTLE_SECONDS_MAX:g} s")
                await asyncio.sleep(POLL_SECONDS)
            self.measured.lags.append(time.perf_counter() - answered)

    async def _is_there(self, order: str) -> bool:
        query = "SELECT VALUE 1 FROM c WHERE c.id = @id"
        found = self.views.query_items(query, parameters=[{"name": "@id", "value": order}], partition_key=order)
        return bool([each async for each in found])

    async def _until_projected(self, prefix: str, orders: int) -> int:
        """Wait for the views of so many orders; how many stay behind although every event was delivered."""
        query = (
            "SELECT VALUE COUNT(1) FROM c WHERE c.type = 'view' AND c.status = 'approved' AND STARTSWITH(c.id, @prefix)"
        )
        deadline = time.perf_counter() + SETTLE_SECONDS_MAX
        while time.perf_counter() < deadline:
            # Asked before the views: what is delivered by now is in them.
            waiting = await undelivered(self.stack)
            counts = self.views.query_items(query, parameters=[{"name": "@prefix", "value": prefix}])
            behind = orders - sum([int(str(each)) async for each in counts])
            if not behind or (not waiting and self.name in MAY_DIVERGE):
                return behind
            await asyncio.sleep(0.02)
        raise TimeoutError(f"{self.name}: {behind} of {orders} views are behind after {SETTLE_SECONDS_MAX:g} s")

    async def _counted(self) -> tuple[float, float]:
        """(requests for documents, request units) that the Cosmos emulator has counted."""
        headers = {CONTROL_HEADER: "1"}
        async with aiohttp.ClientSession(headers=headers) as session:
            answer = await session.get(f"{self.stack.url('cosmos')}/_emulator/metrics")
            text = await answer.text()
        calls = units = 0.0
        for line in text.splitlines():
            name, _, value = line.rpartition(" ")
            if name.startswith("cosmos_requests_total") and "docs" in name and "query" not in name:
                calls += float(value)
            elif name.startswith("cosmos_request_units_total") and "docs" in name and "query" not in name:
                units += float(value)
        return calls, units


@asynccontextmanager
async def side(name: str, directory: Path) -> AsyncIterator[Side]:
    """A stack that runs the service, or one rung of the ladder."""
    app = ROOT if name == SERVICE else LADDER
    options = Options(directory / name, fresh=True, ports=free_ports(), quiet=True, app=app, environment={"RUNG": name})
    transport = AioHttpTransport(use_env_settings=False)
    async with (
        running_stack(options) as stack,
        OrderService(stack.url("functions")) as service,
        CosmosClient(stack.url("cosmos"), WELL_KNOWN_KEY, transport=transport) as client,
    ):
        yield Side(name, stack, service, client.get_database_client("orders").get_container_client("orders-read-1"))


async def measure(rounds: int) -> dict[str, Measured]:
    """All sides, in alternating rounds, one stack at a time awake: those that wait cost nothing."""
    with tempfile.TemporaryDirectory() as directory:
        measured: dict[str, Measured] = {name: Measured() for name in (SERVICE, *reversed(RUNGS), LIBRARY)}
        for _ in range(rounds):
            for name, known in measured.items():
                if name == LIBRARY:
                    continue
                async with side(name, Path(directory)) as running:
                    running.measured = known
                    await running.round()
            library = await asyncio.to_thread(eventsourced.measure, ORDERS, IDLE_COMMANDS)
            measured[LIBRARY].rates.append(library.rate)
            measured[LIBRARY].lags += library.lags
    return measured


def report(measured: dict[str, Measured]) -> dict[str, Any]:
    """Ratios of the service to the highest rung (the same calls) and the lowest (naive), and each side's figures."""
    sides = {
        name: {
            "projected per second": round(statistics.median(each.rates), 1),
            "idle lag p50 ms": round(1000 * statistics.median(each.lags), 1),
            "idle lag p99 ms": round(1000 * sorted(each.lags)[int(0.99 * len(each.lags))], 1),
            "views behind": each.diverged,
            **_costs(each),
        }
        for name, each in measured.items()
    }

    def ratio(other: str) -> float:
        pairs = zip(measured[SERVICE].rates, measured[other].rates, strict=True)
        return round(statistics.median(ours / theirs for ours, theirs in pairs), 2)

    return {
        "sides": sides,
        "rate to bare calls": ratio("history"),
        "rate to naive": ratio("naive"),
        "rate to eventsourcing": ratio(LIBRARY),
        "naive's CPU to ours": round(_cpu(measured["naive"]) / _cpu(measured[SERVICE]), 2),
        "bare calls' CPU to ours": round(_cpu(measured["history"]) / _cpu(measured[SERVICE]), 2),
    }


def _cpu(measured: Measured) -> float:
    """Seconds of all processes per command: unlike the rates, another load on the machine hardly changes them."""
    return statistics.median(measured.app_seconds) + statistics.median(measured.emulator_seconds)


def _costs(measured: Measured) -> dict[str, float]:
    """What a command costs; of the library, which runs in this process, nothing is known."""
    if not measured.app_seconds:
        return {}
    return {
        "app CPU ms per command": round(1000 * statistics.median(measured.app_seconds), 2),
        "emulators CPU ms per command": round(1000 * statistics.median(measured.emulator_seconds), 2),
        "Cosmos DB calls per command": round(measured.calls, 2),
        "request units per command": round(measured.units, 2),
    }


def markdown(measured: dict[str, Measured]) -> str:
    """The cost of each guarantee, beyond the one before it."""
    lines = [
        "| | guarantees besides | Cosmos DB calls | request units | app CPU ms | emulators CPU ms | views behind |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    for name, gained in GAINS.items():
        each, costs = measured[name], _costs(measured[name])
        lines.append(
            f"| {name} | {gained} | {' | '.join(f'{cost:.2f}' for cost in _in_order(costs))} "
            f"| {each.diverged} of {ORDERS * len(each.rates)} |"
        )
    return "\n".join(lines)


def _in_order(costs: dict[str, float]) -> list[float]:
    names = ("Cosmos DB calls", "request units", "app CPU ms", "emulators CPU ms")
    return [costs[f"{name} per command"] for name in names]


def main() -> int:
    """Print each side's figures and the service's ratios to the others."""
    parser = argparse.ArgumentParser(prog="python -m bench.order_service", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each side (default %(default)s)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--write", action="store_true", help="put the costs into docs/PERFORMANCE.md")
    chosen = parser.parse_args()
    measured = asyncio.run(measure(chosen.rounds))
    if chosen.write:
        page.put("cost of guarantees", markdown(measured))
    found = report(measured)
    if chosen.json:
        print(json.dumps(found, indent=2))
        return 0
    sides = found.pop("sides")
    table = Table("", *sides)
    for figure in sides[SERVICE]:
        table.add_row(figure, *(str(each.get(figure, "")) for each in sides.values()))
    console = Console()
    console.print(table)
    for name, ratio in found.items():
        console.print(f"  {name:<24} {ratio:.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
