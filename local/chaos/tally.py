"""What Event Grid did meanwhile: its counters, added up over its deaths."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from dataclasses import dataclass, field

import aiohttp

from emulators.base.control import CONTROL_HEADER

LOOK_SECONDS = 0.5


@dataclass
class Tally:
    """Counts by the emulator's names. What it did in its last half second before a kill is missing."""

    totals: Counter[str] = field(default_factory=Counter)
    _last: dict[str, int] = field(default_factory=dict)

    async def look(self, session: aiohttp.ClientSession, url: str) -> None:
        """Look until cancelled."""
        while True:
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                async with session.get(f"{url}/_emulator/metrics.json", headers={CONTROL_HEADER: "1"}) as answer:
                    self._take((await answer.json())["totals"])
            await asyncio.sleep(LOOK_SECONDS)

    def _take(self, totals: dict[str, int]) -> None:
        if any(totals.get(name, 0) < count for name, count in self._last.items()):
            self._last = {}  # it has died meanwhile and counts anew
        for name, count in totals.items():
            self.totals[name] += count - self._last.get(name, 0)
        self._last = dict(totals)
