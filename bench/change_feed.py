"""`python -m bench.change_feed`: how long a change waits for its function, as a share of the trigger's poll delay.

An item is written at a random moment of the poll; the figure is the time until the function runs, by the delay. At
most 1 (and what the run itself takes) means that every change is delivered within one poll delay.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import threading
import time

import azure.functions as func
from azure.cosmos import CosmosClient, PartitionKey

from bench.processes import serving
from emulators.cosmos.account import WELL_KNOWN_KEY
from emulators.functions_host.testing import FunctionsTestHost

POLL_SECONDS = 0.5
WAIT_SECONDS_MAX = 10.0


def main() -> int:
    """Print the median, the 95th of a hundred and the worst share."""
    parser = argparse.ArgumentParser(prog="python -m bench.change_feed", description=__doc__)
    parser.add_argument("--changes", type=int, default=40, help="changes to wait for (default %(default)s)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    chosen = parser.parse_args()
    with serving("emulators.cosmos", "--port", "0", "--exit-when-stdin-closes") as emulator:
        shares = measure(emulator.url, chosen.changes)
    ordered = sorted(shares)
    report = {
        "median": statistics.median(ordered),
        "p95": ordered[int(len(ordered) * 0.95)],
        "max": ordered[-1],
    }
    if chosen.json:
        print(json.dumps(report, indent=2))
    else:
        print(f"Change feed trigger, {chosen.changes} changes: wait as a share of a poll delay of {POLL_SECONDS:g} s")
        print("  " + ", ".join(f"{name} {share:.2f}" for name, share in report.items()))
    return 0


def measure(url: str, changes: int) -> list[float]:
    """The wait of each change by the poll delay."""
    arrived = threading.Event()
    app = func.FunctionApp()

    @app.cosmos_db_trigger(
        arg_name="documents",
        connection="Bench",
        database_name="bench",
        container_name="items",
        create_lease_container_if_not_exists=True,
        feed_poll_delay=int(POLL_SECONDS * 1000),
    )
    async def changed(documents: func.DocumentList) -> None:
        arrived.set()

    with CosmosClient(url, WELL_KNOWN_KEY) as client:
        items = client.create_database("bench").create_container("items", PartitionKey("/id"))
        settings = {"Bench": f"AccountEndpoint={url};AccountKey={WELL_KNOWN_KEY};"}
        with FunctionsTestHost(app, settings=settings, listen=True) as host:
            host.wait_until_listening("changed")
            shares = []
            for number in range(changes):
                time.sleep(random.uniform(0, POLL_SECONDS))
                arrived.clear()
                items.create_item({"id": str(number)})
                began = time.perf_counter()
                if not arrived.wait(WAIT_SECONDS_MAX):
                    raise SystemExit(f"change {number} was not delivered within {WAIT_SECONDS_MAX:g} s")
                shares.append((time.perf_counter() - began) / POLL_SECONDS)
            return shares


if __name__ == "__main__":
    sys.exit(main())
