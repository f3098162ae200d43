"""A transaction that outlives a tick: a private copy of one logical partition, written back whole or not at all.

A script runs for a while, and others must neither wait for it nor see what it has not finished. So it reads and writes
a scratch database of its own, with the same tables, into which documents are brought when they are first asked for.
`commit` writes what has changed into the store, unless somebody else has changed what was brought: then `Outdated` is
raised, nothing is written, and the script is run again.
"""

# ruff: noqa: S608 - statements are put together from this room's own fragments; values are always bound
from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

import apsw

from emulators.cosmos.store.catalog import Container, Range
from emulators.cosmos.store.documents import Address, Scope, Writer, lsn_of
from emulators.cosmos.store.schema import SCHEMA, fetch, position_of

_ROW = "position, place, epk, pk, id, lsn, ts, ttl, body"
_PLACES = ",".join("?" * len(_ROW.split(",")))
_PARTITION = "place=? AND epk=? AND pk=?"
_ROWS_PER_STEP = 1000
"""Items copied before others are served: our choice, some milliseconds."""


class Outdated(Exception):
    """Somebody else has changed what the draft was made from, or its partition was split."""


class _Writer(Writer):
    """Writes a draft; new items get places that were reserved in the store."""

    places: deque[int]

    def _next_position(self) -> int:
        return position_of(self._range.place, self.places.popleft())


class Draft:
    """One logical partition as a transaction sees it. All that `writer` writes gets one LSN."""

    def __init__(
        self, store: apsw.Connection, container: Container, range_: Range, epk: bytes, pk: str, now: int
    ) -> None:
        self.container = container
        self.range = range_
        self.now = now
        self._partition = (range_.place, epk, pk)
        self._brought: dict[str, tuple[int, int] | None] = {}
        self._whole: tuple[Any, ...] | None = None
        # A file that SQLite makes when memory does not suffice, and that nobody else sees.
        self.connection = apsw.Connection("")
        self.connection.execute("PRAGMA journal_mode=MEMORY; PRAGMA synchronous=OFF; BEGIN")
        self.connection.execute(SCHEMA)
        columns = "place, container, low, high, parents, open, lsn, made"
        (row,) = fetch(store, f"SELECT {columns} FROM range WHERE place=?", (range_.place,))
        self.connection.execute(f"INSERT INTO range ({columns}) VALUES (?,?,?,?,?,?,?,?)", row)
        self._writer = _Writer(self.connection, container, range_, now, creates=0)
        self._writer.places = deque()

    @property
    def writer(self) -> Writer:
        """What writes this draft."""
        return self._writer

    @property
    def scope(self) -> Scope:
        """All of the partition, for readers; bring it whole first."""
        _, epk, pk = self._partition
        return Scope(self.container, self.range, self.now, epk, epk + b"\x00", pk)

    def at(self, document_id: str) -> Address:
        """The address of an item in this partition."""
        _, epk, pk = self._partition
        return Address(self.range, epk, pk, document_id)

    def close(self) -> None:
        """Forget the copy."""
        self.connection.close()

    def bring(self, store: apsw.Connection, document_id: str) -> None:
        """Copy an item into the draft, unless it is there; that there is none counts as read too."""
        if self._whole is not None or document_id in self._brought:
            return
        rows = fetch(store, f"SELECT {_ROW} FROM document WHERE {_PARTITION} AND id=?", (*self._partition, document_id))
        self._brought[document_id] = None
        self._take(rows)

    def bring_all(self, store: apsw.Connection) -> Iterator[None]:
        """Copy the whole partition, with its values under the unique key policy, some at a time. Raises Outdated.

        Between the steps others may be served; what they change is noticed.
        """
        if self._whole is not None:
            return
        self._demand_unchanged(store)
        whole = self._fingerprint(store)
        sql = f"SELECT {_ROW} FROM document WHERE {_PARTITION} AND id>? ORDER BY id LIMIT ?"
        last = ""
        while rows := fetch(store, sql, (*self._partition, last, _ROWS_PER_STEP)):
            last = rows[-1][4]
            self._take([row for row in rows if row[4] not in self._brought])
            yield
        values = fetch(
            store,
            "SELECT * FROM unique_value WHERE container=? AND pk=?",
            (self.container.number, self._partition[2]),
        )
        self.connection.executemany("INSERT OR IGNORE INTO unique_value VALUES (?,?,?,?,?)", values)
        if whole != self._fingerprint(store):
            raise Outdated
        self._whole = whole

    @property
    def has_places(self) -> bool:
        """Whether another item can be made; `reserve` first when not."""
        return bool(self._writer.places)

    def reserve(self, store: apsw.Connection, count: int) -> None:
        """Take places for `count` new items in the store, inside a write transaction of its own."""
        ((made,),) = fetch(
            store, "UPDATE range SET made=made+? WHERE place=? RETURNING made", (count, self.range.place)
        )
        self._writer.places.extend(range(made - count + 1, made + 1))

    def commit(self, store: apsw.Connection) -> int:
        """Write back what was written; the range's LSN then. Raises Outdated.

        Called inside a write transaction. Without a write it only makes sure that what was read still holds.
        """
        self._demand_unchanged(store)
        written = fetch(self.connection, f"SELECT {_ROW} FROM document WHERE lsn=?", (self.writer.lsn,))
        kept = {position for (position,) in fetch(self.connection, "SELECT position FROM document")}
        gone = {each[0] for each in self._brought.values() if each and each[0] not in kept}
        if not self.writer.lsn or not (written or gone):
            return lsn_of(store, self.range)
        ((now_lsn,),) = fetch(store, "UPDATE range SET lsn=lsn+1 WHERE place=? RETURNING lsn", (self.range.place,))
        for position in (*gone, *(row[0] for row in written)):
            store.execute("DELETE FROM document WHERE position=?", (position,))
            store.execute("DELETE FROM unique_value WHERE position=?", (position,))
        for row in written:
            store.execute(f"INSERT INTO document ({_ROW}) VALUES ({_PLACES})", (*row[:5], now_lsn, *row[6:]))
            values = fetch(self.connection, "SELECT * FROM unique_value WHERE position=?", (row[0],))
            store.executemany("INSERT INTO unique_value VALUES (?,?,?,?,?)", values)
        for place, _, *version in fetch(self.connection, "SELECT * FROM version"):
            store.execute("INSERT INTO version VALUES (?,?,?,?,?,?,?)", (place, now_lsn, *version))
        return int(now_lsn)

    def _take(self, rows: list[tuple[Any, ...]]) -> None:
        self.connection.executemany(f"INSERT INTO document ({_ROW}) VALUES ({_PLACES})", rows)
        self._brought |= {row[4]: (row[0], row[5]) for row in rows}

    def _fingerprint(self, store: apsw.Connection) -> tuple[Any, ...]:
        """What any change to the partition changes: a delete the count, everything else the highest LSN."""
        sql = f"SELECT count(*), max(lsn) FROM document WHERE {_PARTITION}"
        (found,) = fetch(store, sql, self._partition)
        return found

    def _demand_unchanged(self, store: apsw.Connection) -> None:
        if not fetch(store, "SELECT 1 FROM range WHERE place=? AND open=1", (self.range.place,)):
            raise Outdated
        if self._whole is not None and self._whole != self._fingerprint(store):
            raise Outdated
        sql = f"SELECT position, lsn FROM document WHERE {_PARTITION} AND id=?"
        for document_id, brought in () if self._whole is not None else self._brought.items():
            found = fetch(store, sql, (*self._partition, document_id))
            if (found[0] if found else None) != brought:
                raise Outdated
