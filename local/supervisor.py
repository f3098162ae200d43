"""Starts processes, streams their output with a coloured prefix, restarts what dies, and stops all in order.

Knows nothing of Azure: what a service is and when it is ready is told by its `Service`. No process outlives this
one: each child ends when the pipe at its stdin closes, which the kernel does even after kill -9.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

START_SECONDS_MAX = 60
"""A service that is not ready by then is given up."""
STOP_SECONDS_MAX = 12
"""Longer than the 10 s in which an emulator drains; then it is killed."""
DEATHS_MAX, DEATHS_WITHIN_SECONDS = 3, 10
"""So many deaths of one service in so short a time stop everything: it will not get better by itself."""
DEATH_IS_SEEN_SECONDS = 2
"""How long after a broken connection the end of the process behind it may take to be noticed."""
LINE_BYTES_MAX = 64 * 1024
LINES_REMEMBERED = 200
COLOURS = (36, 33, 35, 32, 34)


class ServiceFailed(Exception):
    """A service did not start, or keeps dying. The text says which and shows its last words."""


@dataclass(frozen=True, slots=True)
class Service:
    """One process: its command line, what it adds to the environment, the output line that says it is ready.

    Lines that are `chatter` tell a reader nothing and are left out of the stream.
    """

    name: str
    command: list[str]
    is_ready: Callable[[str], bool]
    environment: Mapping[str, str] = field(default_factory=dict)
    directory: Path | None = None
    is_chatter: Callable[[str], bool] = lambda line: False


@dataclass(slots=True)
class _Running:
    service: Service
    process: asyncio.subprocess.Process
    ready: asyncio.Event
    reader: asyncio.Task[None]
    last_words: deque[str]
    deaths: deque[float] = field(default_factory=lambda: deque(maxlen=DEATHS_MAX))
    keeper: asyncio.Task[None] | None = None


class Supervisor:
    """Runs services. `restarted` is awaited after one that died serves again."""

    def __init__(self, *, quiet: bool = False, restarted: Callable[[str], Awaitable[None]] | None = None) -> None:
        self._quiet = quiet
        self.restarted = restarted
        self._running: dict[str, _Running] = {}
        self._coloured = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        self._stopping = False
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Gets a ServiceFailed when a service keeps dying, or cannot be used again after its restart."""
        self.failed.add_done_callback(lambda failed: failed.cancelled() or failed.exception())

    async def start(self, service: Service) -> float:
        """Start `service`, return the seconds it took to be ready. Raises ServiceFailed with its last words."""
        began = time.perf_counter()
        running = await self._spawn(service)
        self._running[service.name] = running
        await self._until_ready(running)
        running.keeper = asyncio.create_task(self._keep(service.name), name=f"keep {service.name}")
        return time.perf_counter() - began

    def process_id(self, name: str) -> int:
        """The process id of a running service."""
        return self._running[name].process.pid

    def is_steady(self, name: str) -> bool:
        """Whether the service serves, and one more death of it would not be one too many."""
        running = self._running[name]
        recent = [each for each in running.deaths if time.monotonic() - each <= DEATHS_WITHIN_SECONDS + 1]
        return running.ready.is_set() and running.process.returncode is None and len(recent) < DEATHS_MAX - 1

    def say(self, name: str, line: str) -> None:
        """Print one line of `name`'s in the common stream."""
        if self._quiet:
            return
        prefix = f"{name:<9} │"
        if self._coloured:
            colour = COLOURS[sum(name.encode()) % len(COLOURS)]
            prefix = f"\x1b[{colour}m{prefix}\x1b[0m"
        print(f"{prefix} {line}", flush=True)

    async def stop(self, order: list[str]) -> None:
        """Ask the services to end in the given order, one after the other; kill one that does not."""
        self._stopping = True
        for name in order:
            if name in self._running:
                await self.take_down(name)

    async def take_down(self, name: str) -> Service:
        """End one service on purpose, so that it is not revived; `start` what this returns to have it again."""
        running = self._running.pop(name)
        if running.keeper:
            running.keeper.cancel()
        await _end(running)
        return running.service

    async def _spawn(self, service: Service) -> _Running:
        process = await asyncio.create_subprocess_exec(
            *service.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=service.directory,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **service.environment},
            # Ctrl-C in the terminal is for us alone: we stop the children in order.
            **({"start_new_session": True} if os.name == "posix" else {"creationflags": 0x200}),
        )
        ready, last_words = asyncio.Event(), deque[str](maxlen=LINES_REMEMBERED)
        reader = asyncio.create_task(self._stream(service, process, ready, last_words))
        return _Running(service, process, ready, reader, last_words)

    async def _stream(
        self, service: Service, process: asyncio.subprocess.Process, ready: asyncio.Event, last_words: deque[str]
    ) -> None:
        assert process.stdout
        async for line in _lines(process.stdout):
            if not ready.is_set() and service.is_ready(line):
                ready.set()
            elif not service.is_chatter(line):
                last_words.append(line)
                self.say(service.name, line)

    async def _until_ready(self, running: _Running) -> None:
        ready = asyncio.create_task(running.ready.wait())
        died = asyncio.create_task(running.process.wait())
        await asyncio.wait((ready, died), timeout=START_SECONDS_MAX, return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        if running.ready.is_set():
            died.cancel()
            return
        name = running.service.name
        if died.done():
            await running.reader
            how = f"{name} ended with exit code {running.process.returncode} before it was ready"
        else:
            died.cancel()
            how = f"{name} was not ready after {START_SECONDS_MAX} s"
        raise ServiceFailed(f"{how}.{self._last_words(running)}")

    def _last_words(self, running: _Running) -> str:
        """For a message: what the service said last, unless everybody has seen it already."""
        return "\n" + "\n".join(running.last_words) if self._quiet else ""

    async def _keep(self, name: str) -> None:
        """Restart the service whenever it dies, until it dies too often."""
        while True:
            running = self._running[name]
            code = await running.process.wait()
            await running.reader
            if self._stopping:
                return
            running.deaths.append(time.monotonic())
            often = len(running.deaths) == DEATHS_MAX
            if often and running.deaths[-1] - running.deaths[0] <= DEATHS_WITHIN_SECONDS:
                how = f"{name} died {DEATHS_MAX} times in {DEATHS_WITHIN_SECONDS} s (last exit code {code})."
                self._give_up(how + self._last_words(running))
                return
            self.say("local", f"{name} died with exit code {code}; starting it again with its data")
            revived = await self._spawn(running.service)
            revived.deaths, revived.keeper = running.deaths, running.keeper
            self._running[name] = revived
            try:
                await self._until_ready(revived)
            except ServiceFailed:
                if revived.process.returncode is None:
                    self._give_up(f"{name} did not become ready again within {START_SECONDS_MAX} s.")
                    return
                continue  # it died again: the loop counts that
            self.say("local", f"{name} serves again")
            if self.restarted and not await self._after_restart(revived):
                return

    async def _after_restart(self, revived: _Running) -> bool:
        """Await `restarted`. False when it failed although the service lives: then nobody can go on."""
        name = revived.service.name
        assert self.restarted
        work = asyncio.ensure_future(self.restarted(name))
        died = asyncio.ensure_future(revived.process.wait())
        await asyncio.wait((work, died), return_when=asyncio.FIRST_COMPLETED)
        if work.done() and work.exception() is not None:
            # The service's own death is often felt by its client first; then it is no failure of the work.
            await asyncio.wait((died,), timeout=DEATH_IS_SEEN_SECONDS)
            if not died.done():
                self._give_up(f"{name} serves again but could not be provisioned: {work.exception()}")
                return False
        work.cancel()
        died.cancel()
        await asyncio.wait((work, died))
        return True

    def _give_up(self, why: str) -> None:
        if not self.failed.done():
            self.failed.set_exception(ServiceFailed(why))


async def _end(running: _Running) -> None:
    process = running.process
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(STOP_SECONDS_MAX):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
    await running.reader


async def _lines(stream: asyncio.StreamReader) -> AsyncIterator[str]:
    """The stream's lines without their ends; one that never ends is cut at LINE_BYTES_MAX."""
    rest = b""
    while chunk := await stream.read(LINE_BYTES_MAX):
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line.rstrip(b"\r").decode("utf-8", "replace")
        if len(rest) >= LINE_BYTES_MAX:
            yield rest.decode("utf-8", "replace")
            rest = b""
    if rest:
        yield rest.decode("utf-8", "replace")
