"""`python -m bench`: all benchmarks, or those that are named, and one table of what was reached and what was not.

Each is a module of its own with flags of its own (`python -m bench.eventgrid --help`) that starts its own references
and prints JSON; rounds are told by their median. All figures are one document below bench/results/, which is not
committed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.goals import Row, table

RESULTS = Path(__file__).parent / "results"
BENCHMARKS: Mapping[str, str] = {
    "order_service": "commands projected a second and lag, beside bare calls, the naive flow and a library",
    "scaling": "what a command costs as the orders grow to a million",
    "cosmos_rate": "Cosmos DB through the async SDK, beside canned answers",
    "cosmos_cost": "CPU per item operation, beside a floor and @vercel/cosmosdb-server",
    "cosmos_size": "memory, start and writes as the data grows",
    "queries": "how queries grow with their container",
    "peer": "CPU per query, beside @vercel/cosmosdb-server",
    "eventgrid": "publishing, lag, fan-out and backlog of Event Grid",
    "functions_host": "start, CPU and workers of the Functions host, beside raw ASGI",
    "change_feed": "how long a change waits for its function",
}
"""Modules of this package, and what each measures."""


def main() -> int:
    """Run them one after the other: two at once would measure each other. 1 when one failed or a figure is missing."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)} (all)")
    parser.add_argument("--json", action="store_true", help="one document with the figures of all, instead of a table")
    chosen = parser.parse_args()
    if unknown := set(chosen.names) - set(BENCHMARKS):
        parser.error(f"there is no benchmark {min(unknown)}; there are {', '.join(BENCHMARKS)}")
    reports: dict[str, Any] = {}
    for name in chosen.names or BENCHMARKS:
        print(f"\n{name}: {BENCHMARKS[name]}", file=sys.stderr, flush=True)
        command = [sys.executable, "-m", f"bench.{name}", "--json"]
        run = subprocess.run(command, check=False, text=True, stdout=subprocess.PIPE)
        reports[name] = json.loads(run.stdout) if run.returncode == 0 else None
    text = json.dumps(reports, indent=2)
    kept = _keep(text)
    rows = table(reports)
    if chosen.json:
        print(text)
    else:
        _show(rows)
        print(f"All figures: {kept}")
    return 1 if any(row.measured is None for row in rows) else 0


def _keep(text: str) -> Path:
    RESULTS.mkdir(exist_ok=True)
    moment = datetime.now(UTC).strftime("%Y-%m-%dT%H%M%SZ")
    kept = RESULTS / f"{moment}.json"
    kept.write_text(text, encoding="utf-8")
    return kept


def _show(rows: Sequence[Row]) -> None:
    shown = Table("benchmark", "figure", "measured", "goal", "")
    for row in rows:
        goal = f"{row.goal.bound} {row.goal.value:g}" if row.goal else ""
        measured = "failed" if row.measured is None else f"{row.measured:.2f}"
        verdict = {None: "", True: "[green]met", False: "[red]missed"}[row.met]
        shown.add_row(row.benchmark, row.figure, measured, goal, verdict)
    console = Console()
    console.print(shown)
    with_goal = [row for row in rows if row.goal]
    console.print(f"{sum(1 for row in with_goal if row.met)} of {len(with_goal)} goals are met.")


if __name__ == "__main__":
    sys.exit(main())
