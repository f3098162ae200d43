"""What the storage watch remembers: the blobs as its last look has found them. The only SQL for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass

import apsw
import orjson

from emulators.base.sqlite import Database

SCHEMA = """
CREATE TABLE IF NOT EXISTS watches (since REAL NOT NULL, begun INTEGER NOT NULL DEFAULT 0);  -- one row while watched
CREATE TABLE IF NOT EXISTS watched_blobs (
  container TEXT NOT NULL,
  name TEXT NOT NULL,
  etag TEXT NOT NULL,
  created REAL NOT NULL,
  kind TEXT NOT NULL,
  content_type TEXT NOT NULL,
  tier TEXT NOT NULL,
  size INTEGER NOT NULL,
  md5 TEXT NOT NULL,
  about TEXT NOT NULL,
  PRIMARY KEY (container, name)
) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Watched:
    """A blob as the last look has found it."""

    container: str
    name: str
    etag: str
    created: float
    kind: str
    content_type: str
    tier: str
    size: int
    md5: str
    about: str


class WatchStore:
    """The memory of the storage watch."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._read = database.connection.execute
        self._read(SCHEMA)

    async def begin(self, now: float) -> float | None:
        """Since when storage is watched, if nobody has looked at all of it since; None after the first look."""

        def work(connection: apsw.Connection) -> float | None:
            row = connection.execute("SELECT since, begun FROM watches").fetchone()
            if row is None:
                connection.execute("INSERT INTO watches (since) VALUES (?)", (now,))
                return now
            since, begun = row
            return None if begun else float(since)

        return await self._database.write(work)

    async def begun(self) -> None:
        """All of the account has been looked at."""
        await self._database.write(
            lambda connection: connection.execute("UPDATE watches SET begun = 1 WHERE begun = 0")
        )

    async def forget(self) -> None:
        """Nobody wants storage events any more."""
        await self._database.write(
            lambda connection: connection.execute("DELETE FROM watches; DELETE FROM watched_blobs")
        )

    async def keep_containers(self, kept: Sequence[str]) -> None:
        """Forget the blobs of all containers but these."""
        names = orjson.dumps(kept)
        await self._database.write(
            lambda connection: connection.execute(
                "DELETE FROM watched_blobs WHERE container NOT IN (SELECT value FROM json_each(CAST(? AS TEXT)))",
                (names,),
            )
        )

    def blobs(self, container: str) -> dict[str, Watched]:
        """The blobs of a container as the last look has found them, by name."""
        rows = self._read("SELECT * FROM watched_blobs WHERE container = ?", (container,))
        return {row[1]: Watched(*row) for row in rows}

    async def remember(self, found: Sequence[Watched], gone: Sequence[Watched]) -> None:
        """What a look has found."""
        if not (found or gone):
            return

        def work(connection: apsw.Connection) -> None:
            connection.executemany(
                "INSERT OR REPLACE INTO watched_blobs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (astuple(each) for each in found),
            )
            connection.executemany(
                "DELETE FROM watched_blobs WHERE container = ? AND name = ?",
                ((each.container, each.name) for each in gone),
            )

        await self._database.write(work)
