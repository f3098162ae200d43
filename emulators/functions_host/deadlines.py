"""functionTimeout: ends invocations that have run for too long.

All invocations of a host have the same limit, so the oldest expires first and one watcher serves them all. The limit
goes by the host's clock. A function that holds the event loop keeps the watcher from running: for that there is a guard
in a thread of its own, which goes by real seconds. Knows tasks, not functions.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from datetime import timedelta

from emulators.base.clock import Clock
from emulators.functions_host.dates import parse_time_span, time_span
from emulators.functions_host.errors import StartError
from emulators.functions_host.limits import (
    BLOCKED_POLL_SECONDS,
    BLOCKED_SECONDS_MAX,
    FUNCTION_TIMEOUT_SECONDS_DEFAULT,
    FUNCTION_TIMEOUT_SECONDS_MIN,
)
from emulators.functions_host.settings import Configuration

UNBOUNDED = timedelta(days=-1)
"""What "-1" means as a .NET TimeSpan."""


class Deadlines:
    """Cancels the task of each invocation that is older than `seconds_max`; None for no limit."""

    def __init__(self, seconds_max: float | None, clock: Clock, blocked: Callable[[str], None] | None = None) -> None:
        """`blocked` is called, in a thread, with an invocation that holds the event loop beyond its deadline."""
        self._seconds_max = seconds_max
        self._clock = clock
        self._running: dict[str, tuple[float, asyncio.Task[object], float]] = {}
        """By invocation: when it expires by the host's clock, its task, when it is overdue in real seconds."""
        self._expired: set[str] = set()
        self._watcher: asyncio.Task[None] | None = None
        self._blocked = blocked
        self._guard: threading.Thread | None = None
        self._closed = threading.Event()

    @property
    def told(self) -> str:
        """The limit as the host writes it."""
        return time_span(timedelta(seconds=self._seconds_max or 0))

    def begin(self, invocation_id: str) -> None:
        """Watch what the current task does until `end`."""
        task = asyncio.current_task()
        if self._seconds_max is None or task is None:
            return
        overdue = time.monotonic() + self._seconds_max + BLOCKED_SECONDS_MAX
        self._running[invocation_id] = (self._clock.now() + self._seconds_max, task, overdue)
        if self._guard is None and self._blocked is not None:
            self._guard = threading.Thread(target=self._watch_loop, args=(self._blocked,), daemon=True)
            self._guard.start()
        if self._watcher is None or self._watcher.done():
            self._watcher = asyncio.create_task(self._watch())

    def end(self, invocation_id: str) -> None:
        """The invocation has ended."""
        self._running.pop(invocation_id, None)

    def take_expired(self, invocation_id: str) -> bool:
        """Whether the invocation was ended by its deadline; the cancellation is then taken back."""
        if invocation_id not in self._expired:
            return False
        self._expired.discard(invocation_id)
        task = asyncio.current_task()
        assert task is not None
        task.uncancel()
        return True

    def close(self) -> None:
        """Watch no longer."""
        self._closed.set()
        if self._watcher is not None:
            self._watcher.cancel()

    async def _watch(self) -> None:
        while self._running:
            oldest, (moment, task, _) = next(iter(self._running.items()))
            if moment <= self._clock.now():
                del self._running[oldest]
                self._expired.add(oldest)
                task.cancel()
            else:
                await self._clock.sleep_until(moment)

    def _watch_loop(self, blocked: Callable[[str], None]) -> None:
        while not self._closed.wait(BLOCKED_POLL_SECONDS):
            try:
                oldest, (_, _, overdue) = next(iter(self._running.items()))
            except (StopIteration, RuntimeError):  # none runs; the loop has changed the table meanwhile
                continue
            if time.monotonic() > overdue:
                blocked(oldest)
                return


def read_time_limit(host: Configuration) -> float | None:
    """Seconds that an invocation may take by host.json's `functionTimeout`, or None. Raises StartError."""
    text = host.text("functionTimeout")
    if not text:
        return FUNCTION_TIMEOUT_SECONDS_DEFAULT
    try:
        limit = parse_time_span(text)
    except ValueError as refusal:
        raise StartError(f"host.json: functionTimeout: {refusal}") from refusal
    if limit == UNBOUNDED:
        return None
    if limit.total_seconds() < FUNCTION_TIMEOUT_SECONDS_MIN:
        raise StartError(
            "host.json: FunctionTimeout must be greater than "
            f'{time_span(timedelta(seconds=FUNCTION_TIMEOUT_SECONDS_MIN))}, or "-1" for no limit; got {text!r}.'
        )
    return limit.total_seconds()
