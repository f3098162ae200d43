"""Puts load, disasters and judgement together, and tells how it ended."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import aiohttp
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from local.chaos.disasters import Disasters
from local.chaos.judgement import Judgement, judge
from local.chaos.load import Load, drive
from local.chaos.tally import Tally
from local.client import OrderService
from local.stack import Options, free_ports, running_stack

CLIENTS = 16
SHOWN_MAX = 20


async def chaos(*, minutes: float, seed: int, kill_share: float, as_json: bool) -> int:
    """Let it happen in a throw-away stack; 0 when nothing was lost, doubled or diverged."""
    console = Console(stderr=True)
    load = Load()
    with tempfile.TemporaryDirectory(prefix="chaos-") as directory:
        options = Options(Path(directory), ports=free_ports(), quiet=True)
        async with (
            running_stack(options) as stack,
            OrderService(stack.url("functions")) as service,
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session,
        ):
            disasters = Disasters(stack, session, random.Random(seed), kill_share)  # noqa: S311 - repeatable
            tally = Tally()
            looking = asyncio.create_task(tally.look(session, stack.url("eventgrid")))
            try:
                seconds = await _storm(service, load, disasters, minutes=minutes, seed=seed, console=console)
                if stack.supervisor.failed.done():
                    stack.supervisor.failed.result()  # a service that could not be revived is a failure of its own
                console.print("healing, and waiting until nothing is in flight …")
                found = await judge(stack, session, load)
            finally:
                looking.cancel()
    report = _report(load, disasters, found, tally, seconds)
    if as_json:
        json.dump(report, sys.stdout, indent=2)
        print()
    else:
        _show(report)
    return 0 if found.holds else 1


async def _storm(
    service: OrderService, load: Load, disasters: Disasters, *, minutes: float, seed: int, console: Console
) -> float:
    began = time.monotonic()
    until = began + minutes * 60
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn(), TextColumn("{task.fields[note]}"))
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(f"chaos, seed {seed}", total=minutes * 60, note="")

        def advance() -> None:
            note = f"{load.sent} commands, {disasters.kills} kills"
            progress.update(task, completed=time.monotonic() - began, note=note)

        def goes_on() -> bool:
            return time.monotonic() < until

        async def strike() -> None:
            while goes_on():
                await disasters.pause()
                await disasters.strike()
                advance()

        striking = asyncio.create_task(strike())
        try:
            await drive(service, load, clients=CLIENTS, seed=seed, goes_on=goes_on, advance=advance)
        finally:
            striking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await striking
    return time.monotonic() - began


def _report(load: Load, disasters: Disasters, found: Judgement, tally: Tally, seconds: float) -> dict[str, Any]:
    return {
        "seconds": round(seconds, 1),
        "commandsSent": load.sent,
        "accepted": len(load.accepted),
        "refused": sum(load.answers.values()) - len(load.accepted) - len(load.unknown),
        "unanswered": len(load.unknown),
        "answers": dict(sorted(load.answers.items())),
        "kills": disasters.kills,
        "disasters": dict(sorted(disasters.done.items())),
        "eventGrid": dict(sorted(tally.totals.items())),
        "redriven": found.redriven,
        "lost": found.lost,
        "doubled": found.doubled,
        "mistold": found.mistold,
        "verify": {"exitCode": found.verify_code, **found.verified},
        "holds": found.holds,
    }


def _show(report: dict[str, Any]) -> None:
    table = Table("what", "how many", title="chaos", title_justify="left")
    for name in ("commandsSent", "accepted", "refused", "unanswered", "kills", "redriven"):
        table.add_row(name, str(report[name]))
    for name, count in report["disasters"].items():
        table.add_row(f"  {name}", str(count))
    for name, count in report["eventGrid"].items():
        table.add_row(f"  Event Grid: {name}", str(count))
    for name in ("lost", "doubled", "mistold"):
        table.add_row(name, str(len(report[name])), style="red" if report[name] else "green")
    table.add_row(
        "diverged", str(report["verify"]["diverged"]), style="red" if report["verify"]["diverged"] else "green"
    )
    console = Console()
    console.print(table)
    for name in ("lost", "doubled", "mistold"):
        for each in report[name][:SHOWN_MAX]:
            console.print(f"[red]{name}: {each}")
    console.print("[green]nothing is lost, doubled or diverged" if report["holds"] else "[red]it does not hold")
