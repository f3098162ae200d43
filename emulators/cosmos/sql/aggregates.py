"""Aggregates: what COUNT, SUM, AVG, MIN, MAX, COUNTIF, MAKELIST and MAKESET make of a group's values.

The edges were recorded by the .NET SDK's emulator tests: undefined values are passed over, a value that SUM and AVG
cannot add makes them undefined, an array or object makes MIN and MAX undefined.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping

from emulators.cosmos.sql.errors import QueryUnservable
from emulators.cosmos.sql.limits import COLLECTED_VALUES_MAX
from emulators.cosmos.sql.values import UNDEFINED, Value, is_number, number, order_key


class Aggregate(ABC):
    """One aggregate of one group: fed values, then asked."""

    __slots__ = ()

    @abstractmethod
    def add(self, value: Value) -> None:
        """Take in a defined value."""

    def add_many(self, value: Value, count: int) -> None:
        """Take in the same value so many times."""
        for _ in range(count):
            self.add(value)

    @abstractmethod
    def result(self) -> Value:
        """What came of it."""


class Count(Aggregate):
    """How many defined values, null included."""

    __slots__ = ("_count",)

    def __init__(self) -> None:
        self._count = 0

    def add(self, value: Value) -> None:
        """Count it."""
        self._count += 1

    def add_many(self, value: Value, count: int) -> None:
        """Count them at once: COUNT(1) over a container is common, and SQLite has counted already."""
        self._count += count

    def result(self) -> Value:
        """The count."""
        return self._count


class CountIf(Count):
    """How many are true."""

    __slots__ = ()

    def add(self, value: Value) -> None:
        """Count true only."""
        self._count += value is True

    def add_many(self, value: Value, count: int) -> None:
        """Count them if they are true."""
        self._count += count if value is True else 0


class Sum(Aggregate):
    """The sum of numbers: 0 of none, undefined with anything else among them.

    What each addition rounds off is summed beside it (Neumaier's way): the service's recorded sums over hundreds of
    prices are those of exact addition, to the last digit.
    """

    __slots__ = ("_failed", "_lost", "_sum")

    def __init__(self) -> None:
        self._sum = 0.0
        self._lost = 0.0
        self._failed = False

    def add(self, value: Value) -> None:
        """Add a number."""
        if not is_number(value):
            self._failed = True
            return
        term, before = float(value), self._sum
        self._sum = total = before + term
        self._lost += (before - total) + term if abs(before) >= abs(term) else (term - total) + before

    @property
    def total(self) -> float:
        """The sum as it is by now; beyond a double, or of infinities, what plain addition gives."""
        exact = self._sum + self._lost
        return exact if math.isfinite(exact) else self._sum

    def result(self) -> Value:
        """The sum."""
        return UNDEFINED if self._failed else number(self.total)


class Average(Sum):
    """The average of numbers: undefined of none or with anything else among them."""

    __slots__ = ("_count",)

    def __init__(self) -> None:
        super().__init__()
        self._count = 0

    def add(self, value: Value) -> None:
        """Add and count a number."""
        super().add(value)
        self._count += 1

    def result(self) -> Value:
        """The average."""
        if self._failed or not self._count:
            return UNDEFINED
        return number(self.total / self._count)


class Extreme(Aggregate):
    """The least or greatest primitive across types: null, booleans, numbers, strings."""

    __slots__ = ("_best", "_best_key", "_failed")
    least: bool

    def __init__(self) -> None:
        self._best: Value = UNDEFINED
        self._best_key = b""
        self._failed = False

    def add(self, value: Value) -> None:
        """Keep it if it is further out."""
        if type(value) in (list, dict):
            self._failed = True
            return
        key = order_key(value)
        if self._best is UNDEFINED or (key < self._best_key if self.least else key > self._best_key):
            self._best, self._best_key = value, key

    def result(self) -> Value:
        """The one furthest out."""
        return UNDEFINED if self._failed else self._best


class Min(Extreme):
    """The least."""

    __slots__ = ()
    least = True


class Max(Extreme):
    """The greatest."""

    __slots__ = ()
    least = False


class MakeList(Aggregate):
    """All values as an array."""

    __slots__ = ("_values",)

    def __init__(self) -> None:
        self._values: list[Value] = []

    def add(self, value: Value) -> None:
        """Append it."""
        self._values.append(value)
        if len(self._values) > COLLECTED_VALUES_MAX:
            raise QueryUnservable(f"MAKELIST may collect {COLLECTED_VALUES_MAX} values.")

    def result(self) -> Value:
        """The array."""
        return self._values


class MakeSet(MakeList):
    """The distinct values as an array."""

    __slots__ = ("_seen",)

    def __init__(self) -> None:
        super().__init__()
        self._seen: set[bytes] = set()

    def add(self, value: Value) -> None:
        """Append it if it is new."""
        key = order_key(value)
        if key not in self._seen:
            self._seen.add(key)
            super().add(value)


AGGREGATES: Mapping[str, type[Aggregate]] = {
    "COUNT": Count,
    "COUNTIF": CountIf,
    "SUM": Sum,
    "AVG": Average,
    "MIN": Min,
    "MAX": Max,
    "MAKELIST": MakeList,
    "MAKESET": MakeSet,
}
"""Aggregates by upper-case name."""
