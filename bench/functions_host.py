"""`python -m bench.functions_host`: the Functions host beside the same handlers as raw ASGI on uvicorn.

Start to first answer, CPU per request of async and sync functions, two worker processes against one, reload. Rounds
alternate between the sides, so that a machine that slows down slows both; a figure is the median of the rounds.
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
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import psutil

from bench.raw_asgi import WORK_ROUNDS

IN_FLIGHT = 16
POLL_SECONDS = 0.005
SPARE_SECONDS = 2.0
"""After that a host's spare process, which a reload will need, has its imports done and uses no core."""
WORK_SHARE = 16
"""One call in so many is made of the function that computes: it takes that much longer."""
HOST = ("emulators.functions_host", "start", "--port", "0", "--exit-when-stdin-closes", "--user-log-level", "none")
REFERENCE = ("bench.raw_asgi",)
SOURCE = f"""
import hashlib
import azure.functions as func
app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

@app.route("hello")
async def Hello(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("hello")

@app.route("sync")
def Sync(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("hello")

@app.route("work")
async def Work(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(hashlib.pbkdf2_hmac("sha256", b"", b"", {WORK_ROUNDS}).hex())
"""


class Server:
    """A server's process, with its children."""

    def __init__(self, root: Path, words: tuple[str, ...], environment: Mapping[str, str]) -> None:
        self._began = time.perf_counter()
        self.process = subprocess.Popen(
            [sys.executable, "-m", *words],
            cwd=root,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent), **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout
        for line in self.process.stdout:
            if line.startswith("ready "):
                self.url = line.split()[1]
                break
        self.start_seconds = 0.0

    async def first_answer(self, path: str) -> None:
        """Note when it has answered for the first time."""
        async with aiohttp.ClientSession() as session, session.get(self.url + path) as answer:
            answer.raise_for_status()
        self.start_seconds = time.perf_counter() - self._began

    def cpu_seconds(self) -> float:
        """What the process and its children have spent."""
        top = psutil.Process(self.process.pid)
        return sum(sum(each.cpu_times()[:2]) for each in (top, *top.children(recursive=True)))

    def end(self) -> None:
        """Close its stdin and wait."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


@contextmanager
def serving(root: Path, words: tuple[str, ...], **environment: str) -> Iterator[Server]:
    """A server that has answered; it ends with the block."""
    server = Server(root, words, environment)
    try:
        asyncio.run(server.first_answer("/api/hello"))
        yield server
    finally:
        server.end()


async def load(url: str, calls: int) -> float:
    """Calls per second with IN_FLIGHT of them under way, each connection kept."""
    left = iter(range(calls))
    async with aiohttp.ClientSession() as session:

        async def client() -> None:
            for _ in left:
                async with session.get(url) as answer:
                    await answer.read()

        began = time.perf_counter()
        await asyncio.gather(*(client() for _ in range(IN_FLIGHT)))
        return calls / (time.perf_counter() - began)


def cpu_per_call(server: Server, path: str, calls: int) -> float:
    """CPU seconds of the server per call."""
    asyncio.run(load(server.url + path, calls // 10))
    before = server.cpu_seconds()
    asyncio.run(load(server.url + path, calls))
    return (server.cpu_seconds() - before) / calls


def reload_seconds(root: Path, server: Server, version: str) -> float:
    """From the save to the first answer of the new code."""

    async def until_new() -> float:
        began = time.perf_counter()
        (root / "function_app.py").write_text(SOURCE.replace('HttpResponse("hello")', f'HttpResponse("{version}")'))
        async with aiohttp.ClientSession() as session:
            while True:
                async with session.get(server.url + "/api/hello") as answer:
                    if await answer.text() == version:
                        return time.perf_counter() - began
                await asyncio.sleep(POLL_SECONDS)

    return asyncio.run(until_new())


def measure(rounds: int, calls: int) -> dict[str, list[float]]:
    """All figures, one value a round."""
    figures: dict[str, list[float]] = {name: [] for name in LIMITS}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "function_app.py").write_text(SOURCE)
        (root / "host.json").write_text('{"version": "2.0"}')
        for number in range(rounds):
            with serving(root, REFERENCE) as reference, serving(root, HOST) as host:
                figures["start to first answer"].append(host.start_seconds / reference.start_seconds)
                raw = cpu_per_call(reference, "/api/hello", calls)
                figures["CPU, async function"].append(cpu_per_call(host, "/api/hello", calls) / raw)
                figures["CPU, sync function"].append(cpu_per_call(host, "/api/sync", calls) / raw)
                one = asyncio.run(load(host.url + "/api/work", calls // WORK_SHARE))
            with serving(root, HOST, FUNCTIONS_WORKER_PROCESS_COUNT="2") as pair:
                time.sleep(SPARE_SECONDS)
                figures["two workers against one"].append(
                    asyncio.run(load(pair.url + "/api/work", calls // WORK_SHARE)) / one
                )
            with serving(root, HOST) as host:
                time.sleep(SPARE_SECONDS)
                figures["reload, seconds"].append(reload_seconds(root, host, f"v{number}"))
            (root / "function_app.py").write_text(SOURCE)
    return figures


LIMITS = {
    "start to first answer": "at most 1.8",
    "CPU, async function": "at most 2.5",
    "CPU, sync function": "at most 4",
    "two workers against one": "at least 1.6",
    "reload, seconds": "at most 1",
}
"""What issue 7 asks for."""


def main() -> int:
    """Print one line a figure: the median of the rounds, and their spread."""
    parser = argparse.ArgumentParser(prog="python -m bench.functions_host", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each side (default %(default)s)")
    parser.add_argument("--calls", type=int, default=4000, help="calls per round (default %(default)s)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    chosen = parser.parse_args()
    figures = measure(chosen.rounds, chosen.calls)
    report: dict[str, Any] = {
        name: {"median": statistics.median(values), "min": min(values), "max": max(values)}
        for name, values in figures.items()
    }
    if chosen.json:
        print(json.dumps(report, indent=2))
        return 0
    print(f"Functions host beside raw ASGI on uvicorn, {IN_FLIGHT} connections")
    for name, values in report.items():
        print(
            f"  {name:<24} {values['median']:.2f}  ({values['min']:.2f} to {values['max']:.2f}; asked: {LIMITS[name]})"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
