"""Documents in SQLite: what readers see (`Scope`, `select`, `scan`, `find`) and how one range is written (`Writer`).

**Reading, for queries and feeds.** Make a `Scope` for each physical partition that is to be read, in the order of
`Container.ranges`, then ask for rows:

    scope = Scope(container, range_, now=int(clock.now()))                        # a whole physical partition
    scope = Scope(container, range_, low=low, high=high, now=...)                 # an EPK interval inside it
    scope = Scope(container, range_, low=epk, high=epk + b"\\x00", pk=canonical(key), now=...)  # one logical partition

    for position, body in scan(connection, scope, after=position, limit=100): ...  # JSON text as bytes, stable order
    rows = select(connection, scope, "count(*)", where="body->>'$.status' = ?", bindings=("new",))

`select` takes any column list, a WHERE fragment with `?` bindings and a tail (ORDER BY, GROUP BY, LIMIT) over the
columns of table `document`: `position` (integer, grows in creation order within a range), `id`, `epk`, `lsn`, `ts` and
`body`, the whole document with its system properties as JSONB (`body->>'$.a.b'`, `json(body)`). Expired items are
hidden in every case. A `position` stays a document's own for life; `Container.ranges` change only by a split.

Statements run at once on the loop's one connection: a handler that does not await between them reads one consistent
state, and calls `store.database.settled()` before it answers.
"""

# ruff: noqa: S608 - statements are put together from this room's own fragments; values are always bound
from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import apsw
import orjson

from emulators.cosmos.partitioning import HIGHEST, LOWEST, Key, canonical
from emulators.cosmos.store import indexes
from emulators.cosmos.store import rid as rids
from emulators.cosmos.store.catalog import Container, Range
from emulators.cosmos.store.schema import (
    COUNTER_BITS,
    birthplace_of,
    counter_of,
    fetch,
    place_of,
    position_of,
    range_of,
)

SYSTEM_PROPERTIES = ("_rid", "_self", "_etag", "_attachments", "_ts")
BODY = "CAST(json(body) AS BLOB)"
"""The column that gives a document's JSON as bytes."""
_STORED = f"SELECT position, lsn, ts, body->>'$._etag', {BODY} FROM document"
"""A `Stored`, column by column."""
_HEAD = "SELECT position, lsn, ts, body->>'$._etag', x'' FROM document"
"""The same without its body, which is dear to write out."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a document is or would be: its range, its key, its id."""

    range: Range
    epk: bytes
    pk: str
    id: str


@dataclass(frozen=True, slots=True)
class Stored:
    """A document as it is kept. `body` is its JSON, empty where nobody asked for it."""

    position: int
    lsn: int
    ts: int
    etag: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Scope:
    """Documents of one physical partition that a reader may see: [low, high) of hash space, perhaps one key's only."""

    container: Container
    range: Range
    now: int
    low: bytes = LOWEST
    high: bytes = HIGHEST
    pk: str | None = None

    @property
    def is_whole(self) -> bool:
        """Whether it is all of its physical partition."""
        return self.pk is None and self.low <= self.range.low and self.high >= self.range.high

    @property
    def positions(self) -> tuple[int, int]:
        """The [low, high) interval of positions that documents of its physical partition have."""
        oldest = place_of(self.container.number, self.range.oldest_id)
        return oldest << COUNTER_BITS, (self.range.place + 1) << COUNTER_BITS

    def where(
        self, *, after: int = -1, until: int | None = None, indexed: bool = False, by_position: bool = False
    ) -> tuple[str, list[Any]]:
        """The condition in SQL and its bindings, of what lies beyond the position `after`.

        `indexed`: in the words that an index of paths needs. `by_position`: found along the primary key, which is
        quickest where the scope is a large part of its physical partition; there alone `until` is the last position.
        """
        # A unary plus keeps SQLite from looking a column up that is not what the scope is found by.
        bindings: list[Any]
        if indexed:
            sql, bindings = f"place=? AND {indexes.belongs(self.container.number)}", [self.range.place]
        elif self.is_whole or by_position:
            oldest, end = self.positions
            # One upper bound: SQLite stops at the first that it is given, and would only look at a second.
            sql = "position>=? AND position<? AND +place=?"
            bindings = [max(oldest, after + 1), end if until is None else until + 1, self.range.place]
        else:
            sql, bindings = "place=? AND +position>?", [self.range.place, after]
        if not self.is_whole:
            sql, bindings = f"{sql} AND epk>=? AND epk<?", [*bindings, self.low, self.high]
        if self.pk is not None:
            sql, bindings = f"{sql} AND pk=?", [*bindings, self.pk]
        visible, moments = visibility(self.container, self.now)
        return sql + visible, bindings + moments


def address(container: Container, key: Key, document_id: str) -> Address:
    """The address of the item with this whole partition key and id."""
    epk, range_ = container.range_of_key(key)
    return Address(range_, epk, canonical(key), document_id)


def visibility(container: Container, now: int) -> tuple[str, list[int]]:
    """` AND …` that hides what has expired at `now`, with its bindings; nothing when the container has no TTL."""
    if container.default_ttl is None:
        return "", []
    if container.default_ttl < 0:
        return " AND (ttl IS NULL OR ttl<0 OR ts+ttl>?)", [now]
    return " AND (ttl<0 OR ts+coalesce(ttl,?)>?)", [container.default_ttl, now]


def select(
    connection: apsw.Connection,
    scope: Scope,
    columns: str,
    *,
    index: str = "",
    where: str = "",
    bindings: Sequence[Any] = (),
    tail: str = "",
    tail_bindings: Sequence[Any] = (),
) -> apsw.Cursor:
    """Rows of `columns` over the documents in `scope` that meet `where`, found by an index of paths if one is named."""
    condition, values = scope.where(indexed=bool(index))
    extra = f" AND ({where})" if where else ""
    return connection.execute(
        f"SELECT {columns} FROM {_source(index)} WHERE {condition}{extra} {tail}", (*values, *bindings, *tail_bindings)
    )


def look_up(
    connection: apsw.Connection,
    scope: Scope,
    index: str,
    *,
    where: str,
    bindings: Sequence[Any],
    order: str,
    limit: int,
    sorts: bool = False,
) -> list[tuple[int, bytes]]:
    """(position, JSON) of the documents in `scope` that meet `where`, in `order`; found by an index if one is named.

    `sorts` says that the index does not give the order: then bodies are written out for those within `limit` alone.
    """
    condition, values = scope.where(indexed=bool(index))
    columns = "position" if sorts else f"position, {BODY}"
    rows: list[tuple[Any, ...]] = connection.execute(
        f"SELECT {columns} FROM {_source(index)} WHERE {condition} AND {where} ORDER BY {order} LIMIT ?",
        (*values, *bindings, limit),
    ).fetchall()
    if not sorts:
        return rows
    bodies = load(connection, [position for (position,) in rows])
    return [(position, bodies[position]) for (position,) in rows]


def count_some(
    connection: apsw.Connection,
    scope: Scope,
    limit: int,
    *,
    index: str = "",
    where: str = "true",
    bindings: Sequence[Any] = (),
) -> int:
    """How many documents there are in `scope`, or how many an index finds in its partition; no further than `limit`."""
    if index:
        condition, values = f"place=? AND {indexes.belongs(scope.container.number)}", [scope.range.place]
    else:
        condition, values = scope.where()
    sql = f"SELECT count(*) FROM (SELECT 1 FROM {_source(index)} WHERE {condition} AND {where} LIMIT ?)"
    return int(connection.execute(sql, (*values, *bindings, limit)).get)


def _source(index: str) -> str:
    return f"document INDEXED BY {index}" if index else "document"


def load(connection: apsw.Connection, positions: Sequence[int]) -> dict[int, bytes]:
    """The JSON of the documents at those positions; those that are gone are missing."""
    sql = f"SELECT position, {BODY} FROM document WHERE position IN (SELECT value FROM json_each(?))"
    return dict(fetch(connection, sql, (orjson.dumps(positions).decode(),)))


def scan(
    connection: apsw.Connection,
    scope: Scope,
    *,
    after: int = -1,
    until: int | None = None,
    limit: int = -1,
    where: str = "",
    bindings: Sequence[Any] = (),
    by_position: bool = False,
) -> Iterator[tuple[int, bytes]]:
    """(position, JSON) of the documents in `scope` beyond `after`, up to `until`, in the order of their positions."""
    condition, values = scope.where(after=after, until=until, by_position=by_position)
    extra = f" AND ({where})" if where else ""
    return connection.execute(
        f"SELECT position, {BODY} FROM document WHERE {condition}{extra} ORDER BY position LIMIT ?",
        (*values, *bindings, limit),
    )


def end_of_stretch(connection: apsw.Connection, scope: Scope, after: int, count: int) -> int | None:
    """A position with at most `count` documents from `after` up to it, none of them read; None when no more follow."""
    oldest, end = scope.positions
    sql = "SELECT min(position) FROM document WHERE position>=? AND position<?"
    found: int | None = connection.execute(sql, (max(oldest, after + 1) + count - 1, end)).get
    return found


def find(
    connection: apsw.Connection, container: Container, at: Address, now: int, *, body: bool = True
) -> Stored | None:
    """The item at an address, unless it has expired; with its body or without."""
    visible, moments = visibility(container, now)
    row = connection.execute(
        f"{_STORED if body else _HEAD} WHERE place=? AND epk=? AND id=? AND pk=?{visible}",
        (at.range.place, at.epk, at.id, at.pk, *moments),
    ).fetchone()
    return Stored(*row) if row else None


def id_of_rid(connection: apsw.Connection, container: Container, rid: str) -> str | None:
    """The id of the item with this rid, None when the container has none."""
    found = identity_of_rid(connection, container, rid)
    return found[0] if found else None


def identity_of_rid(connection: apsw.Connection, container: Container, rid: str) -> tuple[str, str] | None:
    """(id, canonical partition key) of the item with this rid, None when the container has none."""
    try:
        counter, range_id = rids.parse_document(container.raw_rid, rid)
    except ValueError:
        return None
    position = position_of(place_of(container.number, range_id), counter)
    row = connection.execute("SELECT id, pk FROM document WHERE position=?", (position,)).fetchone()
    return (row[0], row[1]) if row else None


def delete_all(connection: apsw.Connection, scope: Scope, writer: Writer) -> None:
    """Delete every document in `scope`, which lies in the writer's range."""
    columns = f"epk, pk, id, position, lsn, ts, body->>'$._etag', {BODY}"
    found: list[tuple[Any, ...]] = select(connection, scope, columns).fetchall()
    for epk, pk, document_id, *stored in found:
        writer.delete(Address(scope.range, epk, pk, document_id), Stored(*stored))


def lsn_of(connection: apsw.Connection, range_: Range) -> int:
    """The LSN of the last write in a range."""
    return int(connection.execute("SELECT lsn FROM range WHERE place=?", (range_.place,)).get)


def usage(connection: apsw.Connection, range_: Range) -> tuple[int, int]:
    """(documents, bytes of their bodies) of a range."""
    sql = "SELECT count(*), coalesce(sum(length(body)), 0) FROM document WHERE place=?"
    ((count, size),) = fetch(connection, sql, (range_.place,))
    return count, size


class Taken(Exception):
    """The id, or a value under the unique key policy (`unique`), is another document's."""

    def __init__(self, *, unique: bool = False) -> None:
        super().__init__("taken")
        self.unique = unique


class Writer:
    """One write transaction on one range: its documents share an LSN and differ in their ETags.

    Made and used inside `Database.write`'s work. `creates` is how many documents it is expected to make.
    """

    def __init__(
        self, connection: apsw.Connection, container: Container, range_: Range, now: int, *, creates: int = 1
    ) -> None:
        self._connection = connection
        self._container = container
        self._range = range_
        self._now = now
        self._creates = creates
        self._counter = self._counter_end = 0
        self._ordinal = -1
        self.lsn = 0

    def find(self, at: Address, *, body: bool = True) -> Stored | None:
        """The item at an address as this transaction sees it; without `body` it has one only if this is remembered."""
        return find(self._connection, self._container, at, self._now, body=body or self._container.keeps_versions)

    def create(self, at: Address, document: dict[str, Any]) -> Stored:
        """Store a new item. Raises Taken when there is one, or a unique key stands against it."""
        etag = self._stamp()
        position = self._next_position()
        body = self._body(document, position, etag)
        try:
            self._insert(position, at, document, body)
        except apsw.ConstraintError:
            if not self.delete_expired(at):
                raise Taken from None
            self._insert(position, at, document, body)
        self._reserve(at, position, document)
        self._remember(at, "create", body, None)
        return Stored(position, self.lsn, self._now, etag, body)

    def replace(self, at: Address, old: Stored, document: dict[str, Any], *, new_id: str | None = None) -> Stored:
        """Give the item `old` another body, and perhaps another id. Raises Taken."""
        etag = self._stamp()
        body = self._body(document, old.position, etag)
        self._connection.execute(
            "UPDATE document SET lsn=?, ts=?, ttl=?, body=jsonb(?) WHERE position=?",
            (self.lsn, self._now, _ttl(document), body.decode(), old.position),
        )
        if new_id is not None and new_id != at.id:
            try:
                self._connection.execute("UPDATE document SET id=? WHERE position=?", (new_id, old.position))
            except apsw.ConstraintError:
                raise Taken from None
        self._release(old.position)
        self._reserve(at, old.position, document)
        self._remember(at, "replace", body, old)
        return Stored(old.position, self.lsn, self._now, etag, body)

    def delete(self, at: Address, old: Stored, *, expired: bool = False) -> None:
        """Remove the item `old`."""
        self._stamp()
        self._release(old.position)
        self._connection.execute("DELETE FROM document WHERE position=?", (old.position,))
        self._remember(at, "delete", None, old, expired=expired)

    def delete_expired(self, at: Address) -> bool:
        """Remove the item at an address if its time to live is over; False when there is none that has expired."""
        if self._container.default_ttl is None or self.find(at):
            return False
        where = "place=? AND epk=? AND id=? AND pk=?"
        for row in fetch(self._connection, f"{_STORED} WHERE {where}", (at.range.place, at.epk, at.id, at.pk)):
            self.delete(at, Stored(*row), expired=True)
            return True
        return False

    def _stamp(self) -> str:
        """The next write's ETag; the transaction's first takes its LSN."""
        if self._ordinal < 0:
            ((self.lsn, made),) = fetch(
                self._connection,
                "UPDATE range SET lsn=lsn+1, made=made+? WHERE place=? RETURNING lsn, made",
                (self._creates, self._range.place),
            )
            self._counter, self._counter_end = made - self._creates, made
        self._ordinal += 1
        place = self._range.place
        write = f"{self.lsn & 0xFFFFFFFF:08x}-{self._ordinal & 0xFFFF:04x}"
        return f'"{write}-{place & 0xFFFF:04x}-{place >> 16 & 0xFFFF:04x}-{self._now:08x}0000"'

    def _next_position(self) -> int:
        if self._counter == self._counter_end:
            self._counter_end = self._connection.execute(
                "UPDATE range SET made=made+1 WHERE place=? RETURNING made", (self._range.place,)
            ).get
        self._counter += 1
        return position_of(self._range.place, self._counter)

    def _body(self, document: dict[str, Any], position: int, etag: str) -> bytes:
        """The stored JSON. An item's rid is its position, so that it need not be looked up."""
        rid = rids.child_rid(self._container.raw_rid, "docs", counter_of(position), range_of(birthplace_of(position)))
        link = f"{self._container.resource.body['_self']}docs/{rid}/"
        mine = {name: value for name, value in document.items() if name not in SYSTEM_PROPERTIES}
        return orjson.dumps(
            {**mine, "_rid": rid, "_self": link, "_etag": etag, "_attachments": "attachments/", "_ts": self._now}
        )

    def _insert(self, position: int, at: Address, document: dict[str, Any], body: bytes) -> None:
        self._connection.execute(
            "INSERT INTO document (position, place, epk, pk, id, lsn, ts, ttl, body) VALUES (?,?,?,?,?,?,?,?,jsonb(?))",
            (position, at.range.place, at.epk, at.pk, at.id, self.lsn, self._now, _ttl(document), body.decode()),
        )

    def _reserve(self, at: Address, position: int, document: dict[str, Any]) -> None:
        for number, paths in enumerate(self._container.unique_keys):
            value = orjson.dumps([_value_at(document, path) for path in paths], option=orjson.OPT_SORT_KEYS).decode()
            try:
                self._connection.execute(
                    "INSERT INTO unique_value VALUES (?,?,?,?,?)",
                    (self._container.number, at.pk, number, value, position),
                )
            except apsw.ConstraintError:
                if not self._expire_holder(at.pk, number, value):
                    raise Taken(unique=True) from None
                self._connection.execute(
                    "INSERT INTO unique_value VALUES (?,?,?,?,?)",
                    (self._container.number, at.pk, number, value, position),
                )

    def _expire_holder(self, pk: str, number: int, value: str) -> bool:
        """Remove the document that holds a unique value if it has expired; False when it lives."""
        ((position,),) = fetch(
            self._connection,
            "SELECT position FROM unique_value WHERE container=? AND pk=? AND constraint_number=? AND value=?",
            (self._container.number, pk, number, value),
        )
        visible, moments = visibility(self._container, self._now)
        if self._connection.execute(
            f"SELECT 1 FROM document WHERE position=?{visible}", (position, *moments)
        ).fetchone():
            return False
        ((epk, document_id),) = fetch(self._connection, "SELECT epk, id FROM document WHERE position=?", (position,))
        (stored,) = fetch(self._connection, f"{_STORED} WHERE position=?", (position,))
        self.delete(Address(self._range, epk, pk, document_id), Stored(*stored), expired=True)
        return True

    def _release(self, position: int) -> None:
        if self._container.unique_keys:
            self._connection.execute("DELETE FROM unique_value WHERE position=?", (position,))

    def _remember(
        self, at: Address, operation: str, body: bytes | None, old: Stored | None, *, expired: bool = False
    ) -> None:
        """Keep this version for the all-versions change feed, when the container has one."""
        if not self._container.keeps_versions:
            return
        version = {
            "operation": operation,
            "id": at.id,
            "current": orjson.Fragment(body) if body else None,
            "previous": orjson.Fragment(old.body) if old else None,
            "previousLsn": old.lsn if old else None,
            "expired": expired,
        }
        self._connection.execute(
            "INSERT INTO version VALUES (?,?,?,?,?,?,?)",
            (self._range.place, self.lsn, self._ordinal, self._now, at.epk, at.pk, orjson.dumps(version).decode()),
        )


def _ttl(document: dict[str, Any]) -> int | None:
    value = document.get("ttl")
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _value_at(document: Any, path: tuple[str, ...]) -> Any:
    """The value at a unique key path, wrapped so that a missing one differs from null."""
    value = document
    for name in path:
        if not isinstance(value, dict) or name not in value:
            return []
        value = value[name]
    return [value]
