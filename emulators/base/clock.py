"""Time comes in by this door, so that a test or a user can turn it (hours of retries in a second).

Every emulator reads time through its one `Clock` (ruff bans `time.time` elsewhere) and sleeps by it, except where real
seconds are meant.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import formatdate

ADVANCE_SECONDS_MAX = 10 * 365 * 24 * 3600.0
"""The furthest one call may turn the clock: our choice, ten years, so that dates stay four digits long."""


class Clock:
    """The real time plus what it was advanced by.

    `source` gives real seconds since the epoch. A clock whose source never moves (`stopped_clock`) is a manual
    one: sleepers wake by `advance` alone, which is how a simulation owns time.
    """

    def __init__(self, source: Callable[[], float] = time.time, *, runs: bool = True) -> None:
        self._source = source
        self._runs = runs
        self._offset_seconds = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = itertools.count()

    def now(self) -> float:
        """Seconds since the epoch, UTC."""
        return self._source() + self._offset_seconds

    def utc(self) -> datetime:
        """The same moment as an aware datetime in UTC."""
        return datetime.fromtimestamp(self.now(), UTC)

    def http_date(self) -> str:
        """The same moment as RFC 1123 writes it in HTTP headers."""
        return formatdate(self.now(), usegmt=True)

    @property
    def offset_seconds(self) -> float:
        """By how much this clock is ahead of the real one."""
        return self._offset_seconds

    def advance(self, seconds: float) -> None:
        """Turn the clock forward and wake whoever slept until a moment that has now come.

        Raises ValueError for a negative turn (leases and ETags would run backwards) or one over the limit.
        """
        if not 0 <= seconds <= ADVANCE_SECONDS_MAX:
            raise ValueError(f"seconds must be between 0 and {ADVANCE_SECONDS_MAX:.0f}, got {seconds}")
        self._offset_seconds += seconds
        now = self.now()
        while self._sleepers and self._sleepers[0][0] <= now:
            sleeper = heapq.heappop(self._sleepers)[2]
            if not sleeper.done():
                sleeper.set_result(None)

    async def sleep(self, seconds: float) -> None:
        """Return once this clock has moved on by `seconds`, by itself or turned."""
        await self.sleep_until(self.now() + seconds)

    async def sleep_until(self, moment: float) -> None:
        """Return at `moment` (seconds since the epoch) by this clock; at once when it is past."""
        while (left := moment - self.now()) > 0:
            woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            entry = (moment, next(self._order), woken)
            heapq.heappush(self._sleepers, entry)
            try:
                async with asyncio.timeout(left if self._runs else None):
                    await woken
            except TimeoutError:
                pass  # real time has brought the moment; the loop reads the clock again
            finally:
                with contextlib.suppress(ValueError):  # `advance` has already taken it out
                    self._sleepers.remove(entry)
                    heapq.heapify(self._sleepers)
        await asyncio.sleep(0)


def stopped_clock(at: float = 1_700_000_000.0) -> Clock:
    """A clock that stands at `at` (seconds since the epoch) and moves only when advanced."""
    return Clock(lambda: at, runs=False)
