"""`python -m bench.cosmos_size`: how the Cosmos DB emulator bears size: start-up, memory, many containers, many items.

Absolute figures for start-up and memory; for writes the cost of one in a container of a thousand items beside one in a
container that has grown large, in one run. Reads /proc, so it runs on Linux.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from email.utils import formatdate
from typing import Any

import aiohttp
import orjson

from bench.processes import Serving, serving
from tests.emulators.cosmos.http import authorization

TEXT = "x" * 850
"""Makes a stored document of about 1 KB."""
BATCH = 100
IN_FLIGHT = 8
HUNGRY = (
    "SELECT c.id, c.pk FROM c ORDER BY c.id DESC",
    "SELECT c.id, COUNT(1) AS n FROM c GROUP BY c.id",
    "SELECT DISTINCT VALUE c.id FROM c",
)
KEY = {"paths": ["/pk"], "kind": "Hash", "version": 2}


@contextmanager
def emulator(data: str) -> Iterator[tuple[Serving, float]]:
    """An emulator on `data` and the seconds that it took to be ready."""
    began = time.perf_counter()
    with serving("emulators.cosmos", "--port", "0", "--data", data, "--exit-when-stdin-closes") as server:
        yield server, time.perf_counter() - began


class Account:
    """Signed requests to the emulator."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self._url = url
        self._session = session

    async def send(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """One request; its answer must be a success."""
        date = formatdate(usegmt=True)
        signed = {"x-ms-date": date, "x-ms-version": "2020-07-15", "authorization": authorization(method, path, date)}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        data = None if body is None else orjson.dumps(body)
        async with self._session.request(method, f"{self._url}/{path}", data=data, headers=signed | named) as answer:
            content = await answer.read()
            if answer.status >= 300:
                raise RuntimeError(f"{method} {path}: {answer.status} {content[:300]!r}")
            return orjson.loads(content) if content else None

    async def fill(self, container: str, first: int, last: int) -> None:
        """Items `first` to `last` of a container, in batches."""
        starts = iter(range(first, last, BATCH))

        async def worker() -> None:
            for start in starts:
                operations = [
                    {"operationType": "Create", "resourceBody": {"id": f"i{n}", "pk": f"p{start}", "text": TEXT}}
                    for n in range(start, min(start + BATCH, last))
                ]
                await self.send(
                    "POST",
                    f"dbs/d/colls/{container}/docs",
                    operations,
                    x_ms_documentdb_partitionkey=f'["p{start}"]',
                    x_ms_cosmos_is_batch_request="true",
                    x_ms_cosmos_batch_atomic="true",
                )

        await asyncio.gather(*(worker() for _ in range(IN_FLIGHT)))


@asynccontextmanager
async def account(server: Serving) -> AsyncIterator[Account]:
    """A client of a server that has the database d."""
    async with aiohttp.ClientSession() as session:
        made = Account(server.url, session)
        yield made


async def write_cost(server: Serving, client: Account, container: str, first: int, calls: int) -> float:
    """Microseconds of the server's CPU for one create in a container."""
    numbers = iter(range(first, first + calls))

    async def worker() -> None:
        for number in numbers:
            document = {"id": f"w{number}", "pk": f"q{number}", "text": TEXT}
            key = f'["q{number}"]'
            await client.send("POST", f"dbs/d/colls/{container}/docs", document, x_ms_documentdb_partitionkey=key)

    began = server.cpu_seconds()
    await asyncio.gather(*(worker() for _ in range(IN_FLIGHT)))
    return 1e6 * (server.cpu_seconds() - began) / calls


async def memory(server: Serving) -> float:
    """Megabytes resident after 100,000 documents of 1 KB."""
    async with account(server) as client:
        await client.send("POST", "dbs", {"id": "d"})
        await client.send("POST", "dbs/d/colls", {"id": "c", "partitionKey": KEY})
        await client.fill("c", 0, 100_000)
    return server.memory_mib()


async def many_containers(server: Serving, count: int) -> float:
    """CPU for making a container and writing to it: the last hundred's beside the first hundred's."""
    part = min(100, count // 2)
    costs = []
    async with account(server) as client:
        await client.send("POST", "dbs", {"id": "d"})
        for first in range(0, count, part):
            began = server.cpu_seconds()
            for number in range(first, min(first + part, count)):
                await client.send("POST", "dbs/d/colls", {"id": f"c{number}", "partitionKey": KEY})
                document = {"id": "a", "pk": "p", "text": TEXT}
                await client.send("POST", f"dbs/d/colls/c{number}/docs", document, x_ms_documentdb_partitionkey='["p"]')
            costs.append(server.cpu_seconds() - began)
        listed = await client.send("GET", "dbs/d/colls", x_ms_max_item_count="1000")
    if listed["_count"] != count:
        raise RuntimeError(f"{listed['_count']} of {count} containers are listed")
    return costs[-1] / costs[0]


async def growth(server: Serving, items: int, rounds: int) -> float:
    """Cost of a create in a container of `items` over that in one of a thousand, rounds of both in turn."""
    async with account(server) as client:
        await client.send("POST", "dbs", {"id": "d"})
        for name, count in (("small", 1000), ("large", items)):
            await client.send("POST", "dbs/d/colls", {"id": name, "partitionKey": KEY})
            await client.fill(name, 0, count)
        costs: dict[str, list[float]] = {"small": [], "large": []}
        for number in range(rounds):
            for name in costs:
                costs[name].append(await write_cost(server, client, name, number * 1000, 1000))
    return statistics.median(costs["large"]) / statistics.median(costs["small"])


async def query_all(server: Serving) -> float:
    """Most megabytes that were ever resident, after queries that take every item of the large container in at once."""
    async with account(server) as client:
        for query in HUNGRY:
            await client.send(
                "POST",
                "dbs/d/colls/large/docs",
                {"query": query},
                content_type="application/query+json",
                x_ms_documentdb_isquery="true",
                x_ms_documentdb_query_enablecrosspartition="true",
            )
    return server.peak_mib()


def main() -> int:
    """Print one line a figure."""
    parser = argparse.ArgumentParser(prog="python -m bench.cosmos_size", description=__doc__)
    parser.add_argument(
        "--items", type=int, default=1_000_000, help="size of the large container (default %(default)s)"
    )
    parser.add_argument("--containers", type=int, default=1000, help="containers to make (default %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of the comparison (default %(default)s)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    chosen = parser.parse_args()
    figures: dict[str, float] = {}

    def note(what: str, figure: float) -> None:
        figures[what] = figure
        if not chosen.json:
            print(f"{what}: {figure:.2f}", flush=True)

    starts, cpu = [], []
    for _ in range(chosen.rounds):
        with tempfile.TemporaryDirectory() as data, emulator(data) as (server, seconds):
            starts.append(seconds)
            cpu.append(server.cpu_seconds())
    note("start to ready, seconds", statistics.median(starts))
    note("start to ready, seconds of CPU", statistics.median(cpu))
    with tempfile.TemporaryDirectory() as data:
        with emulator(data) as (server, _):
            note("100,000 documents of 1 KB, MiB resident", asyncio.run(memory(server)))
        with emulator(data) as (server, seconds):
            note("opened again, seconds", seconds)
            note("opened again, MiB resident", server.memory_mib())
    with tempfile.TemporaryDirectory() as data, emulator(data) as (server, _):
        name = f"{chosen.containers:,} containers"
        note(
            f"{name}, CPU of making and writing to one beside the first ones'",
            asyncio.run(many_containers(server, chosen.containers)),
        )
        note(f"{name}, MiB resident", server.memory_mib())
    with tempfile.TemporaryDirectory() as data, emulator(data) as (server, _):
        ratio = asyncio.run(growth(server, chosen.items, chosen.rounds))
        note(f"a create among {chosen.items:,} items beside one among 1,000, CPU", ratio)
        note("ORDER BY, GROUP BY, DISTINCT over all of them, most MiB resident", asyncio.run(query_all(server)))
    if chosen.json:
        print(json.dumps(figures, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
