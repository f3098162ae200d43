"""Keeps listeners going: starts each, and again after a growing wait when it cannot start; stops them all.

What webjobs-sdk's FunctionListener does for a host that starts partially. Knows no trigger.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Protocol, TypeVar

from emulators.base.clock import Clock
from emulators.functions_host.console import Console
from emulators.functions_host.index import Function
from emulators.functions_host.limits import LISTENER_RETRY_SECONDS_MAX, LISTENER_RETRY_SECONDS_MIN
from emulators.functions_host.logs import outside_invocations
from emulators.functions_host.storage import StorageUnavailable

T = TypeVar("T")


async def uninterrupted(work: Awaitable[T]) -> T:
    """Await `work`; a cancellation that comes meanwhile is obeyed when it has ended."""
    running = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        raise


class ListenerUnavailable(Exception):
    """A listener cannot start now, and may later. The text names what it lacks."""


class Listener(Protocol):
    """One function's source of invocations."""

    function: Function

    async def start(self) -> None:
        """Get ready. Raises ListenerUnavailable or StorageUnavailable, and may be called again then."""

    async def run(self) -> None:
        """Invoke the function until cancelled. A run in progress is finished before the cancellation is obeyed."""


class Listeners:
    """All listeners of a worker."""

    def __init__(
        self, listeners: list[Listener], clock: Clock, console: Console, import_clients: Callable[[], None]
    ) -> None:
        """`import_clients` is called in a thread before a listener starts: it takes its time."""
        self._import_clients = import_clients
        self._listeners = listeners
        self._clock = clock
        self._console = console
        self._tasks: list[asyncio.Task[None]] = []
        self.failures: dict[str, str] = {}
        self.running: set[str] = set()

    def start(self) -> None:
        """Start every listener, each on its own; those that are started go on."""
        if self._tasks:
            return
        with outside_invocations():
            for each in self._listeners:
                task = asyncio.create_task(self._keep(each), name=f"listen {each.function.name}")
                task.add_done_callback(partial(self._note_end, each.function.name))
                self._tasks.append(task)

    async def stop(self) -> None:
        """Cancel every listener and wait until its present run has ended."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    def _note_end(self, name: str, task: asyncio.Task[None]) -> None:
        """A listener ends when it is stopped; any other end is a mistake of ours, and is said."""
        self.running.discard(name)
        failure = None if task.cancelled() else task.exception()
        if failure is not None:
            self.failures[name] = f"{type(failure).__name__}: {failure}"
            self._console.always(f"The listener for function 'Functions.{name}' ended: {self.failures[name]}", "error")

    async def _keep(self, listener: Listener) -> None:
        name = listener.function.name
        wait, attempt = LISTENER_RETRY_SECONDS_MIN, 0
        await asyncio.to_thread(self._import_clients)
        while True:
            try:
                await listener.start()
                break
            except (ListenerUnavailable, StorageUnavailable) as failure:
                self.failures[name] = str(failure)
                self._console.always(
                    f"The listener for function 'Functions.{name}' was unable to start. {failure}", "error"
                )
            await self._clock.sleep(wait)
            wait = min(wait * 2, LISTENER_RETRY_SECONDS_MAX)
            attempt += 1
            self._console.system(
                "information", f"Retrying to start listener for function 'Functions.{name}' (Attempt {attempt})"
            )
        if attempt:
            self.failures.pop(name, None)
            self._console.always(
                f"Listener successfully started for function 'Functions.{name}' after {attempt} retries."
            )
        self.running.add(name)
        await listener.run()
