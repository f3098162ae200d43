"""One SQLite file per emulator: WAL, one transaction per event-loop tick, a format version.

What a caller is told was written survives kill -9 (WAL with synchronous=NORMAL: the pages are the kernel's by the
time COMMIT returns). Writers that meet in one tick share one commit; each has a savepoint, so that one that fails
takes back its own work only. Nothing here knows what is stored.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import apsw

Result = TypeVar("Result")

STATEMENT_CACHE_SIZE = 256
"""Prepared statements kept per connection; a hot path must fit. Our choice."""
WAL_BYTES_KEPT_MAX = 64 * 1024 * 1024
"""The write-ahead log is cut back to this after a checkpoint. Our choice."""


class FormatError(Exception):
    """The data directory was written by another version. Says which, and what to do."""


class Database:
    """A connection with grouped commits.

    `path=None` keeps everything in memory. `schema` is run when the file is new. Opening a file with another
    `format_version` raises FormatError and touches nothing.
    """

    def __init__(self, path: Path | None, *, schema: str, format_version: int) -> None:
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        self.connection = apsw.Connection(str(path) if path else ":memory:", statementcachesize=STATEMENT_CACHE_SIZE)
        self.connection.set_busy_timeout(5000)
        for pragma in (
            "journal_mode=WAL",
            "synchronous=NORMAL",
            "foreign_keys=ON",
            f"journal_size_limit={WAL_BYTES_KEPT_MAX}",
        ):
            # Each by itself and to its end: apsw runs what follows a statement with a result only when that is read.
            self.connection.execute(f"PRAGMA {pragma}").fetchall()
        self._waiting: list[asyncio.Future[None]] | None = None
        """Who waits for the commit of the tick's transaction; None when there is none."""
        self._prepare(path, schema, format_version)

    def _prepare(self, path: Path | None, schema: str, format_version: int) -> None:
        (found,) = self.connection.execute("PRAGMA user_version").fetchone() or (0,)
        if found == 0:
            with self.connection:
                self.connection.execute(schema)
                self.connection.execute(f"PRAGMA user_version={format_version}")
        elif found != format_version:
            self.connection.close()
            raise FormatError(
                f"{path} has data format {found}, this version reads {format_version}. "
                "Start with an empty data directory, or use the version that wrote it."
            )

    async def write(self, work: Callable[[apsw.Connection], Result]) -> Result:
        """Run `work` inside the tick's transaction and return its result once that is committed.

        If `work` raises, what it did is taken back, its neighbours are not, and the exception flies on after the
        commit (what it saw may have been a neighbour's write). A commit that fails, say on a full disk, raises the
        apsw error in every writer of the tick, and none of their work remains.
        """
        self._begin_for_this_tick()
        self.connection.execute("SAVEPOINT work")
        try:
            result = work(self.connection)
        except BaseException:
            if not self.connection.in_transaction:  # a full disk: SQLite has taken back the neighbours' work too
                self._commit()  # fails, which tells them; the tick's next writer begins a transaction of its own
                raise
            self.connection.execute("ROLLBACK TO work; RELEASE work")
            await self._outcome()
            raise
        self.connection.execute("RELEASE work")
        await self._outcome()
        return result

    async def settled(self) -> None:
        """Return once everything this connection has read so far is committed: call it before telling a client."""
        if self._waiting is not None:
            await self._outcome()

    def close(self) -> None:
        """Commit what the current tick has written, fold the log into the file, and close."""
        self._commit()
        self.connection.close()

    def _begin_for_this_tick(self) -> None:
        if self._waiting is None:
            self.connection.execute("BEGIN IMMEDIATE")
            self._waiting = []
            asyncio.get_running_loop().call_soon(self._commit)

    def _outcome(self) -> asyncio.Future[None]:
        """Resolved by the commit of the tick's transaction."""
        assert self._waiting is not None
        outcome: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(outcome)
        return outcome

    def _commit(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is None:
            return
        failure: apsw.Error | None = None
        try:
            self.connection.execute("COMMIT")
        except apsw.Error as raised:
            failure = raised
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
        for outcome in waiting:
            if outcome.done():  # its writer was cancelled
                continue
            if failure is None:
                outcome.set_result(None)
            else:
                outcome.set_exception(failure)
