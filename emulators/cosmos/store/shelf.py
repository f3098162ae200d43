"""A shelf on disk (`sql.shelves.Shelf`): a temporary SQLite database that is gone when it is let go."""

from __future__ import annotations

from collections.abc import Iterator

import apsw

CACHE_KIB = 4 * 1024
"""Pages of a shelf kept in memory: our choice."""
ENTRIES_PER_WRITE = 1000


class DiskShelf:
    """Entries by key in a file without a name, which the operating system removes."""

    def __init__(self) -> None:
        self._connection = apsw.Connection("")
        self._connection.execute(f"PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-{CACHE_KIB}")
        self._connection.execute("PRAGMA temp_store=FILE")
        self._connection.execute(
            "CREATE TABLE entry (key BLOB PRIMARY KEY, place BLOB NOT NULL, content BLOB NOT NULL) WITHOUT ROWID"
        )
        self._waiting: list[tuple[bytes, bytes, bytes]] = []

    def put(self, key: bytes, place: bytes, content: bytes) -> None:
        """Add an entry unless there is one under its key."""
        self._waiting.append((key, place, content))
        if len(self._waiting) >= ENTRIES_PER_WRITE:
            self._write()

    def entries(self) -> Iterator[tuple[bytes, bytes]]:
        """(place, content) of all entries in the order of their places."""
        self._write()
        yield from self._connection.execute("SELECT place, content FROM entry ORDER BY place")

    def _write(self) -> None:
        with self._connection:
            self._connection.executemany("INSERT OR IGNORE INTO entry VALUES (?,?,?)", self._waiting)
        self._waiting.clear()
