"""The change feed through the official SDK's pull model: latest versions, all versions, starts, order, paging."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from azure.cosmos import ContainerProxy, CosmosClient, DatabaseProxy, PartitionKey, exceptions

from emulators.base.clock import Clock
from emulators.cosmos.account import WELL_KNOWN_KEY
from emulators.cosmos.application import create
from tests.emulators.cosmos.http import Door
from tests.serving import served

FEED = "learn.microsoft.com/azure/cosmos-db/change-feed"


def ids(pages: Any) -> list[str]:
    return [item["id"] for item in pages]


@pytest.mark.documented(f"{FEED}-modes")
def test_each_item_comes_once_at_its_latest_version(container: ContainerProxy) -> None:
    """An item that changed twice comes once, in the place of its last change; a deleted one does not come."""
    for name in ("a", "b", "c"):
        container.create_item({"id": name, "pk": "x"})
    container.upsert_item({"id": "a", "pk": "x", "n": 1})
    container.delete_item("b", "x")
    changes = list(container.query_items_change_feed(start_time="Beginning"))
    assert ids(changes) == ["c", "a"]
    assert changes[1]["n"] == 1
    assert changes[0]["_lsn"] < changes[1]["_lsn"]


@pytest.mark.documented(f"{FEED}-pull-model")
def test_a_reader_resumes_where_it_stopped(container: ContainerProxy) -> None:
    """The continuation of a page leads to what came after it, and to nothing when nothing did."""
    for number in range(5):
        container.create_item({"id": str(number), "pk": "x"})
    feed = container.query_items_change_feed(start_time="Beginning", max_item_count=2)
    assert ids(feed.by_page().__next__()) == ["0", "1"]
    token = container.client_connection.last_response_headers["etag"]
    assert ids(container.query_items_change_feed(continuation=token)) == ["2", "3", "4"]
    token = container.client_connection.last_response_headers["etag"]
    assert ids(container.query_items_change_feed(continuation=token)) == []
    container.upsert_item({"id": "1", "pk": "x"})
    assert ids(container.query_items_change_feed(continuation=token)) == ["1"]


@pytest.mark.documented(f"{FEED}-pull-model")
def test_a_reader_may_start_now_or_at_a_time(container: ContainerProxy, clock: Clock) -> None:
    """From now shows only what is written after; from a time what was written at or after it."""
    container.create_item({"id": "old", "pk": "x"})
    feed = container.query_items_change_feed(start_time="Now")
    assert ids(feed) == []
    token = container.client_connection.last_response_headers["etag"]
    clock.advance(10)
    moment = clock.utc()
    container.create_item({"id": "new", "pk": "x"})
    assert ids(container.query_items_change_feed(continuation=token)) == ["new"]
    assert ids(container.query_items_change_feed(start_time=moment)) == ["new"]


@pytest.mark.documented(FEED)
def test_a_feed_may_be_of_one_partition_key_or_range(database: DatabaseProxy) -> None:
    """A key's feed has its items only; the ranges' feeds together have all items once."""
    container = database.create_container("many", PartitionKey("/pk"), offer_throughput=18000)
    for number in range(30):
        container.create_item({"id": str(number), "pk": f"p{number % 10}"})
    assert ids(container.query_items_change_feed(start_time="Beginning", partition_key="p3")) == ["3", "13", "23"]
    ranges = list(container.read_feed_ranges())
    assert len(ranges) == 3
    parts = [ids(container.query_items_change_feed(start_time="Beginning", feed_range=each)) for each in ranges]
    assert sorted(itertools.chain.from_iterable(parts), key=int) == [str(number) for number in range(30)]
    assert all(parts)


@pytest.mark.our_choice("a consumer that checkpoints between halves of a batch would lose one")
def test_a_page_never_ends_inside_a_transaction(container: ContainerProxy) -> None:
    """A batch's items share an LSN and come on one page whatever the page size."""
    container.execute_item_batch([("create", ({"id": str(number), "pk": "x"},)) for number in range(5)], "x")
    feed = container.query_items_change_feed(start_time="Beginning", max_item_count=2)
    assert next(ids(page) for page in feed.by_page()) == ["0", "1", "2", "3", "4"]


@pytest.mark.documented(f"{FEED}-modes")
def test_all_versions_and_deletes_are_kept_on_request(database: DatabaseProxy, clock: Clock) -> None:
    """Every create, replace and delete comes in order, with what was there before; expiry is a delete that says so."""
    container = database.create_container(
        "versions", PartitionKey("/pk"), change_feed_policy={"retentionDuration": 10}, default_ttl=-1
    )
    list(container.query_items_change_feed(mode="AllVersionsAndDeletes"))
    token = container.client_connection.last_response_headers["etag"]
    container.create_item({"id": "a", "pk": "x", "n": 1})
    container.upsert_item({"id": "a", "pk": "x", "n": 2})
    container.delete_item("a", "x")
    container.create_item({"id": "b", "pk": "x", "ttl": 5})
    clock.advance(6)
    changes = list(container.query_items_change_feed(continuation=token, mode="AllVersionsAndDeletes"))
    assert [each["metadata"]["operationType"] for each in changes] == [
        "create",
        "replace",
        "delete",
        "create",
        "delete",
    ]
    assert [each["current"].get("n") for each in changes[:3]] == [1, 2, None]
    assert changes[2]["previous"]["n"] == 2
    assert changes[2]["metadata"]["id"] == "a"
    assert changes[2]["metadata"]["partitionKey"] == {"pk": "x"}
    assert changes[4]["metadata"]["timeToLiveExpired"] is True
    assert changes[2]["metadata"]["previousImageLSN"] == changes[1]["metadata"]["lsn"]


@pytest.mark.read_in_sdk("azure-cosmos tests/test_change_feed_all_versions.py: the text it looks for")
def test_all_versions_need_a_policy(container: ContainerProxy) -> None:
    """Without a change feed policy the mode is 400."""
    with pytest.raises(exceptions.CosmosHttpResponseError) as refused:
        list(container.query_items_change_feed(mode="AllVersionsAndDeletes"))
    assert refused.value.status_code == 400
    assert "All Versions and Deletes" in str(refused.value)
    assert "must be enabled" in str(refused.value)


@pytest.mark.documented(f"{FEED}-modes: enabled for an account with continuous backup")
def test_an_account_may_keep_all_versions_of_every_container() -> None:
    """Then no container needs a policy, and what is older than its seven days is gone; as the SDK's sample expects."""
    clock = Clock()
    with served(lambda: create(all_versions=True, clock=clock)) as url, CosmosClient(url, WELL_KNOWN_KEY) as client:
        container = client.create_database("d").create_container("c", PartitionKey("/pk"))
        list(container.query_items_change_feed(mode="AllVersionsAndDeletes"))
        token = container.client_connection.last_response_headers["etag"]

        def operations() -> list[str]:
            feed = container.query_items_change_feed(continuation=token, mode="AllVersionsAndDeletes")
            return [each["metadata"]["operationType"] for each in feed]

        container.create_item({"id": "a", "pk": "x"})
        container.delete_item("a", "x")
        assert operations() == ["create", "delete"]
        clock.advance(8 * 24 * 3600)
        assert operations() == []


@pytest.mark.read_in_sdk("azure-cosmos _routing: clients read on until 304")
def test_nothing_new_is_not_modified(door: Door, container: ContainerProxy) -> None:
    """200 with the LSN as ETag while there are changes, then 304 with the same ETag; malformed tokens are 400."""
    lsn = container.create_item({"id": "a", "pk": "x"}).get_response_headers()["lsn"]
    path, aim = f"{container.container_link}/docs", {"a-im": "Incremental Feed"}
    first = door.call("GET", path, headers=aim)
    assert (first.status_code, first.headers["etag"], first.json()["_count"]) == (200, f'"{lsn}"', 1)
    second = door.call("GET", path, headers={**aim, "if-none-match": first.headers["etag"]})
    assert (second.status_code, second.headers["etag"], second.content) == (304, f'"{lsn}"', b"")
    for headers in ({"if-none-match": "x"}, {"if-modified-since": "x"}, {"a-im": "Other"}):
        assert door.call("GET", path, headers={**aim, **headers}).status_code == 400
