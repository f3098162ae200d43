"""One page of a query's results: rows as they come, sorted, or collected, with the place where the next page begins."""

from __future__ import annotations

import asyncio
import heapq
import struct
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

import orjson

from emulators.cosmos import errors, limits
from emulators.cosmos.continuation import Position
from emulators.cosmos.errors import Refused
from emulators.cosmos.operations.reading import Reading
from emulators.cosmos.scopes import Place, split_since, unread
from emulators.cosmos.scripts.functions import FunctionCalls
from emulators.cosmos.sessions import check_session
from emulators.cosmos.sql.columns import Column
from emulators.cosmos.sql.functions import Context
from emulators.cosmos.sql.limits import MARKS_HELD_MAX
from emulators.cosmos.sql.statement import Collection, Row, Statement, Window
from emulators.cosmos.sql.values import UNDEFINED, Value, descending, place_of_key, sort_key
from emulators.cosmos.sql.walks import stretches
from emulators.cosmos.store.catalog import Container
from emulators.cosmos.store.documents import Scope, end_of_stretch, load, look_up, scan, select
from emulators.cosmos.wire import Call

DOCUMENTS_PER_TURN = 500
"""After so many documents the server looks after its other clients. Our choice."""
SIFTED_PER_TURN = 10_000
"""The same for documents that SQLite looks at and Python does not: our choice, some milliseconds."""
TURN_SECONDS = 0.05
"""The same for time."""
_SIGN = 1 << 63
"""Added to a position that may be negative, so that its bytes are in order."""

Batch = tuple[Scope, Sequence[tuple[int, bytes]], int | None]
"""(position, JSON) of documents in the order in which they are read, and up to where nothing else matters, if known."""
ITSELF = (Row(b"", 0, None),)
"""What a document gives that is a result as it is stored."""
Mark = tuple[bytes, int, int]
"""A row's place in an order: sort key, position (negative where it runs down), number among its document's rows."""


class _Nearest:
    """The least so many of the marks that are put in: in memory, or on a shelf when they are very many."""

    def __init__(self, keep: int, context: Context) -> None:
        self._keep = keep
        self._marks: list[Mark] = []
        self._shelf = context.shelf() if keep > MARKS_HELD_MAX else None

    def add(self, mark: Mark) -> None:
        """Put a mark in."""
        if self._shelf is not None:
            key, signed, number = mark
            place = key + struct.pack(">Qq", signed + _SIGN, number)
            self._shelf.put(place, place, b"")
            return
        self._marks.append(mark)
        if len(self._marks) > 4 * self._keep + DOCUMENTS_PER_TURN:
            self._marks = heapq.nsmallest(self._keep, self._marks)

    def after(self, skipped: int) -> list[Mark]:
        """The marks that were to be kept, in order, without the first so many."""
        if self._shelf is None:
            return heapq.nsmallest(self._keep, self._marks)[skipped:]
        places = (place for place, _ in self._shelf.entries())
        return [_mark(place) for place in islice(places, skipped, self._keep)]


def _mark(place: bytes) -> Mark:
    signed, number = struct.unpack(">Qq", place[-16:])
    return place[:-16], signed - _SIGN, number


@dataclass(slots=True)
class Work:
    """One page in the making."""

    call: Call
    container: Container
    statement: Statement
    context: Context
    functions: FunctionCalls
    scopes: list[Scope]
    reading: Reading
    size: int
    began: float
    first_batch: int = DOCUMENTS_PER_TURN
    """Documents to read before it is known how many give a result."""
    turned: float = field(init=False)
    """When the server last looked after others."""
    loaded: int = 0
    loaded_bytes: int = 0
    results: list[bytes] = field(default_factory=list)
    results_bytes: int = 0

    def __post_init__(self) -> None:
        self.turned = self.began

    def has_room(self, result: bytes) -> bool:
        """Whether the page takes one more result: by count, and by bytes unless it would be the first."""
        if len(self.results) >= self.size:
            return False
        return not self.results or self.results_bytes + len(result) <= limits.RESPONSE_BYTES_MAX

    def add(self, result: bytes) -> None:
        """Put a result on the page."""
        self.results.append(result)
        self.results_bytes += len(result)

    def clear(self) -> None:
        """Take all results off the page."""
        self.results.clear()
        self.results_bytes = 0

    @property
    def is_out_of_time(self) -> bool:
        """Whether the page has taken as long as one may."""
        return self.call.account.clock.now() - self.began > limits.PAGE_SECONDS_MAX

    @property
    def is_due(self) -> bool:
        """Whether it is time to look after the server's other clients: asked for every row, so no coroutine."""
        return self.call.account.clock.now() - self.turned > TURN_SECONDS

    async def turn(self) -> None:
        """Let the server look after its other clients."""
        await asyncio.sleep(0)
        self.turned = self.call.account.clock.now()

    @property
    def stride(self) -> int:
        """From a document's position to the next, where documents of equal keys follow each other."""
        return -1 if self.reading.walks and self.reading.columns[0].descends else 1

    def meet(self, body: bytes) -> None:
        """Count a document as loaded."""
        self.loaded += 1
        self.loaded_bytes += len(body)

    async def value(self, body: bytes) -> Value:
        """The document in a body, and the results of the user-defined functions that it will be evaluated with."""
        document = orjson.loads(body)
        await self.functions.know(self.statement, document, self.context)
        return document

    def rows(self, document: Value) -> Iterator[Row]:
        """What a document that was read gives."""
        return self.statement.rows(document, self.context, selected=self.reading.exact)

    def written(self, row: Row, body: bytes) -> bytes:
        """A row as JSON."""
        return body if self.statement.is_whole_documents else orjson.dumps(row.value)


async def make_page(work: Work, start: Position, window: Window) -> Position | None:
    """Fill the page from `start` on. The next page's start, None after the last."""
    if work.statement.is_collected:
        return await _collected(work, start, window)
    wanted = work.size if window.take is None else min(work.size, max(window.skip + window.take - start.passed, 0))
    work.first_batch = min(wanted + 1, DOCUMENTS_PER_TURN)
    if (work.statement.is_sorted or work.reading.columns) and not work.reading.walks:
        return await _sorted(work, start, window)
    return await _in_order(work, start, window)


async def documents(work: Work) -> AsyncIterator[tuple[int, Value]]:
    """(position, value) of all documents that may matter, in their own order."""
    if work.statement.container_slot is None:
        await work.functions.know(work.statement, None, work.context)
        yield 0, None
        return
    async for _, batch, _ in _in_their_own_order(work, Position()):
        for position, body in batch:
            work.meet(body)
            yield position, await work.value(body)
            if work.is_due:
                await work.turn()


async def _in_order(work: Work, start: Position, window: Window) -> Position | None:
    """Rows in the order in which their documents are read, each page going on where the last ended.

    A page goes on from one physical partition to the next until it is full; the service's may end where one ends.
    """
    filled = _Filling(work, start, window)
    if work.statement.container_slot is None:
        await work.functions.know(work.statement, None, work.context)
        return filled.take(work.scopes[0], 0, b"", work.rows(None)) if work.scopes else None
    as_stored = work.statement.is_whole_documents and work.reading.exact
    async for scope, batch, until in _along(work, start) if work.reading.walks else _in_their_own_order(work, start):
        for position, body in batch:
            work.meet(body)
            more = filled.take(scope, position, body, ITSELF if as_stored else work.rows(await work.value(body)))
            if filled.is_done:
                return more
            if work.is_due:
                await work.turn()
        if until is not None and work.is_out_of_time:
            return _next(work, start, scope, until + work.stride, b"", 0, filled.passed)
    return None


class _Filling:
    """A page that is filled in the order of its rows: what was passed over, and whether it is done."""

    def __init__(self, work: Work, start: Position, window: Window) -> None:
        self._work = work
        self._start = start
        self._skip = window.skip
        self._wanted = None if window.take is None else window.skip + window.take
        self.passed = start.passed
        self.is_done = False

    def take(self, scope: Scope, position: int, body: bytes, rows: Iterable[Row]) -> Position | None:
        """Put a document's rows on the page. When that is done: the next page's start, None when nothing is left."""
        work, start = self._work, self._start
        late = work.loaded > 1 and work.is_out_of_time  # a page must get further than the one before it
        for row in rows:
            if position == start.position and row.number < start.rows:
                continue
            if self._wanted is not None and self.passed >= self._wanted:
                self.is_done = True
                return None
            if self.passed >= self._skip:
                result = work.written(row, body)
                if late or not work.has_room(result):
                    self.is_done = True
                    return _next(work, start, scope, position, body, row.number, self.passed)
                work.add(result)
            self.passed += 1
        if not late:
            return None
        self.is_done = True
        return _next(work, start, scope, position + work.stride, body, 0, self.passed)


def _next(work: Work, start: Position, scope: Scope, position: int, body: bytes, number: int, passed: int) -> Position:
    key = _key_of(orjson.loads(body), work.reading.columns) if work.reading.walks else None
    split = split_since(work.container, _place(start))
    return Position(scope.range.id, position, number, passed, key, split=split)


async def _sorted(work: Work, start: Position, window: Window) -> Position | None:
    """Rows by ORDER BY where no index has the order: the smallest from the start on, in memory bounded by the page."""
    to_skip = max(window.skip - start.passed, 0)
    left = None if window.take is None else window.skip + window.take - max(start.passed, window.skip)
    nearest = _Nearest(to_skip + work.size + 1, work.context)
    beyond = None if start.key is None else (start.key, _signed(work, start.position), start.rows)
    async for position, document in documents(work):
        for row in work.rows(document):
            key = row.sort_key or _key_of(document, work.reading.columns)
            mark = (key, _signed(work, position), row.number)
            if beyond is None or mark >= beyond:
                nearest.add(mark)
            if work.is_due:
                await work.turn()
    chosen = nearest.after(to_skip)
    passed = start.passed + to_skip
    bodies = load(work.call.account.store.connection, [abs(position) for _, position, _ in chosen])
    for key, signed, number in chosen:
        if left is not None and len(work.results) >= left:
            return None
        body = bodies.get(abs(signed))
        found = None if body is None else await _row(work, body, number)
        if body is None or found is None:
            continue  # it went away while the others were read
        result = work.written(found, body)
        if not work.has_room(result):
            return Position(-1, abs(signed), number, passed, key)
        work.add(result)
        passed += 1
    return None


def _signed(work: Work, position: int) -> int:
    return -position if work.statement.runs_down else position


async def _row(work: Work, body: bytes, number: int) -> Row | None:
    rows = work.statement.rows(await work.value(body), work.context)
    return next((row for row in rows if row.number == number), None)


async def _collected(work: Work, start: Position, window: Window) -> Position | None:
    """Groups, aggregates and distinct values: computed whole for each page, then cut."""
    collection = work.statement.collect((), work.context)
    if work.statement.counts_rows and work.reading.exact:
        collection.add_rows(_count(work))
    else:
        async for _, document in documents(work):
            for _ in collection.feed(document):
                if work.is_due:
                    await work.turn()
    first = max(start.passed, window.skip)
    end = None if window.take is None else window.skip + window.take
    return await work.functions.evaluate(lambda: _cut(work, collection, first, end))


def _cut(work: Work, collection: Collection, first: int, end: int | None) -> Position | None:
    """Put results on the page, anew each time that a user-defined function had to be asked for its own."""
    work.clear()
    for number, value in enumerate(islice(collection.results(), first, end), first):
        result = orjson.dumps(value)
        if not work.has_room(result):
            return Position(passed=number)
        work.add(result)
    return None


def _count(work: Work) -> int:
    """How many documents a condition lets through, none of them loaded."""
    connection, reading = work.call.account.store.connection, work.reading
    total = 0
    for scope in work.scopes:
        check_session(work.call, work.container, scope.range)
        total += select(
            connection, scope, "count(*)", index=reading.index, where=reading.where, bindings=reading.bindings
        ).get
    return total


async def _in_their_own_order(work: Work, start: Position) -> AsyncIterator[Batch]:
    """The documents that may matter by position, from the start's own on."""
    limit = work.first_batch
    for scope, reached in unread(work.container, work.scopes, _place(start)):
        check_session(work.call, work.container, scope.range)
        after = reached
        while True:
            until = _stretch(work, scope, after)
            batch = _batch(work, scope, after, until, limit)
            is_full = len(batch) == limit
            yield scope, batch, None if is_full else until
            if not is_full and until is None:
                break
            if is_full:
                after, limit = batch[-1][0], DOCUMENTS_PER_TURN
            elif until is not None:
                after = until
            await asyncio.sleep(0)
            _demand_unsplit(work)


def _stretch(work: Work, scope: Scope, after: int) -> int | None:
    """How far SQLite may look before others have their turn; None for to the end."""
    reading = work.reading
    if not reading.where or reading.index or not (scope.is_whole or reading.by_position):
        return None
    return end_of_stretch(work.call.account.store.connection, scope, after, SIFTED_PER_TURN)


def _batch(work: Work, scope: Scope, after: int, until: int | None, limit: int) -> Sequence[tuple[int, bytes]]:
    connection, reading = work.call.account.store.connection, work.reading
    if not reading.index:
        return list(
            scan(
                connection,
                scope,
                after=after,
                until=until,
                limit=limit,
                where=reading.where,
                bindings=reading.bindings,
                by_position=reading.by_position,
            )
        )
    where, bindings = f"{reading.where} AND position>?", (*reading.bindings, after)
    return look_up(connection, scope, reading.index, where=where, bindings=bindings, order="position", limit=limit)


async def _along(work: Work, start: Position) -> AsyncIterator[Batch]:
    """The documents of one scope in the order of columns, from the start's own on."""
    (scope,) = work.scopes
    reading, connection = work.reading, work.call.account.store.connection
    check_session(work.call, work.container, scope.range)
    key, position = start.key, start.position
    limit = work.first_batch
    while True:
        batch: list[tuple[int, bytes]] = []
        after = None if key is None else _bounds(key, reading.columns)
        for stretch in stretches(reading.columns, after, position, ranked=reading.ranked):
            conditions = " AND ".join(f"({each})" for each in (stretch.where, reading.where) if each)
            batch += look_up(
                connection,
                scope,
                reading.index,
                where=conditions,
                bindings=(*stretch.bindings, *reading.bindings),
                order=stretch.order,
                limit=limit - len(batch),
                sorts=reading.sorts,
            )
            if len(batch) == limit:
                break
        yield scope, batch, None
        if len(batch) < limit:
            return
        key, limit = _key_of(orjson.loads(batch[-1][1]), reading.columns), DOCUMENTS_PER_TURN
        position = batch[-1][0] + work.stride
        await asyncio.sleep(0)
        _demand_unsplit(work)


def _key_of(document: Value, columns: Sequence[Column]) -> bytes:
    """A document's sort key by the columns, as `Row.sort_key` has it."""
    key = b""
    for column in columns:
        value = document
        for step in column.steps:
            value = value.get(step, UNDEFINED) if type(value) is dict else UNDEFINED
        part = sort_key(value)
        key += descending(part) if column.descends else part
    return key


def _bounds(key: bytes, columns: Sequence[Column]) -> tuple[tuple[int, float | str], ...]:
    """What the columns hold in the row of that sort key."""
    bounds = []
    for column in columns:
        bound, rest = place_of_key(descending(key) if column.descends else key)
        key = descending(rest) if column.descends else rest
        bounds.append(bound)
    return tuple(bounds)


def _place(start: Position) -> Place | None:
    """The place before the position's own document; None for the beginning."""
    return Place(start.range_id, start.position - 1, start.split) if start.range_id >= 0 else None


def _demand_unsplit(work: Work) -> None:
    """Return if the partitions are still those that the query began with. Raises Refused: documents have moved."""
    container = work.call.account.store.catalog.container_by_rid(work.container.resource.rid)
    if container is None:
        raise Refused(errors.NOT_FOUND)
    if not all(container.range_by_id(scope.range.id) for scope in work.scopes):
        raise Refused(errors.RANGE_GONE)
