"""What Event Grid has still to deliver."""

from __future__ import annotations

import aiohttp

from emulators.base.control import CONTROL_HEADER
from local.stack import Stack


async def undelivered(stack: Stack) -> int:
    """How many deliveries wait, of all subscriptions."""
    async with (
        aiohttp.ClientSession(headers={CONTROL_HEADER: "1"}) as session,
        session.get(f"{stack.url('eventgrid')}/_emulator/topics") as answer,
    ):
        topics = (await answer.json())["value"]
    return sum(int(each["waiting"]) for topic in topics for each in topic["eventSubscriptions"])
