"""A clock that can be turned."""

from __future__ import annotations

import asyncio

import pytest

from emulators.base.clock import Clock, stopped_clock


async def test_sleepers_wake_in_order_when_the_clock_is_turned() -> None:
    """Turning the clock wakes those whose moment has come, and nobody else."""
    clock = stopped_clock(0.0)
    woken: list[int] = []

    async def sleeper(seconds: int) -> None:
        await clock.sleep(seconds)
        woken.append(seconds)

    tasks = [asyncio.create_task(sleeper(seconds)) for seconds in (30, 10, 20)]
    await asyncio.sleep(0)
    clock.advance(20)
    await asyncio.gather(tasks[1], tasks[2])
    assert woken == [10, 20]
    clock.advance(10)
    await tasks[0]
    assert woken == [10, 20, 30]
    assert clock.now() == 30


async def test_a_running_clock_also_wakes_by_itself() -> None:
    """Without being turned, a sleep ends when real time has passed."""
    clock = Clock()
    before = clock.now()
    await clock.sleep(0.01)
    assert clock.now() >= before + 0.01


async def test_a_cancelled_sleeper_leaves_no_trace() -> None:
    """Cancelling a sleep does not disturb the others."""
    clock = stopped_clock(0.0)
    cancelled, other = asyncio.create_task(clock.sleep(5)), asyncio.create_task(clock.sleep(5))
    await asyncio.sleep(0)
    cancelled.cancel()
    await asyncio.sleep(0)
    clock.advance(5)
    await other
    assert cancelled.cancelled()


def test_a_turn_backwards_is_refused() -> None:
    """Time never runs backwards."""
    with pytest.raises(ValueError, match="between 0"):
        stopped_clock().advance(-1)
