"""Which documents a feed, query or change feed is about: headers turned into scopes, one a physical partition."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from emulators.cosmos import errors
from emulators.cosmos.decimals import whole_number
from emulators.cosmos.errors import Refused
from emulators.cosmos.partitioning import HIGHEST, LOWEST, PartitionKeyError, canonical, parse_epk
from emulators.cosmos.store.catalog import Container, Range
from emulators.cosmos.store.documents import Scope
from emulators.cosmos.wire import Call


def scopes_of(call: Call, container: Container) -> list[Scope]:
    """The request's scopes in the order of their hash space: a partition key's, a range's, an interval's, or all.

    Raises Refused: 410/1002 for a range that is not (or no longer) there, 400 for malformed headers.
    """
    low, high, pk = LOWEST, HIGHEST, None
    key = call.partition_key_or_prefix()
    if key:
        if len(key) > len(container.partition_key.paths):
            raise Refused(errors.PARTITION_KEY_MISMATCH)
        low, high = container.partition_key.interval(key)
        pk = canonical(key) if len(key) == len(container.partition_key.paths) else None
    elif call.header("x-ms-start-epk") or call.header("x-ms-end-epk"):
        low, high = _epk(call, "x-ms-start-epk", LOWEST), _epk(call, "x-ms-end-epk", HIGHEST)
        if low == high:
            high = low + b"\x00"
    if low >= high:
        return []
    named = call.header("x-ms-documentdb-partitionkeyrangeid")
    ranges = [_range(container, named)] if named else list(container.overlapping(low, high))
    return [Scope(container, each, call.now, low, high, pk) for each in ranges]


Split = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Place:
    """How far a reader has come: the position it has read in a range, all ranges before it being done.

    `split`: the same of ranges that were split while it read them, as (range id, position): what it has read of them
    is done in their children too.
    """

    range_id: int
    position: int
    split: Split = ()

    @property
    def text(self) -> str:
        """The continuation token."""
        return "~".join(str(each) for pair in ((self.range_id, self.position), *self.split) for each in pair)


def parse_place(container: Container, token: str) -> Place | None:
    """A place from a continuation token, None from an empty one. Raises Refused."""
    if not token:
        return None
    numbers = [number for each in token.split("~") if (number := whole_number(each)) is not None]
    pairs = tuple(zip(numbers[::2], numbers[1::2], strict=False))
    if 2 * len(pairs) != token.count("~") + 1 or any(_ever(container, range_id) is None for range_id, _ in pairs):
        raise Refused(errors.BAD_CONTINUATION)
    return Place(*pairs[0], pairs[1:])


def unread(container: Container, scopes: list[Scope], place: Place | None) -> Iterator[tuple[Scope, int]]:
    """(scope, position to go on after) of what is still to be read; right also when a range was split meanwhile."""
    reached = _ever(container, place.range_id) if place else None
    for scope in scopes:
        if place is None or reached is None:
            yield scope, -1
        elif scope.range.low >= reached.high:
            yield (
                scope,
                max((position for range_id, position in place.split if range_id in scope.range.parents), default=-1),
            )
        elif scope.range.high > reached.low:
            yield scope, place.position


def split_since(container: Container, place: Place | None) -> Split:
    """What a place that begins after `place` has to remember of it: how far ranges were read that are split now."""
    if place is None:
        return ()
    pairs = ((place.range_id, place.position), *place.split)
    return tuple(pair for pair in pairs if container.range_by_id(pair[0]) is None)


def _ever(container: Container, range_id: int) -> Range | None:
    """The range of that id, open or split."""
    return next((each for each in (*container.ranges, *container.closed_ranges) if each.id == range_id), None)


def _range(container: Container, named: str) -> Range:
    range_id = whole_number(named)
    found = None if range_id is None else container.range_by_id(range_id)
    if found is None:
        raise Refused(errors.RANGE_GONE)
    return found


def _epk(call: Call, name: str, default: bytes) -> bytes:
    text = call.header(name)
    if not text:
        return default
    try:
        return parse_epk(text)
    except PartitionKeyError as refusal:
        raise Refused(errors.BAD_HEADER, str(refusal)) from None
