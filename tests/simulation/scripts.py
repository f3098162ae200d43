"""What is asked of the service in a history: clients, each with commands of its own, one after the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


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
