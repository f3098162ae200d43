"""One worker process as the supervisor sees it: started, given its order, asked and told, stopped.

What it is asked is the supervisor's business, what it answers the worker's.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from emulators.base.doorway import Doorway
from emulators.functions_host.channel import Channel, ChannelClosed, open_channel
from emulators.functions_host.debugging import Debugger
from emulators.functions_host.limits import DRAIN_SECONDS_MAX, WORKER_ANSWER_SECONDS_MAX
from emulators.functions_host.order import StartOrder, hand_over

KILL_AFTER_SECONDS = DRAIN_SECONDS_MAX + 5.0
"""How long a worker may take to drain and exit before it is killed: our choice, the drain and then some."""

Asked = Callable[["WorkerProcess", str, Mapping[str, Any]], Awaitable[Any]]


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
    debugger: Debugger | None = None
    tolerates_failure: bool = False
    """Whether the host runs on, without functions, when the app cannot be indexed at its start."""


class WorkerProcess:
    """A running worker. Until it is given an order it only has its imports done, and waits."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        sockets: Mapping[str, Mapping[str, Any]],
        channel_end: socket.socket,
        asked: Asked,
        doorway: Doorway | None,
    ) -> None:
        """`sockets` are what it has been handed over, by their names in its order."""
        self._process = process
        self._sockets = sockets
        self.doorway = doorway
        self._channel_end = channel_end
        self._asked = asked
        self._channel: Channel | None = None
        self._loaded: asyncio.Future[Mapping[str, Any]] = asyncio.get_running_loop().create_future()
        self.exited = asyncio.create_task(process.wait())

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    async def load(self, plan: Plan, number: int, *, tolerates_failure: bool) -> str:
        """Let it import the app as worker `number`; what was wrong with the app, if that is tolerated.

        Raises WorkerFailed.
        """
        order = replace(
            plan.order,
            control=self._sockets["control"],
            listener=self._sockets.get("listener", {}),
            doorway=self._sockets.get("doorway", {}),
            number=number,
            tolerates_failure=tolerates_failure,
        )
        assert self._process.stdin is not None
        with contextlib.suppress(ConnectionError):  # it has ended: `exited` tells
            self._process.stdin.write(order.encode())
        self._channel = await open_channel(self._channel_end, self._answer)
        waits_for_debugger = plan.debugger is not None and plan.debugger.waits
        seconds_max = None if waits_for_debugger else plan.start_seconds_max
        await asyncio.wait((self._loaded, self.exited), timeout=seconds_max, return_when=asyncio.FIRST_COMPLETED)
        if self.exited.done():
            await self._channel.heard_out()  # its last words may be on their way
        if not self._loaded.done():
            raise WorkerFailed(self._why_it_never_loaded(plan))
        loaded = self._loaded.result()
        wrong = "\n".join(part for part in (loaded["report"], loaded["failed"]) if part)
        if wrong and not loaded["serves"]:
            raise WorkerFailed(wrong)
        return wrong

    async def ask(self, kind: str, **members: Any) -> Any:
        """What it answers; None when it does not: it is gone, which `exited` tells, or the app blocks it."""
        if self._channel is None:
            return None
        try:
            async with asyncio.timeout(WORKER_ANSWER_SECONDS_MAX):
                return await self._channel.ask(kind, **members)
        except (ChannelClosed, TimeoutError):
            return None

    async def stop(self, seconds_max: float = KILL_AFTER_SECONDS) -> None:
        """Close its stdin, wait until it has drained, kill it when it does not end."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            async with asyncio.timeout(seconds_max if self._loaded.done() else 0):
                await asyncio.shield(self.exited)
        except TimeoutError:
            if not self.exited.done():
                self._process.kill()
            await self.exited
        if self._channel is not None:
            await self._channel.close()
        else:
            self._channel_end.close()

    async def _answer(self, kind: str, members: Mapping[str, Any]) -> Any:
        if kind != "loaded":
            return await self._asked(self, kind, members)
        self._loaded.set_result(members)
        return None

    def _why_it_never_loaded(self, plan: Plan) -> str:
        if self.exited.done():
            return (
                f"The worker process ended with exit code {self.exited.result()} before it was ready. Did the app "
                "call exit while it was imported?"
            )
        return (
            f"The app was not loaded within {plan.start_seconds_max:g} s. "
            "Look for what blocks while function_app.py is imported."
        )


async def spawn(plan: Plan, listener: socket.socket | None, asked: Asked) -> WorkerProcess:
    """A worker process that has been given no order yet. Without a listener it gets a doorway."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    inherited, doorway = {"control": theirs}, None
    if listener is None:
        doorway = Doorway()
        inherited["doorway"] = doorway.inner
    else:
        inherited["listener"] = listener
    names = {member: hand_over(each) for member, each in inherited.items()}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",  # the app's folder comes last on the path, as with the real worker, not first as the cwd would
        *plan.arguments,
        "-m",
        "emulators.functions_host.worker",
        stdin=subprocess.PIPE,
        cwd=plan.root,
        env=dict(plan.environment),
        start_new_session=sys.platform != "win32",  # Ctrl-C is for the supervisor, which stops them in order
        pass_fds=() if sys.platform == "win32" else [each.fileno() for each in inherited.values()],
    )
    sockets = {member: name(process.pid) for member, name in names.items()}
    theirs.close()
    return WorkerProcess(process, sockets, ours, asked, doorway)
