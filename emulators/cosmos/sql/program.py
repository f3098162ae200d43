"""A compiled query: closures over a frame of slots instead of a tree. Made once for a text, run any number of times.

Slot 0 of a frame holds the `Context`, every alias and aggregate of the whole query, nested ones included, one more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from emulators.cosmos.sql.aggregates import Aggregate
from emulators.cosmos.sql.collecting import Groups
from emulators.cosmos.sql.errors import QueryUnservable
from emulators.cosmos.sql.limits import COLLECTED_VALUES_MAX
from emulators.cosmos.sql.values import UNDEFINED, Value, order_key

Frame = list[Any]
Evaluator = Callable[[Frame], Value]


@dataclass(frozen=True, slots=True)
class BoundSource:
    """One input set: what it yields and the slot that each is put into. The container has no `origin`."""

    slot: int
    origin: Evaluator | None
    iterates: bool
    subquery: Program | None = None

    def values(self, frame: Frame) -> Iterator[Value]:
        """What this set yields in the scope of those before it."""
        if self.subquery is not None:
            found = self.subquery.values(frame)
            if not self.iterates:
                yield from found
                return
            for array in found:
                if type(array) is list:
                    yield from array
            return
        value = frame[self.slot] if self.origin is None else self.origin(frame)
        if not self.iterates:
            if value is not UNDEFINED:
                yield value
        elif type(value) is list:
            yield from value


@dataclass(frozen=True, slots=True)
class BoundAggregate:
    """One aggregate call: its kind, its argument, the slot that its result is put into."""

    slot: int
    kind: type[Aggregate]
    argument: Evaluator


@dataclass(slots=True)
class Program:
    """A query or subquery ready to run."""

    project: Evaluator
    sources: tuple[BoundSource, ...] = ()
    where: Evaluator | None = None
    group_keys: tuple[Evaluator, ...] = ()
    key_slots: tuple[int, ...] = ()
    """Where a finished group's keys are put: the select list sees nothing else of its rows but aggregates."""
    by_key: bool = False
    """Whether groups come in the order of their key, and not of their first rows."""
    aggregates: tuple[BoundAggregate, ...] = ()
    grouped: bool = False
    distinct: bool = False
    sort_keys: tuple[tuple[Evaluator, bool], ...] = ()
    """(what to sort by, whether downwards)."""
    top: Evaluator | None = None
    offset: Evaluator | None = None
    limit: Evaluator | None = None
    frame_size: int = field(default=1)

    def rows(self, frame: Frame, first: int = 0, *, selected: bool = False) -> Iterator[None]:
        """Bring the frame to each row of FROM that WHERE lets through; the sources before `first` are bound.

        `selected`: WHERE is known to hold for all of them.
        """
        if first == len(self.sources):
            if selected or self.where is None or self.where(frame) is True:
                yield None
            return
        source = self.sources[first]
        for value in source.values(frame):
            frame[0].step()
            frame[source.slot] = value
            yield from self.rows(frame, first + 1, selected=selected)

    def values(self, frame: Frame) -> Iterator[Value]:
        """The results of a subquery, undefined ones left out."""
        results = self._group_values(frame) if self.grouped else self._row_values(frame)
        if not self.distinct:
            yield from results
            return
        seen: set[bytes] = set()
        for value in results:
            key = order_key(value)
            if key not in seen:
                demand_room(len(seen), "DISTINCT")
                seen.add(key)
                yield value

    def _row_values(self, frame: Frame) -> Iterator[Value]:
        for _ in self.rows(frame):
            value = self.project(frame)
            if value is not UNDEFINED:
                yield value

    def _group_values(self, frame: Frame) -> Iterator[Value]:
        groups = Groups(self, frame[0].shelf)
        for _ in self.rows(frame):
            groups.add(frame)
        for group in groups.finished(frame.copy()):
            value = self.project(group)
            if value is not UNDEFINED:
                yield value


def demand_room(held: int, clause: str) -> None:
    """Return if a query that holds so many values may hold one more. Raises QueryUnservable."""
    if held >= COLLECTED_VALUES_MAX:
        raise QueryUnservable(f"{clause} may hold {COLLECTED_VALUES_MAX} values.")
