"""Runs the operator's commands in this process, on the time of the service, so that a test turns hours in no time."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from emulators.base.ids import Ids
from operations.cli import execute, parse
from operations.output import Outcome
from operations.settings import read_settings
from operations.wiring import Surroundings
from tests.order_service import Service

LIFE = ("created", "approved", "shipped", "delivered")


async def operate(service: Service, *arguments: str, attempts_max: int = 3) -> Outcome:
    """How the command ends, for `service`."""
    time = service.time
    surroundings = Surroundings(time.now, time.sleep, time.sleep, Ids().guid, attempts_max)
    parsed = parse(arguments)
    return await execute(parsed, read_settings(service.settings, parsed.settings, parsed.set), surroundings)


async def live(service: Service, order_id: str, life: tuple[str, ...] = LIFE, *, projected: bool = True) -> None:
    """Let an order take the statuses of `life`; its events are projected, or thrown away."""
    for status in life:
        answer = await service.update(order_id, status)
        assert answer.headers["X-Event-Delivery"] == "sent"
        if projected:
            await service.deliver()
        else:
            await asyncio.to_thread(service.stack.deliveries.get, True, 20)


def later(service: Service, **time: float) -> None:
    """Let time pass, an hour unless told."""
    service.time.at += timedelta(**(time or {"hours": 1}))
