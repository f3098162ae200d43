"""Waiting for a moment of the clock or for a change, and work that goes on whatever happens."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from emulators.base.clock import Clock
from emulators.eventgrid import limits

logger = logging.getLogger("eventgrid")


async def wait(clock: Clock, moment: float | None, changed: asyncio.Event) -> None:
    """Return when `changed` is set, or at `moment` by the clock (None: never)."""
    if moment is None:
        await changed.wait()
        return
    sleeping = asyncio.create_task(clock.sleep_until(moment))
    waking = asyncio.create_task(changed.wait())
    try:
        await asyncio.wait((sleeping, waking), return_when=asyncio.FIRST_COMPLETED)
    finally:
        sleeping.cancel()
        waking.cancel()


async def keep_at(work: Callable[[], Awaitable[None]], what: str) -> None:
    """Do `work`, whose state is all in the store, until cancelled; a defect is told loudly and it begins again."""
    while True:
        try:
            await work()
        except* Exception:
            logger.exception("%s broke; it begins again", what)
        await asyncio.sleep(limits.RESTART_SECONDS)
