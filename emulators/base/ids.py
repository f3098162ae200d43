"""Identifiers and chance come in by this door, so that a seeded run repeats itself exactly.

`uuid.uuid4` and `random.random` are banned elsewhere (ruff).
"""

from __future__ import annotations

import random


class Ids:
    """Fresh identifiers and dice. `seed=None` draws from the operating system, any other seed repeats."""

    def __init__(self, seed: int | None = None) -> None:
        self._dice = random.SystemRandom() if seed is None else random.Random(seed)

    def guid(self) -> str:
        """A version 4 UUID in lower case with dashes, as Azure writes activity and event ids."""
        text = f"{self._dice.getrandbits(128):032x}"
        variant = "89ab"[int(text[16], 16) & 3]
        return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{variant}{text[17:20]}-{text[20:]}"

    def token(self, size_bytes: int = 16) -> bytes:
        """Random bytes for secrets and cookies."""
        return self._dice.randbytes(size_bytes)

    def chance(self) -> float:
        """A number in [0, 1)."""
        return self._dice.random()

    def between(self, low: float, high: float) -> float:
        """A number in [low, high], for jitter."""
        return self._dice.uniform(low, high)
