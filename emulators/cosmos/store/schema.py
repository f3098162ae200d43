"""The tables, and how a document's place is packed into integers.

A *place* names one physical partition (range) of one container: container number and range id in one integer.
A *position* is a document's primary key and its resource id's counter: the place it was born in and a counter
there. So one range's documents lie together in the file, in creation order, and a container's are one interval.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import apsw

FORMAT_VERSION = 1

RANGE_BITS = 11
COUNTER_BITS = 32

SCHEMA = """
-- `highest_lsn`: new ranges go on from where removed ones had got, so that session tokens which clients keep under a
-- container's name are never ahead of a container made again under it.
CREATE TABLE store (salt INTEGER NOT NULL, highest_lsn INTEGER NOT NULL);

-- Everything but documents. `body` is the resource as clients see it, system properties included.
CREATE TABLE resource (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  kind TEXT NOT NULL,
  parent TEXT NOT NULL,
  id TEXT NOT NULL,
  rid TEXT NOT NULL UNIQUE,
  body TEXT NOT NULL,
  UNIQUE (kind, parent, id)
);

-- Physical partitions. A range that was split stays, closed, so that its children know their ancestors.
CREATE TABLE range (
  place INTEGER PRIMARY KEY,
  container INTEGER NOT NULL,
  low BLOB NOT NULL,
  high BLOB NOT NULL,
  parents TEXT NOT NULL,
  open INTEGER NOT NULL,
  lsn INTEGER NOT NULL,
  made INTEGER NOT NULL
);
CREATE INDEX range_of_container ON range (container);

CREATE TABLE document (
  position INTEGER PRIMARY KEY,
  place INTEGER NOT NULL,
  epk BLOB NOT NULL,
  pk TEXT NOT NULL,
  id TEXT NOT NULL,
  lsn INTEGER NOT NULL,
  ts INTEGER NOT NULL,
  ttl INTEGER,
  body BLOB NOT NULL
);
CREATE UNIQUE INDEX document_key ON document (place, epk, id, pk);
CREATE INDEX document_change ON document (place, lsn);

-- Values under a unique key policy: one row a document and constraint.
CREATE TABLE unique_value (
  container INTEGER NOT NULL,
  pk TEXT NOT NULL,
  constraint_number INTEGER NOT NULL,
  value TEXT NOT NULL,
  position INTEGER NOT NULL,
  PRIMARY KEY (container, pk, constraint_number, value)
) WITHOUT ROWID;
CREATE INDEX unique_value_of ON unique_value (position);

-- All versions and deletes, for containers with a change feed policy.
CREATE TABLE version (
  place INTEGER NOT NULL,
  lsn INTEGER NOT NULL,
  ordinal INTEGER NOT NULL,
  ts INTEGER NOT NULL,
  epk BLOB NOT NULL,
  pk TEXT NOT NULL,
  body TEXT NOT NULL,
  PRIMARY KEY (place, lsn, ordinal)
) WITHOUT ROWID;
"""


def place_of(container: int, range_id: int) -> int:
    """The place of a container's range."""
    return container << RANGE_BITS | range_id


def range_of(place: int) -> int:
    """The range id in a place."""
    return place & (1 << RANGE_BITS) - 1


def position_of(place: int, counter: int) -> int:
    """The primary key of the `counter`-th document made in `place`."""
    return place << COUNTER_BITS | counter


def counter_of(position: int) -> int:
    """The counter in a position."""
    return position & (1 << COUNTER_BITS) - 1


def birthplace_of(position: int) -> int:
    """The place that the document at `position` was made in; after a split it may lie in another."""
    return position >> COUNTER_BITS


def positions_of_container(container: int) -> tuple[int, int]:
    """The [low, high) interval of positions that a container's documents have."""
    return position_of(place_of(container, 0), 0), position_of(place_of(container + 1, 0), 0)


def places_of_container(container: int) -> tuple[int, int]:
    """The [low, high) interval of places that a container's ranges have."""
    return place_of(container, 0), place_of(container + 1, 0)


def fetch(connection: apsw.Connection, sql: str, bindings: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """All rows of a statement; what their columns hold is the schema's business."""
    return connection.execute(sql, tuple(bindings)).fetchall()
