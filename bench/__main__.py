"""`python -m bench`: all benchmarks, or those that are named; each prints ratios to references that it starts itself.

Each is a module of its own with flags of its own: `python -m bench.eventgrid --help`. With --json the figures of all
are one document, and it is kept below bench/results/, which is not committed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
BENCHMARKS: Mapping[str, str] = {
    "order_service": "commands projected a second and lag, beside bare calls, the naive flow and a library",
    "cosmos_rate": "Cosmos DB through the async SDK, beside canned answers",
    "cosmos_cost": "CPU per item operation, beside a floor and @vercel/cosmosdb-server",
    "cosmos_size": "memory, start and writes as the data grows",
    "queries": "how queries grow with their container",
    "eventgrid": "publishing, lag, fan-out and backlog of Event Grid",
    "functions_host": "start, CPU and workers of the Functions host, beside raw ASGI",
    "change_feed": "how long a change waits for its function",
}
"""Modules of this package, and what each measures."""


def main() -> int:
    """Run them one after the other: two at once would measure each other. 1 when one of them failed."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)} (all)")
    parser.add_argument("--json", action="store_true", help="one document with the figures of all")
    chosen = parser.parse_args()
    if unknown := set(chosen.names) - set(BENCHMARKS):
        parser.error(f"there is no benchmark {min(unknown)}; there are {', '.join(BENCHMARKS)}")
    figures: dict[str, Any] = {}
    failed = False
    for name in chosen.names or BENCHMARKS:
        print(f"\n{name}: {BENCHMARKS[name]}", file=sys.stderr, flush=True)
        command = [sys.executable, "-m", f"bench.{name}", *(["--json"] if chosen.json else [])]
        run = subprocess.run(command, check=False, text=True, stdout=subprocess.PIPE if chosen.json else None)
        failed = failed or run.returncode != 0
        if chosen.json and run.returncode == 0:
            figures[name] = json.loads(run.stdout)
    if chosen.json:
        _keep(figures)
    return 1 if failed else 0


def _keep(figures: Mapping[str, Any]) -> None:
    text = json.dumps(figures, indent=2)
    RESULTS.mkdir(exist_ok=True)
    moment = datetime.now(UTC).strftime("%Y-%m-%dT%H%M%SZ")
    (RESULTS / f"{moment}.json").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    sys.exit(main())
