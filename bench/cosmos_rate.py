"""`python -m bench.cosmos_rate`: the Cosmos DB emulator through the official async SDK, beside canned answers.

Rounds alternate between the two, so that a machine that slows down slows both; the figure is the median ratio.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from typing import Any

from azure.core.pipeline.transport import AioHttpTransport
from azure.cosmos import PartitionKey
from azure.cosmos.aio import ContainerProxy, CosmosClient

from bench.processes import serving
from emulators.cosmos.account import WELL_KNOWN_KEY

IN_FLIGHT = 16
BODY = {"id": "1", "pk": "1", "status": "created", "text": "x" * 900}

Operation = Callable[[ContainerProxy], Awaitable[Any]]


async def _read(container: ContainerProxy) -> None:
    await container.read_item("1", partition_key="1")


async def _upsert(container: ContainerProxy) -> None:
    await container.upsert_item({**BODY, "at": time.perf_counter()})  # SQLite skips a write that changes nothing


OPERATIONS: dict[str, Operation] = {"point read": _read, "upsert": _upsert}


async def rate(url: str, operation: Operation, calls: int) -> float:
    """Calls per second with IN_FLIGHT of them under way."""
    transport = AioHttpTransport(use_env_settings=False)
    async with CosmosClient(url, WELL_KNOWN_KEY, transport=transport) as client:
        database = await client.create_database_if_not_exists("bench")
        container = await database.create_container_if_not_exists("items", PartitionKey("/pk"))
        await container.upsert_item(BODY)
        left = iter(range(calls))

        async def worker() -> None:
            for _ in left:
                await operation(container)

        began = time.perf_counter()
        await asyncio.gather(*(worker() for _ in range(IN_FLIGHT)))
        return calls / (time.perf_counter() - began)


def main() -> int:
    """Print one line an operation: the median ratio of the rounds, and their spread."""
    parser = argparse.ArgumentParser(prog="python -m bench.cosmos_rate", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each side (default %(default)s)")
    parser.add_argument("--calls", type=int, default=1500, help="calls per round (default %(default)s)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    chosen = parser.parse_args()
    report: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as data, serving("bench.canned") as reference:  # noqa: SIM117 - two servers
        with serving("emulators.cosmos", "--port", "0", "--data", data, "--exit-when-stdin-closes") as emulator:
            for name, operation in OPERATIONS.items():
                ratios = []
                for _ in range(chosen.rounds):
                    ours = asyncio.run(rate(emulator.url, operation, chosen.calls))
                    ratios.append(ours / asyncio.run(rate(reference.url, operation, chosen.calls)))
                report[name] = {"median": statistics.median(ratios), "min": min(ratios), "max": max(ratios)}
    if chosen.json:
        print(json.dumps(report, indent=2))
    else:
        print(f"Cosmos DB emulator with --data, {IN_FLIGHT} calls in flight, rate relative to canned answers")
        for name, figures in report.items():
            print(f"  {name:<12} {figures['median']:.2f}  ({figures['min']:.2f} to {figures['max']:.2f})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
