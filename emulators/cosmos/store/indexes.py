"""Indexes over documents' paths, made when a query first asks for one: writes pay only for what queries look up.

An index belongs to one container and sorts by the `columns` of one path or several. It is an ordinary SQLite index
over expressions: kept right by every write, dropped with its container, found again by its name after a restart.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

import apsw

from emulators.cosmos.sql.columns import Column
from emulators.cosmos.store.schema import fetch, places_of_container

INDEXES_MAX = 16
"""Indexes one container may have: our choice, as each costs its writes about as much as a tenth of a write."""
INDEXED_DOCUMENTS_MIN = 200
"""Documents ever made in a container below which it is as quick to look at all of them: our choice."""

_ALL = "paths_"
_NAMES_KEPT = 4096
"""Indexes whose names are remembered: our choice."""


@lru_cache(_NAMES_KEPT)
def name_of(container: int, columns: tuple[Column, ...]) -> str:
    """The name of the index over those columns."""
    digest = hashlib.blake2b(repr([(each.steps, each.descends) for each in columns]).encode(), digest_size=8)
    return f"{_prefix(container)}{digest.hexdigest()}"


def belongs(container: int) -> str:
    """The condition that a statement repeats word for word, so that SQLite may use the container's indexes."""
    low, high = places_of_container(container)
    return f"place>={low} AND place<{high}"


def exists(connection: apsw.Connection, name: str) -> bool:
    """Whether there is an index of that name."""
    return bool(fetch(connection, "SELECT 1 FROM sqlite_schema WHERE type='index' AND name=?", (name,)))


def documents_made(connection: apsw.Connection, container: int) -> int:
    """How many documents a container has ever had: as good as how many there are, and quickly known."""
    ((made,),) = fetch(connection, "SELECT coalesce(sum(made), 0) FROM range WHERE container=?", (container,))
    return int(made)


def worth_making(connection: apsw.Connection, container: int) -> bool:
    """Whether a container is large enough to look things up in, and may have one more index."""
    large = documents_made(connection, container) >= INDEXED_DOCUMENTS_MIN
    return large and len(_names(connection, _prefix(container))) < INDEXES_MAX


def make(connection: apsw.Connection, container: int, columns: tuple[Column, ...]) -> None:
    """Make the index over those columns unless it is there."""
    keys = ", ".join(f"{key} DESC" if column.descends else key for column in columns for key in column.keys)
    connection.execute(
        f"CREATE INDEX IF NOT EXISTS {name_of(container, columns)} ON document (place, {keys}) "
        f"WHERE {belongs(container)}"
    )


def drop(connection: apsw.Connection, container: int | None = None) -> None:
    """Drop a container's indexes, or everyone's."""
    for name in _names(connection, _ALL if container is None else _prefix(container)):
        connection.execute(f"DROP INDEX {name}")


def _prefix(container: int) -> str:
    return f"{_ALL}{container}_"


def _names(connection: apsw.Connection, prefix: str) -> list[str]:
    sql = "SELECT name FROM sqlite_schema WHERE type='index' AND name GLOB ?"
    return [str(name) for (name,) in fetch(connection, sql, (f"{prefix}*",))]
