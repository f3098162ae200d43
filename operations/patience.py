"""Keeps at a step while the store is throttled or away, with growing pauses. Knows nothing of what the step is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol, TypeVar

from operations.errors import THROTTLED, TRANSIENT
from operations.limits import PAUSE_SECONDS, PAUSE_SECONDS_MAX

Result = TypeVar("Result")


class Named(Protocol):
    """Something about one order."""

    @property
    def order_id(self) -> str:
        """Which."""


Item = TypeVar("Item", bound=Named)


class Patience:
    """Tries `attempts_max` times. Steps must bear to be done again."""

    def __init__(self, sleep: Callable[[float], Awaitable[None]], attempts_max: int) -> None:
        self._sleep = sleep
        self._attempts_max = attempts_max

    async def do(self, step: Callable[[], Awaitable[Result]]) -> Result:
        """What `step` gives. Raises its last failure."""
        attempt = 1
        while True:
            try:
                return await step()
            except TRANSIENT as failure:
                await self._pause(attempt, failure)
                attempt += 1

    async def walk(self, begin: Callable[[str], AsyncIterator[Item]], after: str = "") -> AsyncIterator[Item]:
        """All that `begin` gives behind `after`, begun again behind the last one when it breaks."""
        attempt = 1
        while True:
            try:
                async for item in begin(after):
                    yield item
                    after, attempt = item.order_id, 1
                return
            except TRANSIENT as failure:
                await self._pause(attempt, failure)
                attempt += 1

    async def _pause(self, attempt: int, failure: Exception) -> None:
        if attempt >= self._attempts_max:
            raise failure
        seconds = min(PAUSE_SECONDS * 2 ** (attempt - 1), PAUSE_SECONDS_MAX)
        if isinstance(failure, THROTTLED):
            seconds = max(seconds, min(failure.retry_after_seconds, PAUSE_SECONDS_MAX))
        await self._sleep(seconds)
