"""What the services of a stack use while a load goes on: memory and CPU time, their children's included."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field

import psutil

from local.stack import Stack

MIB = 1024 * 1024


@dataclass(slots=True)
class Memory:
    """Mebibytes of one service: when first looked at, when it had warmed up, the most since then, and the last."""

    first: float
    warm: float
    highest: float
    last: float

    @property
    def growth(self) -> float:
        """How much more than when it was warm it ever held."""
        return self.highest - self.warm

    def document(self) -> dict[str, float]:
        """For a report."""
        return {name: round(getattr(self, name), 1) for name in ("first", "warm", "highest", "last", "growth")}


@dataclass
class Footprint:
    """Looks at some services of a stack."""

    stack: Stack
    services: tuple[str, ...]
    memory: dict[str, Memory] = field(default_factory=dict)

    def look(self, *, warming: bool) -> None:
        """Take note of the memory that each holds now."""
        for service in self.services:
            now = sum(each.memory_info().rss for each in self._family(service)) / MIB
            known = self.memory.setdefault(service, Memory(now, now, now, now))
            known.last = now
            if warming:
                known.warm = known.highest = now
            known.highest = max(known.highest, now)

    def cpu_seconds(self, *services: str) -> float:
        """User and system time of these services so far."""
        return sum(sum(each.cpu_times()[:2]) for service in services for each in self._family(service))

    def _family(self, service: str) -> Iterator[psutil.Process]:
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(self.stack.supervisor.process_id(service))
            yield process
            yield from process.children(recursive=True)
