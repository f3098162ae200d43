"""The load: clients that lead orders through their lives, right and wrong, and remember every answer."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import aiohttp

from local.client import OrderService
from order_events import OrderStatus
from update_order_status.domain import TRANSITIONS

COMMANDS_PER_ORDER_MAX = 6
THINK_SECONDS_MAX = 0.4
"""A client's pause between commands: the load is to be steady, not as much as the machine bears."""
NONSENSE = 0.1
"""How often a client asks for a status that it cannot expect to be allowed."""
RIVAL = 0.2
"""How often a client goes on with an order that another one works on."""
RECENT_ORDERS = 16
ACCEPTED = (200, 201)


@dataclass(slots=True)
class Load:
    """What was sent and answered."""

    accepted: dict[tuple[str, str], int] = field(default_factory=dict)
    """(order, key) of every command that was answered with success, and the version it was told."""
    unknown: set[tuple[str, str]] = field(default_factory=set)
    """(order, key) of those that never got an answer that settles the matter."""
    answers: Counter[str] = field(default_factory=Counter)
    sent: int = 0
    orders: list[str] = field(default_factory=list)


async def drive(
    service: OrderService,
    load: Load,
    *,
    clients: int,
    seed: int,
    goes_on: Callable[[], bool],
    advance: Callable[[], None],
) -> None:
    """Send commands while `goes_on`."""
    async with asyncio.TaskGroup() as group:
        for number in range(clients):
            group.create_task(_client(service, load, random.Random(f"{seed} {number}"), number, goes_on, advance))  # noqa: S311 - repeatable


async def _client(
    service: OrderService,
    load: Load,
    dice: random.Random,
    number: int,
    goes_on: Callable[[], bool],
    advance: Callable[[], None],
) -> None:
    made = 0
    while goes_on():
        if load.orders and dice.random() < RIVAL:
            order = dice.choice(load.orders[-RECENT_ORDERS:])
        else:
            made += 1
            order = f"chaos-{number}-{made}"
            load.orders.append(order)
        status = OrderStatus.CREATED
        for _ in range(dice.randint(1, COMMANDS_PER_ORDER_MAX)):
            if not goes_on():
                return
            await _command(service, load, order, status, key=f"{number}-{load.sent}")
            advance()
            allowed = TRANSITIONS[status]
            if not allowed:
                break
            status = dice.choice(list(OrderStatus) if dice.random() < NONSENSE else allowed)
            await asyncio.sleep(dice.uniform(0, THINK_SECONDS_MAX))


async def _command(service: OrderService, load: Load, order: str, status: OrderStatus, key: str) -> None:
    load.sent += 1
    try:
        answer = await service.update(order, status.value, idempotency_key=key)
    except (aiohttp.ClientError, TimeoutError):
        load.answers["none"] += 1
        load.unknown.add((order, key))
        return
    load.answers[str(answer.status)] += 1
    if answer.status in ACCEPTED:
        load.accepted[order, key] = int(answer.body["version"])
    elif answer.status >= 500 or answer.status in (408, 429):
        load.unknown.add((order, key))
