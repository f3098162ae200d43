"""Identifiers and chance come in by this door, so that a seeded run repeats itself exactly.

`uuid.uuid4` and `random.random` are banned elsewhere (ruff).
"""

from __future__ import annotations

import random

_UUID_FREE_BITS = (1 << 128) - 1 ^ (0xF << 76 | 0x3 << 62)
_UUID_VERSION_4 = 0x4 << 76 | 0x2 << 62
"""RFC 9562: which bits of a UUID are free, and what the others are in version 4."""


class Ids:
    """Fresh identifiers and dice. `seed=None` draws from the operating system, any other seed repeats."""

    def __init__(self, seed: int | None = None) -> None:
        self._dice = random.SystemRandom() if seed is None else random.Random(seed)

    def guid(self) -> str:
        """A version 4 UUID in lower case with dashes, as Azure writes activity and event ids."""
        bits = self._dice.getrandbits(128) & _UUID_FREE_BITS | _UUID_VERSION_4
        text = f"{bits:032x}"  # several times as fast as going through uuid.UUID, and every request has one
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

    def token(self, size_bytes: int = 16) -> bytes:
        """Random bytes for secrets and cookies."""
        return self._dice.randbytes(size_bytes)

    def chance(self) -> float:
        """A number in [0, 1)."""
        return self._dice.random()

    def between(self, low: float, high: float) -> float:
        """A number in [low, high], for jitter."""
        return self._dice.uniform(low, high)
