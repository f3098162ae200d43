"""Partition splits on request: what clients hold from before a split stays true or is refused the documented way."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from azure.cosmos import ContainerProxy, DatabaseProxy, PartitionKey

from tests.emulators.cosmos.http import Door

CONTROL = {"x-emulator-control": "1"}
pytestmark = pytest.mark.needs_emulator("a range splits on request")


def split(door: Door, container: ContainerProxy, range_id: str = "0") -> list[dict[str, Any]]:
    body = {"database": door.database_of(container), "container": container.id, "range": range_id}
    answer = requests.post(f"{door.url}/_emulator/split", json=body, headers=CONTROL, timeout=5)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["ranges"])


@pytest.fixture
def filled(container: ContainerProxy) -> ContainerProxy:
    """A container with forty items under twenty keys."""
    for number in range(40):
        container.create_item({"id": str(number), "pk": f"p{number % 20}"})
    return container


@pytest.mark.documented("learn.microsoft.com/azure/cosmos-db/partitioning-overview#physical-partitions")
@pytest.mark.parametrize("version", [1, 2])
def test_a_split_keeps_every_item(door: Door, database: DatabaseProxy, version: int) -> None:
    """Both children have items, together all of them, and reads and writes go on."""
    container = database.create_container("split", PartitionKey("/pk", version=version))
    for number in range(40):
        container.create_item({"id": str(number), "pk": f"p{number}"})
    assert [each["parents"] for each in split(door, container)] == [["0"], ["0"]]
    split(door, container, "1")
    assert len(list(container.read_all_items())) == 40
    assert all(container.read_item(str(number), f"p{number}") for number in range(40))
    container.upsert_item({"id": "0", "pk": "p0", "n": 1})
    container.create_item({"id": "new", "pk": "p0"})
    ranges = door.call("GET", f"{container.container_link}/pkranges").json()["PartitionKeyRanges"]
    assert sorted(each["id"] for each in ranges) == ["2", "3", "4"]
    counts = [
        door.call(
            "GET", f"{container.container_link}/docs", headers={"x-ms-documentdb-partitionkeyrangeid": each}
        ).json()
        for each in ("2", "3", "4")
    ]
    assert sum(each["_count"] for each in counts) == 41
    assert all(each["_count"] for each in counts)


@pytest.mark.read_in_sdk("azure-cosmos _gone_retry_policy.py")
def test_a_client_that_knows_the_old_range_learns_the_new_ones(door: Door, filled: ContainerProxy) -> None:
    """The old range id is 410/1002 and a query of the same client reads all items after it has refreshed."""
    assert len(list(filled.query_items("SELECT * FROM c", enable_cross_partition_query=True))) == 40
    split(door, filled)
    old = door.call("GET", f"{filled.container_link}/docs", headers={"x-ms-documentdb-partitionkeyrangeid": "0"})
    assert (old.status_code, old.headers["x-ms-substatus"]) == (410, "1002")
    assert len(list(filled.query_items("SELECT * FROM c", enable_cross_partition_query=True))) == 40


@pytest.mark.documented("learn.microsoft.com/azure/cosmos-db/nosql/change-feed-pull-model")
def test_a_change_feed_goes_on_through_a_split(door: Door, filled: ContainerProxy) -> None:
    """A continuation from before the split leads to what changed after it, once each."""
    assert len(list(filled.query_items_change_feed(start_time="Beginning"))) == 40
    token = filled.client_connection.last_response_headers["etag"]
    filled.upsert_item({"id": "3", "pk": "p3", "n": 1})
    split(door, filled)
    filled.upsert_item({"id": "5", "pk": "p5", "n": 1})
    filled.create_item({"id": "late", "pk": "p7"})
    changed = [item["id"] for item in filled.query_items_change_feed(continuation=token)]
    assert sorted(changed) == ["3", "5", "late"]


@pytest.mark.our_choice("a continuation names a range; after a split it must neither repeat nor lose items")
@pytest.mark.parametrize("size", ["15", "4"])
@pytest.mark.parametrize("query", ["", "SELECT * FROM c"])
def test_a_feed_goes_on_through_splits(door: Door, filled: ContainerProxy, size: str, query: str) -> None:
    """The continuations of pages from before and between splits give exactly the rest, of a feed and of a query."""
    headers = {"x-ms-max-item-count": size}
    if query:
        headers |= {"x-ms-documentdb-isquery": "true", "x-ms-documentdb-query-enablecrosspartition": "true"}
    seen: list[str] = []
    token: str | None = ""
    number = 0
    while token is not None:
        method, body = ("POST", {"query": query}) if query else ("GET", None)
        given = headers | ({"x-ms-continuation": token} if token else {})
        page = door.call(method, f"{filled.container_link}/docs", body, given)
        seen += [item["id"] for item in page.json()["Documents"]]
        token = page.headers.get("x-ms-continuation")
        if number < 2:
            split(door, filled, str(number))
        number += 1
    assert sorted(seen, key=int) == [str(number) for number in range(40)]


@pytest.mark.read_in_sdk("azure-cosmos _session.py: tokens of split ranges")
def test_a_session_from_before_a_split_is_honoured(door: Door, filled: ContainerProxy) -> None:
    """The parent's token is met by the children; one ahead of what was written is 404/1002."""
    token = filled.create_item({"id": "x", "pk": "p1"}).get_response_headers()["x-ms-session-token"]
    split(door, filled)
    path, key = f"{filled.container_link}/docs/x", {"x-ms-documentdb-partitionkey": '["p1"]'}
    assert door.call("GET", path, headers={**key, "x-ms-session-token": token}).status_code == 200
    ahead = door.call("GET", path, headers={**key, "x-ms-session-token": "0:-1#9999"})
    assert (ahead.status_code, ahead.headers["x-ms-substatus"]) == (404, "1002")


@pytest.mark.our_choice("control endpoints are ours")
def test_a_split_of_nothing_is_refused(door: Door, container: ContainerProxy) -> None:
    """Unknown containers and ranges are 404 with what to do."""
    known = {"database": door.database_of(container), "container": container.id}
    unknown: list[dict[str, str]] = [{}, {"database": "none", "container": "x"}, {**known, "range": "9"}]
    for body in unknown:
        answer = requests.post(f"{door.url}/_emulator/split", json=body, headers=CONTROL, timeout=5)
        assert answer.status_code == 404


@pytest.mark.read_in_sdk("@azure/cosmos bulk: 410 with 1002 makes it learn the ranges and send again")
def test_a_bulk_request_to_a_split_range_is_gone(door: Door, filled: ContainerProxy) -> None:
    """As a whole when the range is closed; operation by operation when one lies in another range."""
    headers = {"x-ms-cosmos-is-batch-request": "true", "x-ms-cosmos-batch-atomic": "false"}
    path = f"{filled.container_link}/docs"
    operations = [
        {"operationType": "Upsert", "partitionKey": f'["p{number}"]', "resourceBody": {"id": "n", "pk": f"p{number}"}}
        for number in range(20)
    ]
    left, right = (each["id"] for each in split(door, filled))
    gone = door.call("POST", path, operations, {**headers, "x-ms-documentdb-partitionkeyrangeid": "0"})
    assert (gone.status_code, gone.headers["x-ms-substatus"]) == (410, "1002")
    answers = [
        door.call("POST", path, operations, {**headers, "x-ms-documentdb-partitionkeyrangeid": each}).json()
        for each in (left, right)
    ]
    for one, other in zip(*answers, strict=True):
        assert {one["statusCode"], other["statusCode"]} == {201, 410}
        assert {one["subStatusCode"], other["subStatusCode"]} == {0, 1002}
