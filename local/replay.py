"""`python -m local replay FILE`: sends a file's orders through the service and proves that both sides agree with it.

Commands of one order go in sequence, orders go side by side. Each command's Idempotency-Key is made from its place
in the file, so that a replay that was cut off can simply be run again.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from local.client import OrderService
from local.write_side import read_write_side

ACCEPTED = (200, 201)
SETTLE_SECONDS_MAX = 300
"""How long the read side may take to catch up after the last command before what is missing counts as different."""
LAG_SECONDS_MAX = 60
DIFFERENCES_SHOWN = 10


@dataclass(slots=True)
class Report:
    """What a replay found. `differences` is empty when file, write side and read side agree on every order."""

    orders: int
    commands: int
    seconds: float = 0.0
    settle_seconds: float = 0.0
    answers: Counter[str] = field(default_factory=Counter)
    lags: list[float] = field(default_factory=list)
    retries: int = 0
    expected: Counter[str] = field(default_factory=Counter)
    written: Counter[str] = field(default_factory=Counter)
    read: Counter[str] = field(default_factory=Counter)
    differences: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """The report as a JSON object: times in seconds, lags in milliseconds."""
        return {
            "orders": self.orders,
            "commands": self.commands,
            "seconds": round(self.seconds, 2),
            "commandsPerSecond": round(self.commands / self.seconds, 1),
            "settleSeconds": round(self.settle_seconds, 2),
            "answers": dict(self.answers),
            "retries": self.retries,
            "lagMilliseconds": {"samples": len(self.lags), "p50": self.lag(50), "p99": self.lag(99)},
            "statuses": {
                status: {"file": self.expected[status], "write": self.written[status], "read": self.read[status]}
                for status in sorted(self.expected | self.written | self.read)
            },
            "differences": self.differences,
        }

    def lag(self, percentile: int) -> float | None:
        """The sampled time from a command's answer until the answer of a query that shows it, in milliseconds."""
        if len(self.lags) < 2:
            return round(self.lags[0] * 1000, 1) if self.lags else None
        return round(statistics.quantiles(self.lags, n=100, method="inclusive")[percentile - 1] * 1000, 1)


async def replay(
    orders: Mapping[str, list[str]],
    service: OrderService,
    settings: Mapping[str, str],
    *,
    concurrency: int,
    console: Console,
) -> Report:
    """Send all commands, wait for the read side, compare all three."""
    report = Report(len(orders), sum(map(len, orders.values())))
    versions: dict[str, int] = {}
    with _progress(console) as progress:
        task = progress.add_task("commands", total=report.commands, note="")
        began = time.perf_counter()
        await _send(orders, service, report, versions, concurrency, lambda: _advance(progress, task, report, began))
        report.seconds = time.perf_counter() - began
        report.retries = service.retries
        task = progress.add_task("read side", total=report.orders, note="")
        began = time.perf_counter()
        views = await _read_views(versions, service, concurrency, lambda: progress.advance(task))
        report.settle_seconds = time.perf_counter() - began
    written = {each.order_id: each for each in await read_write_side(settings)}
    for order_id, statuses in orders.items():
        report.expected[statuses[-1]] += 1
        on_write = written[order_id].status if order_id in written else "missing"
        on_read = views.get(order_id, {}).get("status", "missing")
        report.written[on_write] += 1
        report.read[on_read] += 1
        if not statuses[-1] == on_write == on_read:
            report.differences.append(f"{order_id}: file {statuses[-1]}, write side {on_write}, read side {on_read}")
    return report


async def _send(
    orders: Mapping[str, list[str]],
    service: OrderService,
    report: Report,
    versions: dict[str, int],
    concurrency: int,
    advance: Any,
) -> None:
    waiting = iter(orders.items())
    sampler: asyncio.Task[None] | None = None

    async def sample(order_id: str, version: int) -> None:
        lag = await service.visible(order_id, version, seconds_max=LAG_SECONDS_MAX)
        if lag is not None:
            report.lags.append(lag)

    async def worker() -> None:
        nonlocal sampler
        for order_id, statuses in waiting:
            for number, status in enumerate(statuses):
                answer = await service.update(order_id, status, idempotency_key=f"replay-{number}-{status}")
                replayed = answer.headers.get("Idempotency-Replayed") == "true"
                report.answers["replayed" if replayed else str(answer.status)] += 1
                if answer.status in ACCEPTED:
                    versions[order_id] = answer.body["version"]
                    if sampler is None or sampler.done():  # one at a time: sampling must not be a load of its own
                        sampler = asyncio.create_task(sample(order_id, versions[order_id]))
                advance()

    async with asyncio.TaskGroup() as group:
        for _ in range(concurrency):
            group.create_task(worker())
    if sampler is not None:
        await sampler


async def _read_views(
    versions: Mapping[str, int], service: OrderService, concurrency: int, advance: Any
) -> dict[str, dict[str, Any]]:
    deadline = time.monotonic() + SETTLE_SECONDS_MAX
    waiting = iter(versions.items())
    views: dict[str, dict[str, Any]] = {}

    async def worker() -> None:
        for order_id, version in waiting:
            await service.visible(order_id, version, seconds_max=max(deadline - time.monotonic(), 0.1))
            answer = await service.get(order_id)
            if answer.status == 200:
                views[order_id] = answer.body
            advance()

    async with asyncio.TaskGroup() as group:
        for _ in range(concurrency):
            group.create_task(worker())
    return views


def _progress(console: Console) -> Progress:
    columns = (TextColumn("{task.description:<10}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, TextColumn("{task.fields[note]}"), console=console)


def _advance(progress: Progress, task: Any, report: Report, began: float) -> None:
    done = sum(report.answers.values())
    lag = f" · lag {report.lags[-1] * 1000:.0f} ms" if report.lags else ""
    progress.update(task, advance=1, note=f"{done / (time.perf_counter() - began):.0f}/s{lag}")


def tell(report: Report, *, as_json: bool, console: Console) -> int:
    """Print the report; 0 when nothing differs, else 1."""
    if as_json:
        json.dump(report.as_json(), sys.stdout, indent=2)
        print()
        return 1 if report.differences else 0
    table = Table(
        "status", "file", "write side", "read side", title=f"{report.orders} orders, {report.commands} commands"
    )
    for status, counts in report.as_json()["statuses"].items():
        table.add_row(status, *(str(count) for count in counts.values()))
    console.print(table)
    console.print(f"answers: {dict(report.answers)}, asked again while busy: {report.retries}")
    console.print(
        f"{report.commands / report.seconds:.0f} commands/s in {report.seconds:.1f} s, lag p50 {report.lag(50)} ms, "
        f"p99 {report.lag(99)} ms ({len(report.lags)} samples), read side complete {report.settle_seconds:.1f} s later"
    )
    for difference in report.differences[:DIFFERENCES_SHOWN]:
        console.print(f"[red]differs[/red] {difference}")
    console.print(f"{len(report.differences)} differences" if report.differences else "both sides agree with the file")
    return 1 if report.differences else 0
