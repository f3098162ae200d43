"""Grouped commits: one transaction a tick, a savepoint each, and nothing told before it is durable."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest

from emulators.base.sqlite import WAL_BYTES_KEPT_MAX, Database, FormatError

SCHEMA = "CREATE TABLE word (text TEXT PRIMARY KEY) STRICT"


def insert(text: str) -> Callable[[apsw.Connection], None]:
    return lambda connection: (connection.execute("INSERT INTO word VALUES (?)", (text,)), None)[1]


async def test_writers_of_one_tick_share_a_commit_and_fail_alone(tmp_path: Path) -> None:
    """A writer that fails takes back its own work; its neighbours of the same tick are committed."""
    database = Database(tmp_path / "words.db", schema=SCHEMA, format_version=1)
    outcomes = await asyncio.gather(
        *(database.write(insert(text)) for text in ("a", "b", "a", "c")), return_exceptions=True
    )
    assert [type(outcome) for outcome in outcomes] == [type(None), type(None), apsw.ConstraintError, type(None)]
    witness = apsw.Connection(str(tmp_path / "words.db"))
    assert witness.execute("SELECT group_concat(text, '') FROM (SELECT text FROM word ORDER BY text)").fetchall() == [
        ("abc",)
    ]
    witness.close()
    database.close()


async def test_settled_waits_for_the_tick_in_which_a_value_was_read(tmp_path: Path) -> None:
    """What a reader saw of an open transaction is durable once `settled` has returned."""
    database = Database(tmp_path / "words.db", schema=SCHEMA, format_version=1)
    witness = apsw.Connection(str(tmp_path / "words.db"))
    writing = asyncio.ensure_future(database.write(insert("a")))
    while not database.connection.execute("SELECT * FROM word").fetchall():
        await asyncio.sleep(0)
    await database.settled()
    assert witness.execute("SELECT text FROM word").fetchall() == [("a",)]
    await writing
    witness.close()
    database.close()


async def test_a_commit_that_fails_is_told_to_every_writer_of_the_tick(tmp_path: Path) -> None:
    """A full disk loses nobody's acknowledgement: all writers of the tick get the error and none of it remains."""
    database = Database(tmp_path / "words.db", schema=SCHEMA, format_version=1)
    await database.write(insert("kept"))
    database.connection.set_commit_hook(lambda: True)  # SQLite turns a commit hook's True into a failed COMMIT
    outcomes = await asyncio.gather(*(database.write(insert(text)) for text in "ab"), return_exceptions=True)
    assert all(isinstance(outcome, apsw.Error) for outcome in outcomes)
    database.connection.set_commit_hook(None)
    await database.write(insert("later"))
    assert database.connection.execute("SELECT text FROM word ORDER BY 1").fetchall() == [("kept",), ("later",)]
    database.close()


async def test_a_file_of_another_format_is_refused_and_left_alone(tmp_path: Path) -> None:
    """Data of another version is named in the error and stays readable for the version that wrote it."""
    Database(tmp_path / "words.db", schema=SCHEMA, format_version=1).close()
    with pytest.raises(FormatError, match="format 1, this version reads 2"):
        Database(tmp_path / "words.db", schema=SCHEMA, format_version=2)
    Database(tmp_path / "words.db", schema=SCHEMA, format_version=1).close()


async def test_a_disk_that_fills_up_within_a_tick_tells_who_lost_what(tmp_path: Path) -> None:
    """SQLite takes the whole transaction back by itself: the writers before hear of it, those after begin a new one.

    What a writer was told and what is in the file agree, and the writer whose work did not fit sees why.
    """
    database = Database(tmp_path / "words.db", schema=SCHEMA, format_version=1)
    database.connection.execute("PRAGMA max_page_count=8")
    outcomes = await asyncio.gather(
        *(database.write(insert(text)) for text in ("before", "x" * 100_000, "after")), return_exceptions=True
    )
    assert isinstance(outcomes[0], apsw.Error)
    assert isinstance(outcomes[1], apsw.FullError)
    told = {text for text, outcome in zip(("before", "x", "after"), outcomes, strict=True) if outcome is None}
    witness = apsw.Connection(str(tmp_path / "words.db"))
    assert {row[0] for row in witness.execute("SELECT text FROM word")} == told
    witness.close()
    database.connection.execute("PRAGMA max_page_count=1000")
    await database.write(insert("later"))
    database.close()


async def test_a_file_is_written_as_promised(tmp_path: Path) -> None:
    """A log, no wait for the disk at a commit, foreign keys, a bound on the log: all of it, not the first alone."""
    database = Database(tmp_path / "words.db", schema=SCHEMA, format_version=1)
    names = ("journal_mode", "synchronous", "foreign_keys", "journal_size_limit")
    found = [database.connection.execute(f"PRAGMA {name}").fetchall()[0][0] for name in names]
    database.close()
    assert found == ["wal", 1, 1, WAL_BYTES_KEPT_MAX]


@pytest.mark.parametrize("found", ["no directory", "no database"])
def test_what_is_no_data_of_ours_is_told_by_its_path(tmp_path: Path, found: str) -> None:
    """A file where the directory should be, or another program's file: one error that names it, and it stays."""
    path = tmp_path / "data" / "words.db"
    other = path.parent if found == "no directory" else path
    other.parent.mkdir(exist_ok=True)
    other.write_bytes(b"another program's" * 100)
    with pytest.raises(FormatError, match=r"words\.db cannot be used"):
        Database(path, schema=SCHEMA, format_version=1)
    assert other.read_bytes() == b"another program's" * 100
