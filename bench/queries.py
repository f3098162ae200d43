"""`python -m bench.queries`: how queries grow with their container, each figure a ratio within one run.

Two containers of one emulator, a small and a large one, get documents of one kind; requests alternate between what is
compared, so that a machine that slows down slows both.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from email.utils import formatdate
from pathlib import Path
from typing import Any

import aiohttp
import apsw
import orjson

from bench.processes import serving
from emulators.cosmos.sql.statement import prepare
from tests.emulators.cosmos.http import authorization

SMALL, LARGE = "small", "large"
BATCH = 100
PAGE = 100
NEEDLE = "needle"
QUERY = {"content-type": "application/query+json", "x-ms-documentdb-isquery": "true"}
CROSS = {**QUERY, "x-ms-documentdb-query-enablecrosspartition": "true", "x-ms-max-item-count": str(PAGE)}


class Account:
    """Signed requests to an emulator."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self._url = url
        self._session = session

    async def send(self, method: str, path: str, body: Any, headers: Mapping[str, str] | None = None) -> bytes:
        """One request; its answer must be a success."""
        date = formatdate(usegmt=True)
        signed = {"x-ms-date": date, "x-ms-version": "2020-07-15", "authorization": authorization(method, path, date)}
        async with self._session.request(
            method, f"{self._url}/{path}", data=orjson.dumps(body), headers={**signed, **(headers or {})}
        ) as answer:
            content = await answer.read()
            if answer.status >= 300:
                raise RuntimeError(f"{method} {path}: {answer.status} {content[:300]!r}")
            return content

    async def query(self, container: str, text: str, **parameters: Any) -> int:
        """The first page of a query: how many results it has."""
        given = [{"name": f"@{name}", "value": value} for name, value in parameters.items()]
        page = await self.send("POST", f"dbs/bench/colls/{container}/docs", {"query": text, "parameters": given}, CROSS)
        return int(orjson.loads(page)["_count"])


def documents(count: int) -> list[dict[str, Any]]:
    """Documents of about 500 bytes; one in a thousand holds the needle."""
    chance = random.Random(1)
    return [
        {
            "id": f"d{number}",
            "pk": f"p{number // BATCH}",
            "number": number,
            "city": f"c{chance.randrange(count // 10)}",
            "price": round(chance.random() * count, 3),
            "text": " ".join(["lorem ipsum dolor"] * 15 + ([NEEDLE] if number % 1000 == 7 else [])),
        }
        for number in range(count)
    ]


async def fill(account: Account, container: str, count: int) -> None:
    """Make a container with so many documents, by batches of one partition key each."""
    await account.send("POST", "dbs/bench/colls", {"id": container, "partitionKey": {"paths": ["/pk"], "kind": "Hash"}})
    made = documents(count)
    for start in range(0, count, BATCH):
        batch = made[start : start + BATCH]
        await account.send(
            "POST",
            f"dbs/bench/colls/{container}/docs",
            [{"operationType": "Create", "resourceBody": each} for each in batch],
            {
                "x-ms-cosmos-is-batch-request": "True",
                "x-ms-cosmos-batch-atomic": "True",
                "x-ms-documentdb-partitionkey": json.dumps([batch[0]["pk"]]),
            },
        )


async def alternating(rounds: int, *calls: Callable[[int], Awaitable[Any]]) -> list[float]:
    """The median seconds of each call over rounds in which all take turns."""
    taken: list[list[float]] = [[] for _ in calls]
    for number in range(rounds):
        for call, times in zip(calls, taken, strict=True):
            began = time.perf_counter()
            await call(number)
            times.append(time.perf_counter() - began)
    return [statistics.median(times) for times in taken]


async def growth(account: Account, rounds: int) -> dict[str, float]:
    """p50 in the large container to p50 in the small one."""
    texts = {
        "equality": ("SELECT * FROM c WHERE c.city = @city", lambda number: {"city": f"c{number}"}),
        "range": (
            "SELECT * FROM c WHERE c.price >= @low AND c.price < @high",
            lambda number: {"low": number, "high": number + 10},
        ),
    }
    report = {}
    for name, (text, parameters) in texts.items():
        calls = [
            lambda number, where=where, text=text, parameters=parameters: account.query(
                where, text, **parameters(number)
            )
            for where in (SMALL, LARGE)
        ]
        await alternating(2, *calls)
        small, large = await alternating(rounds, *calls)
        report[f"{name}: p50 large to small"] = large / small
    return report


async def order(account: Account, rounds: int) -> dict[str, float]:
    """The first page of an ordered query to that of an unordered one."""
    calls = [
        lambda number, text=text: account.query(LARGE, text)
        for text in ("SELECT * FROM c", "SELECT * FROM c ORDER BY c.price", "SELECT * FROM c ORDER BY c.price DESC")
    ]
    await alternating(2, *calls)
    plain, upwards, downwards = await alternating(rounds, *calls)
    return {"ORDER BY: first page to an unordered one": upwards / plain, "ORDER BY DESC: the same": downwards / plain}


async def scan(account: Account, file: Path, count: int, rounds: int) -> dict[str, float]:
    """Loading and filtering in Python to queries whose predicates no index serves: of numbers, and in a text."""
    top = sorted(each["price"] for each in documents(count))[-50] * 2

    def numbers(document: dict[str, Any]) -> bool:
        return bool(document.get("price", 0) * 2 > top)

    def words(document: dict[str, Any]) -> bool:
        return NEEDLE in document.get("text", "")

    predicates = {
        "numbers": (f"c.price * 2 > {top}", numbers),
        "words": (f"CONTAINS(c.text, '{NEEDLE}')", words),
    }
    report = {}
    for name, (predicate, holds) in predicates.items():

        async def here(_: int, holds: Callable[[dict[str, Any]], bool] = holds) -> None:
            connection = apsw.Connection(str(file), flags=apsw.SQLITE_OPEN_READONLY)
            rows = connection.execute("SELECT CAST(json(body) AS BLOB) FROM document")
            assert [each for (body,) in rows if holds(each := orjson.loads(body))]
            connection.close()

        async def there(_: int, predicate: str = predicate) -> None:
            await account.query(LARGE, f"SELECT VALUE c.id FROM c WHERE {predicate}")

        python, query = await alternating(rounds, here, there)
        report[f"scan by {name}: Python's time to the query's"] = python / query
    return report


def parsing() -> dict[str, float]:
    """Preparing a text for the first time to preparing it again."""
    texts = [f"SELECT c.id, c.a FROM c WHERE c.a = {number} AND c.b IN (1, 2) ORDER BY c.a" for number in range(200)]
    began = time.perf_counter()
    for text in texts:
        prepare(text)
    first = time.perf_counter() - began
    began = time.perf_counter()
    for text in texts:
        prepare(text)
    return {"prepare: first time to seen before": first / (time.perf_counter() - began)}


async def run(count: int, rounds: int) -> dict[str, float]:
    """All figures."""
    with (
        tempfile.TemporaryDirectory() as data,
        serving("emulators.cosmos", "--port", "0", "--data", data, "--exit-when-stdin-closes") as emulator,
    ):
        async with aiohttp.ClientSession() as session:
            account = Account(emulator.url, session)
            await account.send("POST", "dbs", {"id": "bench"})
            await fill(account, SMALL, max(count // 100, BATCH))
            await fill(account, LARGE, count)
            report = await growth(account, rounds)
            report |= await order(account, rounds)
            report |= await scan(account, Path(data) / "cosmos.sqlite", count, max(rounds // 10, 3))
    return report | parsing()


def main() -> int:
    """Print one line a figure."""
    parser = argparse.ArgumentParser(prog="python -m bench.queries", description=__doc__)
    parser.add_argument("--documents", type=int, default=100_000, help="in the large container (default %(default)s)")
    parser.add_argument("--rounds", type=int, default=50, help="requests of each kind (default %(default)s)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    chosen = parser.parse_args()
    report = asyncio.run(run(chosen.documents, chosen.rounds))
    if chosen.json:
        print(json.dumps(report, indent=2))
        return 0
    for name, ratio in report.items():
        print(f"{name:<45} {ratio:8.2f}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
