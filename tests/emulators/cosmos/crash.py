"""`python -m tests.emulators.cosmos.crash --kills 200`: kill -9 under load, and what has to be true afterwards.

The emulator runs on a data directory and is killed again and again, while writers in this process, which survives,
note what was acknowledged: single creates, upserts that count up, deletes, transactional batches and a stored
procedure. A reader follows the change feed across the kills by its continuation alone. In the end everything that was
acknowledged is there, no transaction is there in part, and the reader has seen the last version of every item.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from tests.emulators.cosmos.http import Door

BATCH = 5
WRITES_PER_KILL = 40
"""Acknowledgements after which the process is killed, in the middle of the next ones."""
ITEMS = "dbs/d/colls/c/docs"
PROCEDURE = """function (batch, count) {
    for (var i = 0; i < count; i++) {
        __.createDocument(__.getSelfLink(), { id: batch + "-" + i, pk: "s", batch: batch });
    }
}"""


@dataclass
class Record:
    """What was acknowledged, by the writers' own count."""

    created: set[str] = field(default_factory=set)
    counted: dict[str, int] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)
    batches: set[str] = field(default_factory=set)
    acknowledged: int = 0
    enough: threading.Event = field(default_factory=threading.Event)
    goal: int = 0

    def note(self) -> None:
        """Count one more acknowledgement."""
        self.acknowledged += 1
        if self.acknowledged >= self.goal:
            self.enough.set()


@contextmanager
def running(data: Path) -> Iterator[tuple[Door, subprocess.Popen[str]]]:
    """An emulator process on `data`, killed at the latest here."""
    command = [sys.executable, "-m", "emulators.cosmos", "--port", "0", "--data", str(data), "--exit-when-stdin-closes"]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        assert process.stdout is not None
        yield Door(process.stdout.readline().removeprefix("ready ").strip()), process
    finally:
        process.kill()
        process.wait(timeout=10)
        process.communicate()


def _keyed(key: str, **headers: str) -> dict[str, str]:
    return {"x-ms-documentdb-partitionkey": f'["{key}"]', **{n.replace("_", "-"): v for n, v in headers.items()}}


def single_writes(door: Door, name: str, record: Record) -> None:
    """Create an item, count it up, delete every third."""
    for number in range(10_000):
        item = f"{name}-{number}"
        assert door.call("POST", ITEMS, {"id": item, "pk": name}, _keyed(name)).status_code == 201
        record.created.add(item)
        record.note()
        counted = {"id": f"{name}-counter", "pk": name, "n": number}
        headers = _keyed(name, x_ms_documentdb_is_upsert="True")
        assert door.call("POST", ITEMS, counted, headers).status_code in (200, 201)
        record.counted[f"{name}-counter"] = number
        record.note()
        if number % 3 == 0:
            record.created.discard(item)  # from now on it may be gone
            assert door.call("DELETE", f"{ITEMS}/{item}", headers=_keyed(name)).status_code == 204
            record.deleted.add(item)
            record.note()


def batches(door: Door, name: str, record: Record) -> None:
    """Transactional batches of creates."""
    headers = _keyed(name, x_ms_cosmos_is_batch_request="True", x_ms_cosmos_batch_atomic="True")
    for number in range(10_000):
        batch = f"{name}-{number}"
        operations = [
            {"operationType": "Create", "resourceBody": {"id": f"{batch}-{part}", "pk": name, "batch": batch}}
            for part in range(BATCH)
        ]
        assert door.call("POST", ITEMS, operations, headers).status_code == 200
        record.batches.add(batch)
        record.note()


def scripts(door: Door, name: str, record: Record) -> None:
    """A stored procedure that creates several items in one partition."""
    for number in range(10_000):
        batch = f"{name}-{number}"
        told = door.call("POST", "dbs/d/colls/c/sprocs/create", [batch, BATCH], _keyed("s"))
        assert told.status_code == 200, told.text
        record.batches.add(batch)
        record.note()


WRITERS: tuple[tuple[str, Callable[[Door, str, Record], None]], ...] = (
    ("one", single_writes),
    ("two", single_writes),
    ("batch", batches),
    ("script", scripts),
)


@dataclass
class Feed:
    """A reader of the change feed that knows nothing but its continuation."""

    etag: str = ""
    seen: dict[str, dict[str, Any]] = field(default_factory=dict)
    lsns: list[int] = field(default_factory=list)

    def drain(self, door: Door) -> None:
        """Read on until there is nothing new."""
        while True:
            headers = {"a-im": "Incremental Feed", **({"if-none-match": self.etag} if self.etag else {})}
            page = door.call("GET", ITEMS, headers=headers)
            self.etag = page.headers["etag"]
            if page.status_code == 304:
                return
            for item in page.json()["Documents"]:
                self.seen[item["id"]] = item
                self.lsns.append(item["_lsn"])


def prepare(data: Path) -> None:
    """A container and a procedure on an empty directory."""
    with running(data) as (door, _):
        door.call("POST", "dbs", {"id": "d"})
        key = {"paths": ["/pk"], "kind": "Hash", "version": 2}
        assert door.call("POST", "dbs/d/colls", {"id": "c", "partitionKey": key}).status_code == 201
        assert door.call("POST", "dbs/d/colls/c/sprocs", {"id": "create", "body": PROCEDURE}).status_code == 201


def load_and_kill(data: Path, kill: int, record: Record, feed: Feed) -> None:
    """One life of the process: the feed goes on where it was, writers write, and it is killed among them."""
    record.enough.clear()
    record.goal = record.acknowledged + WRITES_PER_KILL
    with running(data) as (door, process):
        feed.drain(door)

        def write(name: str, work: Callable[[Door, str, Record], None]) -> None:
            try:
                work(door, f"k{kill}{name}", record)
            except requests.RequestException:
                return  # it was killed

        threads = [threading.Thread(target=write, args=each) for each in WRITERS]
        for thread in threads:
            thread.start()
        alive = record.enough.wait(timeout=60)
        process.kill()
        for thread in threads:
            thread.join(timeout=60)
        if not alive:
            raise RuntimeError("the emulator acknowledged too little within a minute")


def check(data: Path, record: Record, feed: Feed) -> dict[str, int]:
    """What is there against what was acknowledged. Raises AssertionError; the counts when all is well."""
    with running(data) as (door, _):
        items: dict[str, dict[str, Any]] = {}
        token: str | None = ""
        while token is not None:
            page = door.call("GET", ITEMS, headers={"x-ms-continuation": token, "x-ms-max-item-count": "1000"})
            token = page.headers.get("x-ms-continuation")
            items |= {item["id"]: item for item in page.json()["Documents"]}
        feed.drain(door)
    sizes = Counter(item["batch"] for item in items.values() if "batch" in item)
    assert record.created <= set(items), "an acknowledged create is lost"
    assert not record.deleted & set(items), "an acknowledged delete is undone"
    assert all(items[each]["n"] >= number for each, number in record.counted.items()), "an acknowledged upsert is lost"
    assert record.batches <= set(sizes), "an acknowledged batch is lost"
    assert set(sizes.values()) == {BATCH}, "a batch is there in part"
    assert feed.lsns == sorted(feed.lsns), "the change feed went back"
    last = {each: seen["_etag"] for each, seen in feed.seen.items() if each in items}
    assert last == {each: item["_etag"] for each, item in items.items()}, "the change feed has a gap"
    return {"acknowledged": record.acknowledged, "items": len(items), "changes": len(feed.lsns)}


def run(data: Path, kills: int, tell: Callable[[str], None] = lambda _: None) -> dict[str, int]:
    """Kill so many times, then check. The counts."""
    record, feed = Record(), Feed()
    prepare(data)
    for kill in range(kills):
        load_and_kill(data, kill, record, feed)
        if (kill + 1) % 20 == 0:
            tell(f"{kill + 1} kills, {record.acknowledged} acknowledged")
    return check(data, record, feed)


def main() -> int:
    """Run the command line; an exception is the failure."""
    parser = argparse.ArgumentParser(prog="python -m tests.emulators.cosmos.crash", description=__doc__)
    parser.add_argument("--kills", type=int, default=200, help="how often (default %(default)s)")
    chosen = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as data:
        counts = run(Path(data), chosen.kills, print)
    print(f"{chosen.kills} kills in {time.monotonic() - began:.0f} s, nothing lost: {counts}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
