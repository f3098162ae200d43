"""Snapshots: the whole store under a name, to go back to in a moment.

With a data directory they are SQLite files beside the data and survive restarts; without, bytes in memory.
"""

from __future__ import annotations

import re
from pathlib import Path

import apsw

from emulators.cosmos.store.schema import fetch

NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
SNAPSHOTS_MAX = 20
"""Snapshots kept at once: our choice; each is as large as the data."""
_PAGES_PER_STEP = 1000


class SnapshotError(ValueError):
    """A snapshot that cannot be made or found. The text says why."""


class Snapshots:
    """The snapshots of one store. `directory=None` keeps them in memory."""

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory / "snapshots" if directory else None
        self._memory: dict[str, bytes] = {}

    def names(self) -> list[str]:
        """The names there are, sorted."""
        if self._directory is None:
            return sorted(self._memory)
        return sorted(file.stem for file in self._directory.glob("*.sqlite"))

    def take(self, connection: apsw.Connection, name: str) -> None:
        """Keep what is committed now as `name`. Raises SnapshotError."""
        if not NAME.fullmatch(name):
            raise SnapshotError("A snapshot's name has 1 to 64 of the characters A-Z a-z 0-9 . _ -")
        if name not in self.names() and len(self.names()) >= SNAPSHOTS_MAX:
            raise SnapshotError(f"There are {SNAPSHOTS_MAX} snapshots already; remove one first.")
        if self._directory is None:
            self._memory[name] = connection.serialize("main")
            return
        self._directory.mkdir(parents=True, exist_ok=True)
        unfinished = self._directory / f"{name}.unfinished"
        unfinished.unlink(missing_ok=True)
        connection.execute("VACUUM INTO ?", (str(unfinished),))
        unfinished.replace(self._file(name))

    def restore(self, connection: apsw.Connection, name: str) -> None:
        """Replace everything on `connection` by the snapshot. Raises SnapshotError.

        LSNs do not go back with it, so that the session tokens that clients hold stay good; nor do the counters of
        documents made, from which a script that is running has its places.
        """
        if name not in self.names():
            raise SnapshotError(f"There is no snapshot of that name; there are {self.names()}.")
        ((highest,),) = fetch(
            connection, "SELECT max(highest_lsn, coalesce((SELECT max(lsn) FROM range), 0)) FROM store"
        )
        made = fetch(connection, "SELECT made, place FROM range")
        source = apsw.Connection(":memory:" if self._directory is None else str(self._file(name)))
        try:
            if self._directory is None:
                source.deserialize("main", self._memory[name])
            with connection.backup("main", source, "main") as backup:
                while not backup.done:
                    backup.step(_PAGES_PER_STEP)
        finally:
            source.close()
        connection.execute("UPDATE range SET lsn=max(lsn, ?)", (highest,))
        connection.executemany("UPDATE range SET made=max(made, ?) WHERE place=?", made)
        connection.execute("UPDATE store SET highest_lsn=max(highest_lsn, ?)", (highest,))

    def remove(self, name: str) -> bool:
        """Drop a snapshot; False when there is none of that name."""
        if name not in self.names():
            return False
        if self._directory is None:
            del self._memory[name]
        else:
            self._file(name).unlink()
        return True

    def _file(self, name: str) -> Path:
        assert self._directory is not None
        return self._directory / f"{name}.sqlite"
