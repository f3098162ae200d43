"""kill -9 at any moment: what was acknowledged is there, no batch is half there, and the change feed has no gap."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.emulators.cosmos.http import Door

KILLS = 3
WRITERS = 4
BATCH = 5


@contextmanager
def running(data: Path) -> Iterator[tuple[Door, subprocess.Popen[str]]]:
    """An emulator process on `data`, ended at the latest here."""
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


def write_until_cut_off(door: Door, writer: str, acknowledged: list[str], enough: threading.Event) -> None:
    """Post batches, noting those that were acknowledged, until the connection breaks."""
    headers = {
        "x-ms-documentdb-partitionkey": f'["{writer}"]',
        "x-ms-cosmos-is-batch-request": "True",
        "x-ms-cosmos-batch-atomic": "True",
    }
    for number in range(10_000):
        batch = f"{writer}-{number}"
        operations = [
            {"operationType": "Create", "resourceBody": {"id": f"{batch}-{part}", "pk": writer, "batch": batch}}
            for part in range(BATCH)
        ]
        try:
            answer = door.call("POST", "dbs/d/colls/c/docs", operations, headers)
        except requests.RequestException:
            return
        assert answer.status_code == 200
        acknowledged.append(batch)
        if number == 10:
            enough.set()


@pytest.mark.our_choice("with --data, an acknowledgement is a promise")
def test_kill_9_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    """After each kill every acknowledged batch is whole, no other is partial, and the feed tells each item once."""
    acknowledged: list[str] = []
    with running(tmp_path) as (door, _):
        door.call("POST", "dbs", {"id": "d"})
        key = {"paths": ["/pk"], "kind": "Hash", "version": 2}
        assert door.call("POST", "dbs/d/colls", {"id": "c", "partitionKey": key}).status_code == 201
    for kill in range(KILLS):
        with running(tmp_path) as (door, process):
            enough = threading.Event()
            threads = [
                threading.Thread(target=write_until_cut_off, args=(door, f"k{kill}w{writer}", acknowledged, enough))
                for writer in range(WRITERS)
            ]
            for thread in threads:
                thread.start()
            assert enough.wait(timeout=30)
            process.kill()
            for thread in threads:
                thread.join(timeout=30)
    with running(tmp_path) as (door, _):
        documents = door.call("GET", "dbs/d/colls/c/docs", headers={"x-ms-max-item-count": "1000"})
        token, items = documents.headers.get("x-ms-continuation"), documents.json()["Documents"]
        while token:
            page = door.call("GET", "dbs/d/colls/c/docs", headers={"x-ms-continuation": token})
            token, items = page.headers.get("x-ms-continuation"), items + page.json()["Documents"]
        changes: list[Any] = []
        etag = ""
        while True:
            headers = {"a-im": "Incremental Feed", **({"if-none-match": etag} if etag else {})}
            page = door.call("GET", "dbs/d/colls/c/docs", headers=headers)
            if page.status_code == 304:
                break
            etag, changes = page.headers["etag"], changes + page.json()["Documents"]
    sizes: dict[str, int] = {}
    for item in items:
        sizes[item["batch"]] = sizes.get(item["batch"], 0) + 1
    assert len(acknowledged) > KILLS * 10
    assert set(sizes.values()) == {BATCH}
    assert set(acknowledged) <= set(sizes)
    assert sorted(item["id"] for item in changes) == sorted(item["id"] for item in items)
    assert [item["_lsn"] for item in changes] == sorted(item["_lsn"] for item in changes)
