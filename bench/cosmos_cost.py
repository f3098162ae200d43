"""`python -m bench.cosmos_cost`: what an item operation costs the server, in CPU time, beside two references.

Through the official async SDK with 16 calls in flight. `floor` is the same HTTP server with the same signature check
and one SQLite statement (bench.floor); `peer` is @vercel/cosmosdb-server as shipped, fetched once from npm. Rounds
alternate between the servers; a figure is the ratio of the medians. Reads /proc, so it runs on Linux.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from azure.core.exceptions import AzureError
from azure.core.pipeline.transport import AioHttpTransport
from azure.cosmos import PartitionKey
from azure.cosmos.aio import ContainerProxy, CosmosClient

from bench import peer
from bench.processes import Serving, serving
from emulators.base.serving import Bind, listen
from emulators.cosmos.account import WELL_KNOWN_KEY

IN_FLIGHT = 16
BODY = {"id": "1", "pk": "1", "status": "created", "text": "x" * 900}
_numbers = itertools.count()

Operation = Callable[[ContainerProxy], Awaitable[Any]]


def _fresh() -> dict[str, Any]:
    return {**BODY, "id": f"i{os.getpid()}-{next(_numbers)}"}


def _changed() -> dict[str, Any]:
    return {**BODY, "at": next(_numbers)}  # SQLite skips a write that changes nothing


OPERATIONS: dict[str, Operation] = {
    "point read": lambda container: container.read_item("1", partition_key="1"),
    "create": lambda container: container.create_item(_fresh()),
    "upsert": lambda container: container.upsert_item(_changed()),
    "replace": lambda container: container.replace_item("1", _changed()),
    "patch": lambda container: container.patch_item("1", "1", [{"op": "set", "path": "/at", "value": next(_numbers)}]),
    "batch of 2": lambda container: container.execute_item_batch(
        [("create", (_fresh(),)), ("upsert", (_changed(),))], "1"
    ),
}


@contextmanager
def peer_server() -> Iterator[Serving]:
    """The peer, installed on first use."""
    cli = peer.install() / "lib" / "cli.js"
    with listen(Bind()) as found:
        port = found.getsockname()[1]
    process = subprocess.Popen([peer.node(), cli, "-p", str(port), "--host", "127.0.0.1"], stdout=subprocess.PIPE)
    assert process.stdout
    with process, process.stdout:
        process.stdout.readline()
        yield Serving(f"https://127.0.0.1:{port}", process.pid)
        process.kill()


async def cost(server: Serving, operation: Operation, calls: int) -> float:
    """Microseconds of the server's CPU for one call."""
    transport = AioHttpTransport(use_env_settings=False)
    async with CosmosClient(server.url, WELL_KNOWN_KEY, transport=transport) as client:
        database = await client.create_database_if_not_exists("bench")
        container = await database.create_container_if_not_exists("items", PartitionKey("/pk"))
        await container.upsert_item(BODY)
        await operation(container)
        left = iter(range(calls))

        async def worker() -> None:
            for _ in left:
                await operation(container)

        began = server.cpu_seconds()
        await asyncio.gather(*(worker() for _ in range(IN_FLIGHT)))
        return 1e6 * (server.cpu_seconds() - began) / calls


def measure(servers: Mapping[str, Serving], operation: Operation, rounds: int, calls: int) -> dict[str, float]:
    """The median cost on each server that can do the operation."""
    costs: dict[str, list[float]] = {name: [] for name in servers}
    for _ in range(rounds):
        for name in list(costs):
            try:
                costs[name].append(asyncio.run(cost(servers[name], operation, calls)))
            except AzureError:
                del costs[name]
    return {name: statistics.median(each) for name, each in costs.items()}


def main() -> int:
    """Print one line an operation."""
    parser = argparse.ArgumentParser(prog="python -m bench.cosmos_cost", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="rounds on each server (default %(default)s)")
    parser.add_argument("--calls", type=int, default=1500, help="calls per round (default %(default)s)")
    parser.add_argument("--no-peer", action="store_true", help="leave out the peer")
    parser.add_argument("--json", action="store_true", help="print JSON")
    chosen = parser.parse_args()
    report: dict[str, dict[str, float]] = {}
    with ExitStack() as stack:
        ours, floor = (stack.enter_context(tempfile.TemporaryDirectory()) for _ in range(2))
        flags = ("--port", "0", "--data", ours, "--exit-when-stdin-closes")
        servers = {
            "emulator": stack.enter_context(serving("emulators.cosmos", *flags)),
            "floor": stack.enter_context(serving("bench.floor", "--data", floor)),
        }
        if not chosen.no_peer:
            servers["peer"] = stack.enter_context(peer_server())
        for name, operation in OPERATIONS.items():
            costs = measure(servers, operation, chosen.rounds, chosen.calls)
            report[name] = {f"of the {each}": costs["emulator"] / costs[each] for each in costs if each != "emulator"}
            report[name] |= {f"{each} µs": figure for each, figure in costs.items()}
            if not chosen.json:
                told = ", ".join(f"{each} {figure:.2f}" for each, figure in report[name].items())
                print(f"{name:<12} {told}", flush=True)
    if chosen.json:
        print(json.dumps(report, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
