"""Requests that overlap: a partition may split, a container may go, while another request waits for a commit."""

from __future__ import annotations

import asyncio
from email.utils import formatdate
from pathlib import Path
from typing import Any

import orjson
import pytest

from emulators.base.clock import stopped_clock
from emulators.base.ids import Ids
from emulators.base.serving import Application, Request, Response
from emulators.cosmos.application import create
from tests.emulators.cosmos.http import authorization

ITEMS = "dbs/d/colls/c"
CROSS = {"x-ms-documentdb-isquery": "true", "x-ms-documentdb-query-enablecrosspartition": "true"}
RETRY_OR_ALL = "a reader that a split overtakes must not lose items: the service tells it to come again (410)"


def documents(answer: Response) -> list[Any]:
    """What a feed's or query's answer holds."""
    assert isinstance(answer.body, bytes)
    return list(orjson.loads(answer.body)["Documents"])


class Direct:
    """Calls an emulator without a socket, so that a test decides which requests overlap."""

    def __init__(self, path: Path | None = None, ids: Ids | None = None) -> None:
        self.clock = stopped_clock()
        self.application: Application = create(path, clock=self.clock, ids=ids)

    async def call(
        self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None
    ) -> Response:
        """One request of the REST interface."""
        date = formatdate(self.clock.now(), usegmt=True)
        signed = {"host": "test", "x-ms-date": date, "authorization": authorization(method, path, date)}
        sent = b"" if body is None else orjson.dumps(body)
        return await self.application.handle(Request(method, f"/{path}", {**signed, **(headers or {})}, sent))

    async def control(self, path: str, body: object) -> Response:
        """One request to a control endpoint."""
        headers = {"host": "test", "x-emulator-control": "1", "content-type": "application/json"}
        return await self.application.handle(Request("POST", f"/_emulator/{path}", headers, orjson.dumps(body)))

    async def split(self) -> Response:
        """Split the container's first range."""
        return await self.control("split", {"database": "d", "container": "c"})

    async def make(self, **description: Any) -> None:
        """A database and an empty container."""
        await self.call("POST", "dbs", {"id": "d"})
        partition_key = {"paths": ["/pk"], "kind": "Hash", "version": 2}
        made = await self.call("POST", "dbs/d/colls", {"id": "c", "partitionKey": partition_key, **description})
        assert made.status == 201

    async def put(self, name: str, **members: Any) -> Response:
        """Upsert an item under its own key."""
        key = {"x-ms-documentdb-partitionkey": orjson.dumps([name]).decode(), "x-ms-documentdb-is-upsert": "true"}
        return await self.call("POST", f"{ITEMS}/docs", {"id": name, "pk": name, **members}, key)

    async def names(self) -> list[str]:
        """The ids of all items."""
        feed = await self.call("GET", f"{ITEMS}/docs", headers={"x-ms-max-item-count": "1000"})
        return sorted(item["id"] for item in documents(feed))


@pytest.mark.our_choice("what was acknowledged is there, whatever happened meanwhile")
async def test_a_bulk_request_writes_on_through_a_split() -> None:
    """Every item that was answered with 201 can be read."""
    direct = Direct()
    await direct.make()
    names = [f"i{number:02}" for number in range(40)]
    operations = [
        {"operationType": "Create", "partitionKey": f'["{name}"]', "resourceBody": {"id": name, "pk": name}}
        for name in names
    ]
    bulk = {"x-ms-cosmos-is-batch-request": "true", "x-ms-cosmos-batch-atomic": "false"}

    async def split_soon() -> Response:
        await asyncio.sleep(0)
        return await direct.split()

    answer, halves = await asyncio.gather(direct.call("POST", f"{ITEMS}/docs", operations, bulk), split_soon())
    assert (answer.status, halves.status) == (200, 200)
    assert await direct.names() == names


@pytest.mark.our_choice("what was acknowledged is there, whatever happened meanwhile")
async def test_a_write_that_sweeps_is_kept_through_a_split() -> None:
    """The upkeep that a write does leaves no gap in which its partition can split under it."""
    direct = Direct()
    await direct.make(defaultTtl=60)
    written, halves = await asyncio.gather(direct.put("a"), direct.split())
    assert (written.status, halves.status) == (201, 200)
    assert await direct.names() == ["a"]


@pytest.mark.our_choice(RETRY_OR_ALL)
async def test_a_long_query_is_not_cut_short_by_a_split() -> None:
    """A query of many documents that is overtaken by a split gives all of them, or 410/1002."""
    direct = Direct()
    await direct.make()
    await asyncio.gather(*(direct.put(f"i{number}", n=1) for number in range(1200)))
    query = {"query": "SELECT VALUE COUNT(1) FROM c"}
    counted, halves = await asyncio.gather(direct.call("POST", f"{ITEMS}/docs", query, CROSS), direct.split())
    assert halves.status == 200
    if counted.status == 200:
        assert documents(counted) == [1200]
    else:
        assert (counted.status, counted.headers["x-ms-substatus"]) == (410, "1002")


@pytest.mark.our_choice(RETRY_OR_ALL)
async def test_the_feed_of_all_versions_reads_on_through_a_split() -> None:
    """A reader that waits for its upkeep while the range splits misses no change."""
    direct = Direct()
    await direct.make(changeFeedPolicy={"retentionDuration": 10})
    await direct.put("a")
    feed, halves = await asyncio.gather(
        direct.call("GET", f"{ITEMS}/docs", headers={"a-im": "Full-Fidelity Feed", "if-none-match": '"0"'}),
        direct.split(),
    )
    assert (feed.status, halves.status) == (200, 200)
    assert len(documents(feed)) == 1


@pytest.mark.our_choice("control endpoints are ours")
async def test_a_snapshot_is_taken_between_writes(tmp_path: Path) -> None:
    """Snapshots of a busy emulator do not fail for its writers."""
    direct = Direct(tmp_path)
    await direct.make()

    async def busy(worker: int) -> None:
        for number in range(20):
            assert (await direct.put(f"i{worker}-{number}")).status == 201

    async def snapshots() -> list[int]:
        return [(await direct.control("snapshots", {"name": f"s{number}"})).status for number in range(10)]

    *_, taken = await asyncio.gather(*(busy(worker) for worker in range(4)), snapshots())
    assert taken == [201] * 10


class Watched(Ids):
    """Ids that tell when one more guid has been made than they were told to pass over."""

    passes = 0

    def __init__(self) -> None:
        super().__init__()
        self.made = asyncio.Event()

    def guid(self) -> str:
        """As ever."""
        self.passes -= 1
        if self.passes == -1:
            self.made.set()
        return super().guid()


@pytest.mark.our_choice("what was acknowledged is there, whatever happened meanwhile")
async def test_a_script_that_a_restore_overtakes_takes_nobodys_place() -> None:
    """The places that it reserved for its items before the restore are not given to others after it."""
    ids = Watched()
    direct = Direct(ids=ids)
    await direct.make()
    text = "function () { for (var n = 0; n < 2; n++) __.createDocument(__.getSelfLink(), { pk: 'p' }); }"
    assert (await direct.call("POST", f"{ITEMS}/sprocs", {"id": "p", "body": text})).status == 201
    assert (await direct.control("snapshots", {"name": "before"})).status == 201
    ids.made.clear()
    ids.passes = 1
    key = {"x-ms-documentdb-partitionkey": '["p"]', "x-ms-activity-id": "script"}
    script = asyncio.create_task(direct.call("POST", f"{ITEMS}/sprocs/p", [], key))
    await ids.made.wait()  # the second item's id; the first has its place
    assert (await direct.control("restore", {"name": "before"})).status == 204
    assert (await script).status == 200
    written = [(await direct.put(f"i{number}")).status for number in range(3)]
    assert written == [201, 201, 201]
    assert len(await direct.names()) == 5
    await direct.application.close()
