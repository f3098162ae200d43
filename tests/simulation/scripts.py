"""What is asked of the service in a history: clients, each with commands of its own, one after the other."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass

from order_events import OrderStatus
from update_order_status.domain import TRANSITIONS


@dataclass(frozen=True, slots=True)
class Ask:
    """One command: this order, this status, under this name (two clients may send the same), not before so long."""

    order: str
    status: str
    key: str
    at_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Script:
    """Clients at once, on so many hosts; `relays`: ticks of the relay that run beside them."""

    clients: tuple[tuple[Ask, ...], ...]
    hosts: int = 1
    relays: int = 0
    relay_every_seconds: float = 0.0
    """The relay's timer, for as long as there are commands; 0 for none."""


CREATED, APPROVED = Ask("o", "created", "k1"), Ask("o", "approved", "k2")

SCRIPTS: Mapping[str, Script] = {
    "both-create": Script(((CREATED, APPROVED), (Ask("o", "approved", "k3"),)), hosts=2),
    "one-order": Script(((CREATED, APPROVED),)),
    "relay-beside": Script(((CREATED, APPROVED),), relays=2),
    "twice": Script(((CREATED,), (CREATED,)), hosts=2),
    "rivals": Script(
        ((CREATED, Ask("o", "approved", "k2", 5.0)), (Ask("o", "canceled", "k3", 5.0),)),
        hosts=2,
    ),
    "two-orders": Script(
        ((CREATED, Ask("o", "canceled", "k2")), (Ask("p", "created", "k1"), Ask("p", "approved", "k2"))),
        hosts=2,
    ),
}
"""By name; each is explored by itself."""


def working_day(seed: int, *, hours: float, commands: int, clients: int = 8) -> Script:
    """Clients that lead orders through their lives for so many hours; a fifth of the commands is for others' orders."""
    dice = random.Random(seed)
    asks: list[list[Ask]] = [[] for _ in range(clients)]
    for number in range(clients):
        moments = sorted(dice.uniform(0, hours * 3600) for _ in range(commands // clients))
        order, status = f"o{number}", OrderStatus.CREATED
        for place, moment in enumerate(moments):
            asked = f"o{dice.randrange(clients)}" if dice.random() < 0.2 else order
            asks[number].append(Ask(asked, status.value, f"k{number}-{place}", moment))
            following = TRANSITIONS[status]
            status = dice.choice(following) if following else OrderStatus.CREATED
            if not following:
                order = f"{order}x"
    return Script(tuple(tuple(each) for each in asks), hosts=2, relay_every_seconds=10.0)
