"""What is asked of the service in a history: clients, each with commands of its own, one after the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ask:
    """One command: this order, this status, under this name (two clients may send the same)."""

    order: str
    status: str
    key: str


@dataclass(frozen=True, slots=True)
class Script:
    """Clients at once, on so many hosts; `relays`: ticks of the relay that run beside them."""

    clients: tuple[tuple[Ask, ...], ...]
    hosts: int = 1
    relays: int = 0


SCRIPTS: Mapping[str, Script] = {
    "one-order": Script(((Ask("o", "created", "k1"), Ask("o", "approved", "k2")),)),
    "relay-beside": Script(((Ask("o", "created", "k1"), Ask("o", "approved", "k2")),), relays=2),
    "rivals": Script(((Ask("o", "created", "k1"), Ask("o", "approved", "k2")), (Ask("o", "approved", "k3"),)), hosts=2),
    "twice": Script(((Ask("o", "created", "k1"),), (Ask("o", "created", "k1"),)), hosts=2),
    "two-orders": Script(
        (
            (Ask("o", "created", "k1"), Ask("o", "canceled", "k2")),
            (Ask("p", "created", "k1"), Ask("p", "approved", "k2")),
        ),
        hosts=2,
    ),
}
"""By name; each is explored by itself."""
