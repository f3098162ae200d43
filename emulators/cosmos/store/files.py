"""The store as a whole: one SQLite file opened, emptied and closed, with its catalog."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import apsw

from emulators.base.clock import Clock
from emulators.base.ids import Ids
from emulators.base.sqlite import Database
from emulators.cosmos.store import indexes
from emulators.cosmos.store.catalog import Catalog
from emulators.cosmos.store.schema import FORMAT_VERSION, SCHEMA

FILE_NAME = "cosmos.sqlite"
CACHE_KIB = 16 * 1024
"""Pages kept in memory: our choice; SQLite's own 2 MiB make a write transaction spill."""
CHECKPOINT_PAGES = 4000
"""Pages in the log before they are folded into the file: our choice, four times SQLite's, as each costs two syncs."""
_TABLES = ("unique_value", "version", "document", "range", "resource")

Result = TypeVar("Result")


class Store:
    """An account's data. `directory=None` keeps it in memory; `versions_minutes` as in `Catalog`."""

    def __init__(self, directory: Path | None, clock: Clock, ids: Ids, versions_minutes: int | None = None) -> None:
        path = directory / FILE_NAME if directory else None
        self.database = Database(path, schema=SCHEMA, format_version=FORMAT_VERSION)
        self.connection = self.database.connection
        self.connection.execute(
            f"PRAGMA cache_size=-{CACHE_KIB}; PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}"
        ).fetchall()
        self._ids = ids
        self.catalog = Catalog(self.connection, clock, ids, self.salt(), versions_minutes)

    async def change_catalog(self, work: Callable[[apsw.Connection], Result]) -> Result:
        """Like `Database.write`, for work that changes resources: what was kept in memory follows the outcome."""
        try:
            return await self.database.write(work)
        except BaseException:
            self.catalog.forget()
            raise

    async def reset(self) -> None:
        """Forget everything."""

        def empty(connection: apsw.Connection) -> None:
            connection.execute(
                "UPDATE store SET salt=?, highest_lsn=max(highest_lsn, coalesce((SELECT max(lsn) FROM range), 0))",
                (self._fresh_salt(),),
            )
            indexes.drop(connection)
            for table in _TABLES:
                connection.execute(f"DELETE FROM {table}")  # noqa: S608 - names from the tuple above
            self.catalog.forget(salt=self.salt())

        await self.change_catalog(empty)

    def close(self) -> None:
        """Commit and close the file."""
        self.database.close()

    def salt(self) -> int:
        """What this store's resource ids are mixed with: made once, kept in the file."""
        row = self.connection.execute("SELECT salt FROM store").fetchone()
        if row:
            return int(row[0])
        salt = self._fresh_salt()
        self.connection.execute("INSERT INTO store VALUES (?, 0)", (salt,))
        return salt

    def _fresh_salt(self) -> int:
        return int.from_bytes(self._ids.token(4), "big")
