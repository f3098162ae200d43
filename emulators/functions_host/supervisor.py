"""Owns the listening socket and the worker processes: starts them, and a new one in the place of each that dies.

It never imports the app. A worker inherits the socket and serves it directly; when the supervisor ends, however it
ends, the workers' stdin closes and they drain and exit.
"""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from emulators.base.clock import Clock
from emulators.base.serving import stop_signals, stop_when_stdin_closes
from emulators.functions_host.console import Console
from emulators.functions_host.limits import (
    CONTROL_LINE_BYTES_MAX,
    DRAIN_SECONDS_MAX,
    WORKER_DEATHS_MAX,
    WORKER_DEATHS_WINDOW_SECONDS,
)
from emulators.functions_host.order import StartOrder, hand_over

KILL_AFTER_SECONDS = DRAIN_SECONDS_MAX + 5.0
"""How long a worker may take to drain and exit before it is killed: our choice, the drain and then some."""
ORPHAN_SECONDS_MAX = KILL_AFTER_SECONDS + 5.0
"""A supervisor whose parent is gone ends itself by then: our choice, the workers' own bound and then some."""


class WorkerFailed(Exception):
    """A worker did not become ready. The text is for the user, the user's own traceback included."""


@dataclass(frozen=True)
class Plan:
    """What every worker is started with; `order` lacks only what differs from worker to worker."""

    root: Path
    environment: Mapping[str, str]
    arguments: tuple[str, ...]
    """Before the worker's module on Python's command line: `--language-worker`."""
    start_seconds_max: float
    order: StartOrder


@dataclass
class WorkerProcess:
    """A running worker and the socket on which it reports. The first one listens to what is not HTTP."""

    process: asyncio.subprocess.Process
    control: socket.socket
    is_first: bool
    reported: bool = False
    """Whether it has said that it serves, or why not: before that it has nothing to drain."""
    exited: asyncio.Task[int] = field(init=False)

    def __post_init__(self) -> None:
        self.exited = asyncio.create_task(self.process.wait())

    async def listen(self) -> None:
        """Let it start what is not HTTP."""
        await asyncio.get_running_loop().sock_sendall(self.control, b"listen\n")

    async def stop(self) -> None:
        """Close its stdin, wait until it has drained, kill it when it does not end."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        try:
            async with asyncio.timeout(KILL_AFTER_SECONDS if self.reported else 0):
                await asyncio.shield(self.exited)
        except TimeoutError:
            if not self.exited.done():
                self.process.kill()
            await self.exited
        self.control.close()


class Supervisor:
    """Keeps the workers of one host."""

    def __init__(self, listener: socket.socket, plan: Plan, console: Console, clock: Clock) -> None:
        self._listener = listener
        self._plan = plan
        self._console = console
        self._clock = clock
        self._workers: list[WorkerProcess] = []
        self._deaths: deque[float] = deque(maxlen=WORKER_DEATHS_MAX)

    async def run(self, ready: Callable[[], None], *, exits_with_stdin: bool) -> int:
        """Start all workers, call `ready`, keep them until stopped; the process's exit code."""
        stop = asyncio.Event()
        with stop_signals(stop):
            if exits_with_stdin:
                stop_when_stdin_closes(stop, seconds_max=ORPHAN_SECONDS_MAX)
            keeping = asyncio.create_task(self._keep(ready))
            stopping = asyncio.create_task(stop.wait())
            try:
                await asyncio.wait((keeping, stopping), return_when=asyncio.FIRST_COMPLETED)
                if keeping.done():
                    await keeping
                return 0
            except WorkerFailed as failure:
                self._console.always(str(failure), "error")
                return 1
            finally:
                keeping.cancel()
                stopping.cancel()
                await asyncio.wait((keeping, stopping))
                self._listener.close()
                await asyncio.gather(*(worker.stop() for worker in self._workers))

    async def _keep(self, ready: Callable[[], None]) -> None:
        """Until cancelled: start the workers, then put a new one in the place of each that dies."""
        for number in range(self._plan.order.processes):
            await self._start(is_first=number == 0, announces=number == 0)
        ready()
        while True:
            await asyncio.wait([worker.exited for worker in self._workers], return_when=asyncio.FIRST_COMPLETED)
            for worker in [each for each in self._workers if each.exited.done()]:
                self._workers.remove(worker)
                worker.control.close()
                self._mourn(worker)
                await self._start(is_first=worker.is_first, announces=False)

    def _mourn(self, worker: WorkerProcess) -> None:
        code = worker.exited.result()
        self._console.always(f"The worker process ended with exit code {code}; a new one is started.", "error")
        now = self._clock.now()
        self._deaths.append(now)
        if len(self._deaths) == WORKER_DEATHS_MAX and now - self._deaths[0] < WORKER_DEATHS_WINDOW_SECONDS:
            raise WorkerFailed(
                f"Exceeded language worker restart retry count for runtime:python: {WORKER_DEATHS_MAX} worker "
                f"processes ended within {WORKER_DEATHS_WINDOW_SECONDS:g} s. The host stops."
            )

    async def _start(self, *, is_first: bool, announces: bool) -> None:
        """Add a worker that serves. Raises WorkerFailed."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        name_listener, name_control = hand_over(self._listener), hand_over(theirs)
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",  # the app's folder comes last on the path, as with the real worker, not first as the cwd would
            *self._plan.arguments,
            "-m",
            "emulators.functions_host.worker",
            stdin=subprocess.PIPE,
            cwd=self._plan.root,
            env=dict(self._plan.environment),
            start_new_session=sys.platform != "win32",  # Ctrl-C is for the supervisor, which stops them in order
            pass_fds=() if sys.platform == "win32" else (self._listener.fileno(), theirs.fileno()),
        )
        worker = WorkerProcess(process, ours, is_first)
        self._workers.append(worker)
        order = replace(
            self._plan.order,
            listener=name_listener(process.pid),
            control=name_control(process.pid),
            announces=announces,
        )
        assert process.stdin is not None
        process.stdin.write(order.encode())
        theirs.close()
        report = await self._first_report(worker)
        worker.reported = True
        if "failed" in report:
            raise WorkerFailed("\n".join(part for part in (report["report"], report["failed"]) if part))
        if is_first:
            await worker.listen()

    async def _first_report(self, worker: WorkerProcess) -> Any:
        loop = asyncio.get_running_loop()
        line = b""
        try:
            async with asyncio.timeout(self._plan.start_seconds_max):
                while not line.endswith(b"\n") and len(line) < CONTROL_LINE_BYTES_MAX:
                    part = await loop.sock_recv(worker.control, 65536)
                    if not part:
                        code = await worker.exited
                        raise WorkerFailed(
                            f"The worker process ended with exit code {code} before it was ready. Did the app call "
                            "exit while it was imported?"
                        )
                    line += part
        except TimeoutError:
            raise WorkerFailed(
                f"The app was not loaded within {self._plan.start_seconds_max:g} s. "
                "Look for what blocks while function_app.py is imported."
            ) from None
        return json.loads(line)
