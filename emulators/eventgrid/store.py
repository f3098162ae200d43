"""The only SQL of the Event Grid emulator: resources, waiting events, their deliveries, dead letters.

An event's JSON is kept once however many subscriptions wait for it, and goes with the last of them. Nothing here
decides anything: when, where and whether is `delivery.py`'s and `worker.py`'s.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw
import orjson

from emulators.base.sqlite import Database
from emulators.eventgrid.conversion import Stored
from emulators.eventgrid.schemas import Event, Schema

FORMAT_VERSION = 4
DELETE_CHUNK = 5_000
"""Deliveries deleted in one transaction when a subscription goes, so that others are served between. Our choice."""

SCHEMA = """
CREATE TABLE resources (
  number INTEGER PRIMARY KEY,           -- also the name of an event subscription's queue; never used twice
  id TEXT NOT NULL UNIQUE,              -- the ARM id in lower case
  kind TEXT NOT NULL,
  document BLOB NOT NULL
);
CREATE TABLE numbers (last INTEGER NOT NULL);
INSERT INTO numbers VALUES (0);
CREATE TABLE events (
  number INTEGER PRIMARY KEY,
  id TEXT NOT NULL,
  schema TEXT NOT NULL,
  published REAL NOT NULL,
  waiting INTEGER NOT NULL,             -- deliveries: the event goes with the last of them
  size INTEGER NOT NULL,
  body BLOB NOT NULL
);
CREATE TABLE deliveries (
  number INTEGER PRIMARY KEY,
  queue INTEGER NOT NULL,
  event INTEGER NOT NULL,
  due REAL NOT NULL,
  expires REAL NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX deliveries_by_due ON deliveries (queue, due);
CREATE TABLE attempts (
  delivery INTEGER NOT NULL,
  number INTEGER NOT NULL,
  at REAL NOT NULL,
  status INTEGER,
  outcome TEXT NOT NULL,
  excerpt TEXT NOT NULL,
  PRIMARY KEY (delivery, number)
) WITHOUT ROWID;
CREATE TABLE dead_letters (
  number INTEGER PRIMARY KEY,
  subscription TEXT NOT NULL,
  container TEXT NOT NULL,
  reason TEXT NOT NULL,
  event_id TEXT NOT NULL,
  due REAL NOT NULL,                    -- when to write the blob
  gives_up REAL NOT NULL,
  path TEXT,                            -- the blob's name once it was written
  written REAL,                         -- in real seconds
  content BLOB NOT NULL
);
CREATE INDEX dead_letters_by_due ON dead_letters (due) WHERE written IS NULL;
CREATE INDEX dead_letters_by_written ON dead_letters (written) WHERE written IS NOT NULL;
"""


@dataclass(frozen=True, slots=True)
class Resource:
    """One stored resource; `number` names the queue of an event subscription."""

    number: int
    kind: str
    document: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Waiting:
    """A delivery that waits: which event, for how many attempts already, until when it lives."""

    number: int
    event: int
    event_id: str
    due: float
    expires: float
    attempts: int
    published: float
    size: int


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt as it is recorded."""

    number: int
    at: float
    status: int | None
    outcome: str
    excerpt: str


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A dead letter on its way to its blob."""

    number: int
    subscription: str
    container: str
    reason: str
    event_id: str
    due: float
    gives_up: float
    path: str | None
    content: bytes


@dataclass(frozen=True, slots=True)
class NewLetter:
    """An event that ends as a dead letter: what its blob will say, where, and until when that is tried.

    `subscription` is its name, or a path of names for a namespace's.
    """

    subscription: str
    container: str
    reason: str
    event_id: str
    due: float
    gives_up: float
    content: bytes


@dataclass(frozen=True, slots=True)
class Target:
    """A queue that an accepted event goes to, and until when it lives there."""

    queue: int
    expires: float


_WAITING = (
    "SELECT d.number, d.event, e.id, d.due, d.expires, d.attempts, e.published, e.size "
    "FROM deliveries d JOIN events e ON e.number = d.event WHERE d.queue = ?"
)
_LETTER_COLUMNS = "number, subscription, container, reason, event_id, due, gives_up, path, content"


class Store:
    """Everything that must outlive the process. `path=None` keeps it in memory."""

    def __init__(self, path: Path | None) -> None:
        self.database = Database(path, schema=SCHEMA, format_version=FORMAT_VERSION)
        """Shared with namespaces and the storage watch, so that what belongs together is written together."""
        self._read = self.database.connection.execute

    def close(self) -> None:
        """Commit and close."""
        self.database.close()

    async def clear(self) -> None:
        """Forget everything."""

        def work(connection: apsw.Connection) -> None:
            for table in ("resources", "events", "deliveries", "attempts", "dead_letters"):
                connection.execute(f"DELETE FROM {table}")  # noqa: S608 - our own names

        await self.database.write(work)

    # Resources

    def resources(self) -> list[Resource]:
        """All resources."""
        rows = self._read("SELECT number, kind, document FROM resources ORDER BY number")
        return [Resource(number, kind, orjson.loads(text)) for number, kind, text in rows]

    async def put_resource(self, key: str, kind: str, document: dict[str, Any]) -> int:
        """Create or replace a resource; its number."""

        def work(connection: apsw.Connection) -> int:
            text = orjson.dumps(document)
            row = connection.execute("SELECT number FROM resources WHERE id = ?", (key,)).fetchone()
            if row is not None:
                connection.execute("UPDATE resources SET document = ? WHERE id = ?", (text, key))
                return int(row[0])
            number = connection.execute("UPDATE numbers SET last = last + 1 RETURNING last").get
            connection.execute("INSERT INTO resources VALUES (?, ?, ?, ?)", (number, key, kind, text))
            return int(number)

        return await self.database.write(work)

    async def delete_resource(self, key: str) -> None:
        """Forget a resource and all below it; what waits in their queues goes by `empty_queue`."""

        def work(connection: apsw.Connection) -> None:  # '0' is the character after '/'
            connection.execute("DELETE FROM resources WHERE id = ?1 OR id > ?1 || '/' AND id < ?1 || '0'", (key,))

        await self.database.write(work)

    # Queues

    async def accept(self, published: float, events: Sequence[tuple[Event, Sequence[Target]]]) -> None:
        """Keep events and one delivery per target, due at once; durable on return."""

        def work(connection: apsw.Connection) -> None:
            for event, targets in events:
                body = event.body
                connection.execute(
                    "INSERT INTO events (id, schema, published, waiting, size, body) VALUES (?, ?, ?, ?, ?, ?)",
                    (event.id, event.schema.value, published, len(targets), len(body), body),
                )
                number = connection.last_insert_rowid()
                connection.executemany(
                    "INSERT INTO deliveries (queue, event, due, expires) VALUES (?, ?, ?, ?)",
                    [(target.queue, number, published, target.expires) for target in targets],
                )

        await self.database.write(work)

    def due(self, queue: int, now: float, limit: int) -> list[Waiting]:
        """The deliveries of `queue` that are due, longest due first."""
        rows = self._read(f"{_WAITING} AND d.due <= ? ORDER BY d.due, d.number LIMIT ?", (queue, now, limit))
        return [Waiting(*row) for row in rows]

    def next_due(self, queue: int, after: float) -> float | None:
        """The first moment later than `after` at which something of `queue` is due."""
        row = self._read("SELECT min(due) FROM deliveries WHERE queue = ? AND due > ?", (queue, after)).fetchone()
        return None if row is None else row[0]

    def event(self, number: int) -> Stored:
        """One waiting event."""
        row = self._read("SELECT schema, body FROM events WHERE number = ?", (number,)).fetchone()
        assert row is not None, "an event stays as long as a delivery waits for it"
        schema, body = row
        return Stored(Schema(schema), body)

    async def finish(self, waiting: Iterable[Waiting]) -> None:
        """These deliveries are over; events that nobody else waits for go too."""
        gone = list(waiting)
        await self.database.write(lambda connection: _remove(connection, gone))

    async def record(self, waiting: Waiting, attempt: Attempt, due: float) -> None:
        """An attempt has failed; the next is due at `due`."""

        def work(connection: apsw.Connection) -> None:
            connection.execute(
                "UPDATE deliveries SET due = ?, attempts = ? WHERE number = ?",
                (due, attempt.number, waiting.number),
            )
            connection.execute(
                "INSERT OR REPLACE INTO attempts VALUES (?, ?, ?, ?, ?, ?)",
                (waiting.number, attempt.number, attempt.at, attempt.status, attempt.outcome, attempt.excerpt),
            )

        await self.database.write(work)

    async def postpone(self, number: int, due: float) -> int | None:
        """Move a delivery's next attempt without counting one; its queue, None when it does not wait any more."""

        def work(connection: apsw.Connection) -> int | None:
            update = "UPDATE deliveries SET due = ? WHERE number = ? RETURNING queue"
            queue: int | None = connection.execute(update, (due, number)).get
            return queue

        return await self.database.write(work)

    def attempts(self, delivery: int) -> list[Attempt]:
        """The recorded attempts of a waiting delivery."""
        rows = self._read(
            "SELECT number, at, status, outcome, excerpt FROM attempts WHERE delivery = ? ORDER BY number", (delivery,)
        )
        return [Attempt(*row) for row in rows]

    def waiting(self, queue: int, limit: int) -> list[Waiting]:
        """Deliveries of `queue`, next due first (the index's order: a large backlog is not sorted)."""
        rows = self._read(f"{_WAITING} ORDER BY d.due, d.number LIMIT ?", (queue, limit))
        return [Waiting(*row) for row in rows]

    def backlog(self) -> dict[int, int]:
        """Deliveries waiting, by queue."""
        return dict(self._read("SELECT queue, count(*) FROM deliveries GROUP BY queue"))

    async def empty_queue(self, queue: int) -> None:
        """Drop whatever waits in `queue`, in chunks that let others be served."""

        def work(connection: apsw.Connection) -> int:
            gone: list[Any] = connection.execute(
                "DELETE FROM deliveries WHERE number IN (SELECT number FROM deliveries WHERE queue = ? LIMIT ?) "
                "RETURNING number, event",
                (queue, DELETE_CHUNK),
            ).fetchall()
            connection.executemany("DELETE FROM attempts WHERE delivery = ?", ((number,) for number, _ in gone))
            for _, event in gone:
                _let_go(connection, event)
            return len(gone)

        while await self.database.write(work):
            pass

    # Dead letters

    async def bury(self, waiting: Waiting, letter: NewLetter) -> None:
        """A delivery ends as a dead letter."""

        def work(connection: apsw.Connection) -> None:
            insert_letter(connection, letter)
            _remove(connection, [waiting])

        await self.database.write(work)

    def letters_to_write(self, now: float, limit: int) -> list[DeadLetter]:
        """Dead letters whose blob is due."""
        return self._letters("written IS NULL AND due <= ? ORDER BY due LIMIT ?", (now, limit))

    def letters_to_confirm(self, written_before: float, limit: int) -> list[DeadLetter]:
        """Dead letters whose blob was written before that (real) moment."""
        return self._letters("written IS NOT NULL AND written <= ? ORDER BY written LIMIT ?", (written_before, limit))

    def letters(self, limit: int) -> list[DeadLetter]:
        """Dead letters that are still ours, newest first."""
        return self._letters("true ORDER BY number DESC LIMIT ?", (limit,))

    def next_letter_due(self) -> float | None:
        """When the next blob is to be written."""
        row = self._read("SELECT min(due) FROM dead_letters WHERE written IS NULL").fetchone()
        return None if row is None else row[0]

    def first_letter_written(self) -> float | None:
        """When (real) the oldest unconfirmed blob was written."""
        row = self._read("SELECT min(written) FROM dead_letters WHERE written IS NOT NULL").fetchone()
        return None if row is None else row[0]

    async def letter_written(self, number: int, path: str, at: float) -> None:
        """The blob is at `path` since the real moment `at`; not yet known to be on disk."""
        await self.database.write(
            lambda connection: connection.execute(
                "UPDATE dead_letters SET path = ?, written = ? WHERE number = ?", (path, at, number)
            )
        )

    async def letter_postponed(self, number: int, due: float) -> None:
        """The blob is to be written (again) at `due`."""
        await self.database.write(
            lambda connection: connection.execute(
                "UPDATE dead_letters SET due = ?, written = NULL WHERE number = ?", (due, number)
            )
        )

    async def letter_over(self, number: int) -> None:
        """The blob is safe, or has been given up."""
        await self.database.write(
            lambda connection: connection.execute("DELETE FROM dead_letters WHERE number = ?", (number,))
        )

    def _letters(self, condition: str, bindings: tuple[object, ...]) -> list[DeadLetter]:
        rows = self._read(
            f"SELECT {_LETTER_COLUMNS} FROM dead_letters WHERE {condition}",  # noqa: S608 - our own text
            bindings,
        )
        return [DeadLetter(*row) for row in rows]


def insert_letter(connection: apsw.Connection, letter: NewLetter) -> None:
    """Keep a dead letter, inside a transaction of the caller's."""
    connection.execute(
        "INSERT INTO dead_letters (subscription, container, reason, event_id, due, gives_up, content) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            letter.subscription,
            letter.container,
            letter.reason,
            letter.event_id,
            letter.due,
            letter.gives_up,
            letter.content,
        ),
    )


def _remove(connection: apsw.Connection, gone: Sequence[Waiting]) -> None:
    for each in gone:
        connection.execute("DELETE FROM deliveries WHERE number = ?", (each.number,))
        if each.attempts:
            connection.execute("DELETE FROM attempts WHERE delivery = ?", (each.number,))
        _let_go(connection, each.event)


def _let_go(connection: apsw.Connection, event: int) -> None:
    """One delivery less waits for an event."""
    connection.execute("DELETE FROM events WHERE number = ? AND waiting <= 1", (event,))
    if not connection.changes():
        connection.execute("UPDATE events SET waiting = waiting - 1 WHERE number = ?", (event,))
