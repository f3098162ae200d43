"""After the storm: everything is healed and given time, and then what was promised is held against what is there."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from emulators.base.control import CONTROL_HEADER
from local.chaos.load import Load
from local.operator import operate
from local.stack import Stack, app_settings
from local.write_side import read_write_side

HEAL_SECONDS_MAX = 60.0
"""Until every process serves again."""
HEALTH_POLL_SECONDS = 0.2
VERIFY_SECONDS = 180
"""Until nothing is in flight: the relay's grace and schedule, and Event Grid's first retries."""
TURN_SECONDS = 60.0
"""How far Event Grid's clock is turned at a time, so that what it postponed by minutes comes now."""
TURNS = 6


@dataclass(slots=True)
class Judgement:
    """What became of the accepted commands."""

    lost: list[str] = field(default_factory=list)
    """Accepted and not in the store."""
    doubled: list[str] = field(default_factory=list)
    """In the store more than once."""
    mistold: list[str] = field(default_factory=list)
    """Told another version than the one it made."""
    redriven: int = 0
    verified: dict[str, Any] = field(default_factory=dict)
    """What `operations verify` says."""
    verify_code: int = 0

    @property
    def holds(self) -> bool:
        """Whether nothing is lost, doubled or diverged."""
        return not (self.lost or self.doubled or self.mistold or self.verify_code)


async def judge(stack: Stack, session: aiohttp.ClientSession, load: Load) -> Judgement:
    """Heal, wait, compare. Raises TimeoutError when a service does not come back."""
    await _heal(stack, session)
    found = Judgement()
    for _ in range(TURNS):
        await _control(session, "POST", f"{stack.url('eventgrid')}/_emulator/clock", {"advanceSeconds": TURN_SECONDS})
        await asyncio.sleep(1)
    await operate(stack, "relay")
    redriven = await operate(stack, "redrive", "--send")
    found.redriven = len(redriven.document().get("events", ()))
    verified = await operate(stack, "verify", "--wait", str(VERIFY_SECONDS))
    found.verified, found.verify_code = verified.document(), verified.code
    await _hold_against_store(stack, load, found)
    return found


async def _heal(stack: Stack, session: aiohttp.ClientSession) -> None:
    async with asyncio.timeout(HEAL_SECONDS_MAX):
        for service in ("cosmos", "eventgrid", "functions"):
            prefix = "/admin/emulator" if service == "functions" else "/_emulator"
            while not await _control(session, "GET", f"{stack.url(service)}{prefix}/health"):  # noqa: ASYNC110
                await asyncio.sleep(HEALTH_POLL_SECONDS)
            if service != "functions":
                await _control(session, "DELETE", f"{stack.url(service)}/_emulator/faults")


async def _control(session: aiohttp.ClientSession, method: str, url: str, body: object = None) -> bool:
    with contextlib.suppress(aiohttp.ClientError):
        async with session.request(method, url, json=body, headers={CONTROL_HEADER: "1"}) as answer:
            return answer.status < 300
    return False


async def _hold_against_store(stack: Stack, load: Load, found: Judgement) -> None:
    made: dict[tuple[str, str], list[int]] = {}
    versions: dict[str, int] = {}
    for order in await read_write_side(app_settings(stack.options.app) | stack.settings()):
        versions[order.order_id] = order.version
        if [event["version"] for event in order.events] != list(range(1, order.version + 1)):
            found.lost.append(f"{order.order_id}: version {order.version} but {len(order.events)} events")
        for event in order.events:
            made.setdefault((order.order_id, event["commandId"]), []).append(event["version"])
    found.doubled = [f"{order} {key}" for (order, key), each in made.items() if len(each) > 1]
    for (order_id, key), told in load.accepted.items():
        known = made.get((order_id, key))
        if known and known[0] != told:
            found.mistold.append(f"{order_id} {key}: told version {told}, made {known[0]}")
        elif not known and versions.get(order_id, 0) < told:
            # A command that changed nothing has no event, but the order had that version then.
            found.lost.append(f"{order_id} {key}: told version {told}, the order has {versions.get(order_id, 0)}")
