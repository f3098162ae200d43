"""Results that exist only after all rows were seen: distinct values and groups, few in memory, the rest on a shelf."""

from __future__ import annotations

import heapq
import marshal
from collections.abc import Iterable, Iterator
from itertools import chain
from operator import itemgetter
from typing import TYPE_CHECKING

from emulators.cosmos.sql.limits import GROUPS_HELD_MAX, VALUES_HELD_MAX
from emulators.cosmos.sql.shelves import Shelf, short
from emulators.cosmos.sql.values import UNDEFINED, Value, order_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from emulators.cosmos.sql.aggregates import Aggregate
    from emulators.cosmos.sql.program import Frame, Program

_COUNTER_BYTES = 8


class Distinct:
    """Values met for the first time, given back by their sort keys, then in the order in which they came."""

    def __init__(self, shelf: Callable[[], Shelf]) -> None:
        self._make_shelf = shelf
        self._shelf: Shelf | None = None
        self._held: dict[bytes, tuple[bytes, Value]] = {}
        self._count = 0

    def add(self, value: Value, key: bytes = b"") -> None:
        """Take a value in, with its sort key, unless an equal one was."""
        identity = short(order_key(value))
        if identity in self._held:
            return
        self._count += 1
        place = key + self._count.to_bytes(_COUNTER_BYTES, "big")
        if len(self._held) < VALUES_HELD_MAX:
            self._held[identity] = (place, value)
            return
        if self._shelf is None:
            self._shelf = self._make_shelf()
        self._shelf.put(identity, place, _packed([value]))

    def values(self) -> Iterator[Value]:
        """The values in their order."""
        held = sorted(self._held.values(), key=itemgetter(0))
        if self._shelf is None:
            yield from (value for _, value in held)
            return
        shelved = ((place, _unpacked(content)[0]) for place, content in self._shelf.entries())
        yield from (value for _, value in heapq.merge(held, shelved, key=itemgetter(0)))


def in_order(keyed: Iterable[tuple[bytes, Value]], shelf: Shelf) -> Iterator[Value]:
    """The values by their sort keys, equal ones in the order in which they came."""
    for count, (key, value) in enumerate(keyed):
        number = count.to_bytes(_COUNTER_BYTES, "big")
        shelf.put(number, key + number, _packed([value]))
    return (_unpacked(content)[0] for _, content in shelf.entries())


Group = tuple[list[Value], list["Aggregate"]]
"""The values of a group's keys, and its aggregates."""


class Groups:
    """The groups of one run. Rows of groups that came after memory was full wait on a shelf for their turn."""

    def __init__(self, program: Program, shelf: Callable[[], Shelf]) -> None:
        self._program = program
        self._make_shelf = shelf
        self._shelf: Shelf | None = None
        self._groups: dict[bytes, Group] = {}
        self._count = 0

    def add(self, frame: Frame) -> None:
        """Put the row in its group."""
        program = self._program
        keys = [each(frame) for each in program.group_keys]
        identity = b"".join(map(order_key, keys))
        group = self._groups.get(identity)
        if group is None and len(self._groups) >= GROUPS_HELD_MAX:
            self._put_aside(identity, keys, [each.argument(frame) for each in program.aggregates])
            return
        if group is None:
            group = self._groups[identity] = self._new(keys)
        for bound, aggregate in zip(program.aggregates, group[1], strict=True):
            value = bound.argument(frame)
            if value is not UNDEFINED:
                aggregate.add(value)

    def add_alike(self, frame: Frame, count: int) -> None:
        """Put so many rows that are alike in the one group that there is without GROUP BY."""
        _, aggregates = self._groups.setdefault(b"", self._new([]))
        for bound, aggregate in zip(self._program.aggregates, aggregates, strict=True):
            value = bound.argument(frame)
            if value is not UNDEFINED:
                aggregate.add_many(value, count)

    def finished(self, frame: Frame) -> Iterator[Frame]:
        """The frame brought to each group in turn; without GROUP BY there is always one.

        Where nothing but the one key is read they come in its order, as an index has it, else in that of their first
        rows: so do the .NET SDK's recorded results (QueryBaselineTest.TestGroupByQueries).
        """
        if not self._groups and not self._program.group_keys:
            self._groups[b""] = self._new([])
        held = list(self._groups.items())
        if self._program.by_key:
            held.sort(key=itemgetter(0))
            groups: Iterable[tuple[bytes, Group]] = heapq.merge(held, self._shelved(), key=itemgetter(0))
        else:
            groups = chain(held, self._shelved())
        for _, (keys, aggregates) in groups:
            for slot, value in zip(self._program.key_slots, keys, strict=True):
                frame[slot] = value
            for bound, aggregate in zip(self._program.aggregates, aggregates, strict=True):
                frame[bound.slot] = aggregate.result()
            yield frame

    def _new(self, keys: list[Value]) -> Group:
        return keys, [each.kind() for each in self._program.aggregates]

    def _put_aside(self, identity: bytes, keys: list[Value], arguments: list[Value]) -> None:
        if self._shelf is None:
            self._shelf = self._make_shelf()
        self._count += 1
        place = identity + self._count.to_bytes(_COUNTER_BYTES, "big")
        self._shelf.put(self._count.to_bytes(_COUNTER_BYTES, "big"), place, _packed([keys, arguments]))

    def _shelved(self) -> Iterator[tuple[bytes, Group]]:
        """The groups of the rows put aside, by their keys: rows of one group follow each other."""
        current, group = b"", None
        for place, content in self._shelf.entries() if self._shelf is not None else ():
            identity = place[:-_COUNTER_BYTES]
            keys, arguments = _unpacked(content)
            if group is None or identity != current:
                if group is not None:
                    yield current, group
                current, group = identity, self._new(keys)
            for aggregate, value in zip(group[1], arguments, strict=True):
                if value is not UNDEFINED:
                    aggregate.add(value)
        if group is not None:
            yield current, group


def _packed(values: list[Value]) -> bytes:
    """Values as bytes, undefined and the numbers that JSON lacks included."""
    return marshal.dumps(_marked(values))


def _unpacked(content: bytes) -> list[Value]:
    values: list[Value] = _unmarked(marshal.loads(content))  # noqa: S302 - our own bytes, from our own temporary file
    return values


def _marked(value: Value) -> Value:
    if type(value) is list:
        return [_marked(each) for each in value]
    return ... if value is UNDEFINED else value


def _unmarked(value: Value) -> Value:
    if type(value) is list:
        return [_unmarked(each) for each in value]
    return UNDEFINED if value is ... else value
