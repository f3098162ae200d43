"""Queries over several physical partitions: the refusal that sends a client to the plan, the plan, what it merges."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from azure.cosmos import ContainerProxy, DatabaseProxy, PartitionKey
from azure.cosmos.aio import CosmosClient as AsyncCosmosClient
from azure.cosmos.exceptions import CosmosHttpResponseError

from tests.emulators.cosmos.http import Door
from tests.target.settings import CosmosAccount

QUERY = {"content-type": "application/query+json", "x-ms-documentdb-isquery": "true"}
CROSS = {**QUERY, "x-ms-documentdb-query-enablecrosspartition": "true"}
PLAN = {"content-type": "application/json", "x-ms-cosmos-is-query-plan-request": "True"}


@pytest.fixture
def spread(database: DatabaseProxy) -> ContainerProxy:
    """Thirty items over several physical partitions."""
    container = database.create_container("spread", PartitionKey("/pk"), offer_throughput=30_000)
    for number in range(30):
        container.create_item({"id": f"i{number:02}", "pk": f"p{number}", "n": number, "kind": "abc"[number % 3]})
    assert len(list(container.read_feed_ranges())) > 1
    return container


def ask(container: ContainerProxy, text: str, **options: Any) -> list[Any]:
    """All results of a query over all partitions."""
    return list(container.query_items(text, enable_cross_partition_query=True, **options))


MERGED: list[tuple[str, list[Any]]] = [
    ("SELECT VALUE c.n FROM c ORDER BY c.n DESC", list(range(29, -1, -1))),
    ("SELECT TOP 4 VALUE c.n FROM c ORDER BY c.n", [0, 1, 2, 3]),
    ("SELECT VALUE c.n FROM c WHERE c.kind = 'b' ORDER BY c.n OFFSET 2 LIMIT 3", [7, 10, 13]),
    ("SELECT VALUE COUNT(1) FROM c", [30]),
    ("SELECT VALUE COUNT(1) FROM c WHERE c.kind = 'a'", [10]),
    ("SELECT VALUE SUM(c.n) FROM c", [435]),
    ("SELECT VALUE AVG(c.n) FROM c", [14.5]),
    ("SELECT VALUE MIN(c.n) FROM c", [0]),
    ("SELECT VALUE MAX(c.n) FROM c", [29]),
]


@pytest.mark.read_in_sdk("azure-cosmos _execution_context: merges by the plan")
@pytest.mark.parametrize(("text", "expected"), MERGED)
def test_the_sdk_merges_partitions_by_the_plan(spread: ContainerProxy, text: str, expected: list[Any]) -> None:
    """Order, windows and aggregates are right over several partitions."""
    assert ask(spread, text) == expected
    assert ask(spread, text, max_item_count=4) == expected


@pytest.mark.read_in_sdk("azure-cosmos _execution_context: DISTINCT, TOP and OFFSET LIMIT are cut by the client")
def test_the_sdk_cuts_what_has_no_order(spread: ContainerProxy) -> None:
    """DISTINCT values come once, TOP and LIMIT are exact, without ORDER BY."""
    assert sorted(ask(spread, "SELECT DISTINCT VALUE c.kind FROM c")) == ["a", "b", "c"]
    assert len(ask(spread, "SELECT TOP 7 * FROM c")) == 7
    assert len(ask(spread, "SELECT * FROM c OFFSET 28 LIMIT 10")) == 2


@pytest.fixture
async def async_client(account: CosmosAccount) -> AsyncIterator[AsyncCosmosClient]:
    """The official async client."""
    async with AsyncCosmosClient(account.url, account.given_key()) as made:
        yield made


@pytest.mark.read_in_sdk("azure-cosmos aio: the same merging")
async def test_the_async_sdk_merges_too(spread: ContainerProxy, async_client: AsyncCosmosClient) -> None:
    """The async client gets the same order and the same sum."""
    container = async_client.get_database_client(Door.database_of(spread)).get_container_client("spread")

    async def results(text: str) -> list[Any]:
        return [each async for each in container.query_items(text)]

    assert await results("SELECT TOP 3 VALUE c.n FROM c ORDER BY c.n DESC") == [29, 28, 27]
    assert await results("SELECT VALUE SUM(c.n) FROM c") == [435]


@pytest.mark.read_in_sdk(
    "azure-cosmos execution_dispatcher, @azure/cosmos queryIterator: both need 400/1004 and the plan"
)
def test_a_query_that_needs_merging_is_refused_with_its_plan(spread: ContainerProxy, door: Door) -> None:
    """The first answer is 400/1004 whose body holds the plan; a plain filter is served at once."""
    path = f"{spread.container_link}/docs"
    refusal = door.call("POST", path, {"query": "SELECT * FROM c ORDER BY c.n"}, CROSS)
    assert (refusal.status_code, refusal.headers["x-ms-substatus"]) == (400, "1004")
    plan = json.loads(refusal.json()["additionalErrorInfo"])
    assert plan["queryInfo"]["orderBy"] == ["Ascending"]
    assert plan["queryRanges"] == [{"min": "", "max": "FF", "isMinInclusive": True, "isMaxInclusive": False}]
    served = door.call("POST", path, {"query": "SELECT * FROM c WHERE c.kind = 'a'"}, CROSS)
    assert served.status_code == 200


@pytest.mark.read_in_sdk("azure-cosmos _routing: a plan's ranges are effective partition keys in hex")
def test_a_plan_asks_only_the_partitions_that_matter(spread: ContainerProxy, door: Door) -> None:
    """A filter on the partition key gives the hash of that key as a closed range."""
    body = {"query": "SELECT * FROM c WHERE c.pk = @p", "parameters": [{"name": "@p", "value": "redmond"}]}
    plan = door.call("POST", f"{spread.container_link}/docs", body, PLAN).json()
    epk = "22E342F38A486A088463DFF7838A5963"
    assert plan["queryRanges"] == [{"min": epk, "max": epk, "isMinInclusive": True, "isMaxInclusive": True}]


@pytest.mark.read_in_sdk("azure-cosmos documents._QueryFeature: GroupBy and NonValueAggregate are not announced")
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("SELECT c.kind FROM c GROUP BY c.kind", "unsupported features"),
        ("SELECT COUNT(1) FROM c", "only supports 'VALUE <AggregateFunc>'"),
    ],
)
def test_a_plan_beyond_what_the_client_announced_is_refused(spread: ContainerProxy, text: str, words: str) -> None:
    """What the Python SDK cannot merge it does not get a plan for, as on Azure."""
    with pytest.raises(CosmosHttpResponseError, match=words) as refusal:
        ask(spread, text)
    assert refusal.value.status_code == 400


@pytest.mark.documented("learn.microsoft.com/azure/cosmos-db/nosql/query/group-by: GROUP BY within one partition")
def test_one_partition_key_needs_no_plan(spread: ContainerProxy) -> None:
    """With a partition key everything is served whole, GROUP BY too."""
    text = "SELECT c.kind, COUNT(1) AS n FROM c GROUP BY c.kind"
    assert list(spread.query_items(text, partition_key="p4")) == [{"kind": "b", "n": 1}]
