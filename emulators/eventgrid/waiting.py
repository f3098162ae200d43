"""Waiting for a moment of the clock or for something to change, whichever is first."""

from __future__ import annotations

import asyncio

from emulators.base.clock import Clock


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
