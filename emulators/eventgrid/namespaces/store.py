"""The SQL of pull delivery: events that wait in queues, who holds them, until when.

It shares the emulator's database, so that an event leaves its queue and becomes a dead letter in one transaction.
Nothing here decides anything: that is `broker.py`'s and `sweeper.py`'s.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import apsw

from emulators.base.sqlite import Database
from emulators.eventgrid.schemas import Event
from emulators.eventgrid.store import NewLetter, Target, insert_letter

Result = TypeVar("Result")

SCHEMA = """
CREATE TABLE IF NOT EXISTS pull_events (
  number INTEGER PRIMARY KEY,
  id TEXT NOT NULL,
  published REAL NOT NULL,
  body BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS pulls (
  number INTEGER PRIMARY KEY,
  queue INTEGER NOT NULL,
  event INTEGER NOT NULL,
  available REAL NOT NULL,              -- when it may be received (again): published, released, or its lock over
  expires REAL NOT NULL,
  deliveries INTEGER NOT NULL DEFAULT 0,
  received REAL,                        -- the latest delivery
  secret BLOB                           -- of the latest lock token; NULL when nobody holds one
);
CREATE INDEX IF NOT EXISTS pulls_by_available ON pulls (queue, available, number);
CREATE INDEX IF NOT EXISTS pulls_by_expires ON pulls (queue, expires, available);
CREATE INDEX IF NOT EXISTS pulls_by_deliveries ON pulls (queue, deliveries, available);
CREATE INDEX IF NOT EXISTS pulls_by_event ON pulls (event);
"""


@dataclass(frozen=True, slots=True)
class Pull:
    """One event in one queue."""

    number: int
    event: int
    event_id: str
    published: float
    deliveries: int
    received: float | None
    expires: float
    body: bytes


@dataclass(frozen=True, slots=True)
class Backlog:
    """How many events a queue holds: receivable now, held by somebody, released until later."""

    waiting: int
    held: int
    delayed: int


_COLUMNS = "p.number, p.event, e.id, e.published, p.deliveries, p.received, p.expires, e.body"
_FROM_PULLS = "FROM pulls p WHERE"
_FROM = "FROM pulls p JOIN pull_events e ON e.number = p.event WHERE"
_RECEIVABLE = "p.queue = ?1 AND p.available <= ?2 AND p.expires > ?2 AND p.deliveries < ?3"
_SPENT = "p.queue = ?1 AND p.available <= ?2 AND (p.expires <= ?2 OR p.deliveries >= ?3)"


class QueueStore:
    """The queues of all pull subscriptions, by number."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._read = database.connection.execute
        self._read(SCHEMA)

    async def transact(self, work: Callable[[QueueWork], Result]) -> Result:
        """Do `work` in one transaction; durable on return."""
        return await self._database.write(lambda connection: work(QueueWork(connection)))

    def anything_receivable(self, queue: int, now: float, most: int) -> bool:
        """Whether an event of `queue` may be received."""
        return self._exists(f"SELECT 1 {_FROM_PULLS} {_RECEIVABLE}", queue, now, most)

    def anything_spent(self, queue: int, now: float, most: int) -> bool:
        """Whether an event of `queue` is held by nobody and may not be received any more."""
        return self._exists(f"SELECT 1 {_FROM_PULLS} {_SPENT}", queue, now, most)

    def next_available(self, queue: int, after: float) -> float | None:
        """The first moment later than `after` at which something of `queue` may be received."""
        return self._moment("SELECT min(available) FROM pulls WHERE queue = ? AND available > ?", queue, after)

    def next_spent(self, queue: int, after: float, most: int) -> float | None:
        """The first moment later than `after` at which an event of `queue` is over: too old, or tried `most` times."""
        moments = (
            self._moment("SELECT min(expires) FROM pulls WHERE queue = ? AND expires > ?", queue, after),
            self._moment(
                "SELECT min(available) FROM pulls WHERE queue = ? AND expires <= ?2 AND available > ?2", queue, after
            ),
            self._moment(
                "SELECT min(available) FROM pulls WHERE queue = ?1 AND deliveries >= ?3 AND available > ?2",
                queue,
                after,
                most,
            ),
        )
        return min((moment for moment in moments if moment is not None), default=None)

    def backlog(self, queue: int, now: float) -> Backlog:
        """What `queue` holds now."""
        row = self._read(
            "SELECT count(*) FILTER (WHERE available <= ?2), "
            "count(*) FILTER (WHERE available > ?2 AND secret IS NOT NULL), "
            "count(*) FILTER (WHERE available > ?2 AND secret IS NULL) FROM pulls WHERE queue = ?1",
            (queue, now),
        ).fetchone()
        return Backlog(*row) if row else Backlog(0, 0, 0)

    def _exists(self, query: str, *bindings: float) -> bool:
        return self._read(query + " LIMIT 1", bindings).fetchone() is not None

    def _moment(self, query: str, *bindings: float) -> float | None:
        row = self._read(query, bindings).fetchone()
        return None if row is None else row[0]


class QueueWork:
    """What one transaction may do."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._execute = connection.execute
        self._connection = connection

    def accept(self, event: Event, published: float, targets: Sequence[Target]) -> None:
        """Put an event into queues."""
        self._execute(
            "INSERT INTO pull_events (id, published, body) VALUES (?, ?, ?)", (event.id, published, event.body)
        )
        number = self._connection.last_insert_rowid()
        self._connection.executemany(
            "INSERT INTO pulls (queue, event, available, expires) VALUES (?, ?, ?, ?)",
            [(target.queue, number, published, target.expires) for target in targets],
        )

    def receivable(self, queue: int, now: float, most: int, limit: int) -> list[Pull]:
        """Events of `queue` that may be received, those that wait longest first."""
        rows = self._execute(
            f"SELECT {_COLUMNS} {_FROM} {_RECEIVABLE} ORDER BY p.available, p.number LIMIT ?4",
            (queue, now, most, limit),
        )
        return [Pull(*row) for row in rows]

    def spent(self, queue: int, now: float, most: int, limit: int) -> list[Pull]:
        """Events of `queue` that nobody holds and nobody may receive any more."""
        rows = self._execute(f"SELECT {_COLUMNS} {_FROM} {_SPENT} LIMIT ?4", (queue, now, most, limit))
        return [Pull(*row) for row in rows]

    def of_queue(self, queue: int, limit: int) -> list[Pull]:
        """Any events of `queue`."""
        return [Pull(*row) for row in self._execute(f"SELECT {_COLUMNS} {_FROM} p.queue = ? LIMIT ?", (queue, limit))]

    def lock(self, number: int, secret: bytes, now: float, until: float) -> None:
        """Hand an event out."""
        self._execute(
            "UPDATE pulls SET secret = ?, available = ?, received = ?, deliveries = deliveries + 1 WHERE number = ?",
            (secret, until, now, number),
        )

    def held(self, queue: int, number: int, secret: bytes, now: float) -> Pull | None:
        """The event that a lock token holds at this moment."""
        row = self._execute(
            f"SELECT p.secret, {_COLUMNS} {_FROM} p.number = ? AND p.queue = ? AND p.available > ?",
            (number, queue, now),
        ).fetchone()
        if row is None or row[0] is None or not hmac.compare_digest(row[0], secret):
            return None
        return Pull(*row[1:])

    def renew(self, number: int, until: float) -> None:
        """The holder keeps the event until then."""
        self._execute("UPDATE pulls SET available = ? WHERE number = ?", (until, number))

    def release(self, number: int, available: float) -> None:
        """Nobody holds the event; it may be received from then on."""
        self._execute("UPDATE pulls SET available = ?, secret = NULL WHERE number = ?", (available, number))

    def remove(self, gone: Iterable[Pull]) -> None:
        """These are over; events that no other queue has go too."""
        for each in gone:
            self._execute("DELETE FROM pulls WHERE number = ?", (each.number,))
            self._execute(
                "DELETE FROM pull_events WHERE number = ?1 AND NOT EXISTS (SELECT 1 FROM pulls WHERE event = ?1)",
                (each.event,),
            )

    def bury(self, gone: Pull, letter: NewLetter) -> None:
        """An event leaves its queue as a dead letter."""
        insert_letter(self._connection, letter)
        self.remove([gone])

    def clear(self) -> None:
        """Forget everything."""
        self._execute("DELETE FROM pulls; DELETE FROM pull_events")
