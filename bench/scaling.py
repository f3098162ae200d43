"""`python -m bench.scaling`: what a command costs as the orders that are there already grow, a thousand to a million.

Commands for new orders run through the whole service on one stack; between the rounds its containers are filled with
orders as commands leave them, by bulk requests. What is compared is the processor time of all processes, the calls and
the request charge of one command, beside those with the fewest orders.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import aiohttp

from bench import page
from bench.cosmos_size import Account
from bench.order_service import COMMANDS, SERVICE, Side, Spent, side
from local.load.deliveries import undelivered
from local.load.lives import life, published_documents
from order_events import OrderStatus
from update_order_status_read_model.documents import history_document, view_document
from update_order_status_read_model.projector import project_all

SIZES = (1_000, 100_000, 1_000_000)
BULK = 100
"""Operations of one request (Azure Cosmos DB service quotas)."""
IN_FLIGHT = 4
SETTLE_SECONDS_MAX = 120.0
WRITE, READ = "orders-write", "orders-read-1"


async def fill(account: Account, database: str, first: int, last: int) -> None:
    """Orders `first` to `last` on both sides, as one command each leaves them."""
    starts = iter(range(first, last, BULK // 2))

    async def worker() -> None:
        for start in starts:
            numbers = range(start, min(start + BULK // 2, last))
            written: dict[str, list[dict[str, Any]]] = {WRITE: [], READ: []}
            for number in numbers:
                for container, documents in _documents(f"there-{number}").items():
                    written[container] += documents
            for container, documents in written.items():
                await _bulk(account, f"dbs/{database}/colls/{container}/docs", documents)

    await asyncio.gather(*(worker() for _ in range(IN_FLIGHT)))


async def _bulk(account: Account, path: str, documents: Sequence[Mapping[str, Any]]) -> None:
    operations = [
        {"operationType": "Create", "partitionKey": json.dumps([each["orderId"]]), "resourceBody": each}
        for each in documents
    ]
    results = await account.send(
        "POST",
        path,
        operations,
        x_ms_documentdb_partitionkeyrangeid="0",
        x_ms_cosmos_is_batch_request="true",
        x_ms_cosmos_batch_atomic="false",
        x_ms_cosmos_batch_continue_on_error="true",
    )
    assert all(each["statusCode"] == 201 for each in results), results[:3]


def _documents(order_id: str) -> dict[str, list[dict[str, Any]]]:
    events = life(order_id, [OrderStatus.CREATED])
    view, entries = project_all(None, events)
    assert view is not None
    shown = [view_document(view, events[0].occurred_at), *(history_document(each) for each in entries)]
    return {WRITE: published_documents(events), READ: shown}


async def measure(sizes: Sequence[int], rounds: int) -> dict[int, Spent]:
    """For each number of orders what a command costs, the median of the rounds."""
    found: dict[int, Spent] = {}
    with tempfile.TemporaryDirectory() as directory:
        async with side(SERVICE, Path(directory)) as running, aiohttp.ClientSession() as session:
            account = Account(running.stack.url("cosmos"), session)
            there = 0
            await _command(running, "warm-")
            for size in sizes:
                await fill(account, running.stack.topology.database, there, size)
                there = size
                costs = [await _command(running, f"new-{size}-{number}-") for number in range(rounds)]
                found[size] = Spent(*(statistics.median(figures) for figures in zip(*costs, strict=True)))
                print(f"{size} orders: {found[size]}", file=sys.stderr, flush=True)
    return found


async def _command(running: Side, prefix: str) -> Spent:
    """The cost of one command and its projection, out of a burst."""
    before = await running.spent()
    await running.burst(prefix)
    async with asyncio.timeout(SETTLE_SECONDS_MAX):
        while await undelivered(running.stack):  # noqa: ASYNC110 - another process works it off
            await asyncio.sleep(0.1)
    return (await running.spent()).since(before, COMMANDS)


def report(found: Mapping[int, Spent]) -> dict[str, Any]:
    """Each size's figures, and what each is to those of the smallest."""
    smallest = next(iter(found.values()))

    def figures() -> Iterator[tuple[str, dict[str, float]]]:
        for size, each in found.items():
            yield (
                str(size),
                {
                    "app CPU ms": round(1000 * each.app_seconds, 2),
                    "emulators CPU ms": round(1000 * each.emulator_seconds, 2),
                    "Cosmos DB calls": round(each.calls, 2),
                    "request units": round(each.units, 2),
                },
            )

    def ratio(of: str) -> float:
        return round(max(_cost(each, of) for each in found.values()) / _cost(smallest, of), 2)

    return {"per command": dict(figures()), **{f"{of} growth": ratio(of) for of in ("CPU", "calls", "units")}}


def _cost(spent: Spent, of: str) -> float:
    return {"CPU": spent.app_seconds + spent.emulator_seconds, "calls": spent.calls, "units": spent.units}[of]


def markdown(found: Mapping[int, Spent]) -> str:
    """Each size's figures as a table."""
    lines = [
        "| orders there already | Cosmos DB calls | request units | app CPU ms | emulators CPU ms |",
        "|---:|---:|---:|---:|---:|",
    ]
    for size, each in found.items():
        cpu = f"{1000 * each.app_seconds:.2f} | {1000 * each.emulator_seconds:.2f}"
        lines.append(f"| {size:,} | {each.calls:.2f} | {each.units:.2f} | {cpu} |")
    return "\n".join(lines)


def main() -> int:
    """Print each size's figures and how much the dearest is above the first."""
    parser = argparse.ArgumentParser(prog="python -m bench.scaling", description=__doc__)
    parser.add_argument("--orders", type=int, nargs="+", default=SIZES, help="sizes, rising (1000 100000 1000000)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds at each size (default %(default)s)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--write", action="store_true", help="put the figures into docs/PERFORMANCE.md")
    chosen = parser.parse_args()
    found = asyncio.run(measure(chosen.orders, chosen.rounds))
    if chosen.write:
        page.put("growth of orders", markdown(found))
    print(json.dumps(report(found), indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
