"""One Cosmos DB account: its name, keys, consistency and data. Knows no HTTP."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Literal

from emulators.base.clock import Clock
from emulators.base.ids import Ids
from emulators.cosmos.expiry import Sweeper
from emulators.cosmos.scripts.engine import Engine
from emulators.cosmos.store.files import Store
from emulators.cosmos.throttle import Throttle

WELL_KNOWN_KEY = "C2y6yDjf5/R+ob0N8A7Cgv30VRDJIWEHLM+4QDU5DE2nQ9nDuVTqobD4b8mGGyPMbIZnqyMsEcaGQy67XIw/Jw=="
"""The key of Microsoft's emulator, published in its documentation; every sample uses it."""

Consistency = Literal["Strong", "BoundedStaleness", "Session", "ConsistentPrefix", "Eventual"]
CONSISTENCY_LEVELS: tuple[Consistency, ...] = ("Strong", "BoundedStaleness", "Session", "ConsistentPrefix", "Eventual")
"""Strongest first."""


class KeyFormatError(ValueError):
    """An account key that is not base64."""


@dataclass(slots=True)
class Account:
    """What requests are served from. `key` is the raw master key."""

    name: str
    store: Store
    clock: Clock
    ids: Ids
    key: bytes
    sweeper: Sweeper
    scripts: Engine
    consistency: Consistency = "Session"
    throttle: Throttle | None = None
    """Refuses requests beyond what was bought; None serves them all."""


def decode_key(text: str) -> bytes:
    """The bytes of an account key in its usual form. Raises KeyFormatError."""
    try:
        key = base64.b64decode(text, validate=True)
    except ValueError:
        key = b""
    if not key:
        raise KeyFormatError("An account key is base64 text, for example the well-known key of the emulator.")
    return key
