"""A pool of worker processes in which JavaScript is run, so that no script can hold up or take down the server.

A worker serves one script at a time in a context made fresh for it; one that overran its time, ran out of memory or
crashed is ended and another is started when it is needed. None is started before the first script.
"""

from __future__ import annotations

import asyncio
import struct
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import orjson

from emulators.cosmos import limits

_LENGTH = struct.Struct(">I")
_HERE = Path(__file__).parent
_WORKER = _HERE / "worker.py"
_PRELUDE = ("runtime.js", "queries.js")
_GRACE_SECONDS = 1.0
"""How much longer than a script's own limit a worker may be silent before it is ended."""

_START_SECONDS_MAX = 30.0
"""How long the engine's process may take to be ready: our choice, a hundred times what it does."""


class ScriptStopped(Exception):
    """A script that was ended: its time or memory was used up, it does not parse, or it took the engine down."""

    def __init__(self, reason: Literal["time", "memory", "syntax", "script"], text: str = "") -> None:
        super().__init__(f"{reason}: {text}")
        self.reason = reason
        self.text = text


class Session:
    """A context of its own in a worker, and how much time is left in it."""

    def __init__(self, worker: asyncio.subprocess.Process, seconds: float) -> None:
        self._worker = worker
        self._deadline = asyncio.get_running_loop().time() + seconds
        self.reusable = True
        """False once the worker may still be busy, or is not what it was."""

    async def evaluate(self, *sources: str) -> str | None:
        """What the last of `sources` came to, if it is a string. Raises ScriptStopped."""
        left = self._deadline - asyncio.get_running_loop().time()
        self.reusable = False
        if left <= 0:
            raise ScriptStopped("time")
        await _send(self._worker, {"evaluate": sources, "seconds": left})
        try:
            async with asyncio.timeout(left + _GRACE_SECONDS):
                told = await _receive(self._worker)
        except TimeoutError:
            raise ScriptStopped("time") from None
        if told is None:
            raise ScriptStopped("memory")  # V8 ends the process when it cannot have more
        self.reusable = told.get("failed") not in ("time", "memory")
        if "failed" in told:
            raise ScriptStopped(told["failed"], told["text"])
        value: str | None = told["value"]
        return value


class Engine:
    """Lends out sessions, at most so many at once; who comes later waits."""

    def __init__(self, seconds: float = limits.SCRIPT_SECONDS_MAX) -> None:
        self.seconds = seconds
        self._idle: list[asyncio.subprocess.Process] = []
        self._running: set[asyncio.subprocess.Process] = set()
        self._places = asyncio.Semaphore(limits.SCRIPT_WORKERS_MAX)
        self._inner_places = asyncio.Semaphore(limits.SCRIPT_WORKERS_MAX)
        self._prelude = ""

    @asynccontextmanager
    async def session(self, *, inner: bool = False) -> AsyncIterator[Session]:
        """A fresh context for one script. `inner`: on behalf of a script that runs, and must not wait for its like."""
        async with self._inner_places if inner else self._places:
            self._idle = [each for each in self._idle if each.returncode is None]
            worker = self._idle.pop() if self._idle else await self._start()
            self._running.add(worker)
            session: Session | None = None
            try:
                async with asyncio.timeout(_START_SECONDS_MAX):
                    opened = await _receive(worker)
                if opened is None:
                    raise RuntimeError("the process that runs scripts ended at once: is mini-racer installed?")
                session = Session(worker, self.seconds)
                yield session
            finally:
                self._running.discard(worker)
                await self._put_back(worker, reusable=session is not None and session.reusable)

    async def close(self) -> None:
        """End all workers."""
        for worker in (*self._idle, *self._running):
            await _end(worker)
        self._idle.clear()

    async def _put_back(self, worker: asyncio.subprocess.Process, *, reusable: bool) -> None:
        """Ready a worker for its next script while nobody waits for it, or end it."""
        try:
            if reusable:
                await self._open(worker)
                self._idle.append(worker)
                return
        except ScriptStopped:
            pass  # it ended meanwhile
        await _end(worker)

    async def _start(self) -> asyncio.subprocess.Process:
        worker = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",  # nothing beside the worker is a module of its own
            str(_WORKER),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,  # V8 writes pages there when it gives up
        )
        await self._open(worker)
        return worker

    async def _open(self, worker: asyncio.subprocess.Process) -> None:
        if not self._prelude:
            self._prelude = "\n".join((_HERE / name).read_text(encoding="utf-8") for name in _PRELUDE)
        await _send(worker, {"open": {"prelude": self._prelude, "heapBytes": limits.SCRIPT_HEAP_BYTES_MAX}})


async def _send(worker: asyncio.subprocess.Process, message: Any) -> None:
    assert worker.stdin is not None
    payload = orjson.dumps(message)
    worker.stdin.write(_LENGTH.pack(len(payload)) + payload)
    try:
        await worker.stdin.drain()
    except ConnectionError:
        raise ScriptStopped("memory") from None


async def _receive(worker: asyncio.subprocess.Process) -> Any:
    """The next message, None when the worker has ended."""
    assert worker.stdout is not None
    try:
        (size,) = _LENGTH.unpack(await worker.stdout.readexactly(_LENGTH.size))
        if size > limits.SCRIPT_MESSAGE_BYTES_MAX:
            raise ScriptStopped("memory")
        return orjson.loads(await worker.stdout.readexactly(size))
    except asyncio.IncompleteReadError:
        return None


async def _end(worker: asyncio.subprocess.Process) -> None:
    if worker.returncode is None:
        worker.kill()
    await worker.wait()
