"""What ends a page before it is full: its bytes and its time. And what a request may ask of a page's size."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from azure.cosmos import ContainerProxy, CosmosClient, PartitionKey

from emulators.base.clock import Clock
from emulators.cosmos.account import WELL_KNOWN_KEY
from emulators.cosmos.application import create
from emulators.cosmos.limits import PAGE_ITEMS_MAX, RESPONSE_BYTES_MAX
from tests.emulators.cosmos.http import Door
from tests.serving import served

LIMITS = "learn.microsoft.com/azure/cosmos-db/concepts-limits"
TEXTS = [
    "SELECT * FROM c",
    "SELECT * FROM c WHERE c.number >= 0",
    "SELECT * FROM c ORDER BY c.number DESC",
    "SELECT DISTINCT c.number, c.text FROM c",
    "SELECT c.number, MAX(c.text) AS text FROM c GROUP BY c.number",
    "SELECT VALUE {'number': c.number, 'text': c.text} FROM c OFFSET 1 LIMIT 6",
]


@pytest.mark.documented(f"{LIMITS}: a response has at most 4 MB")
@pytest.mark.parametrize("text", TEXTS)
def test_a_page_ends_before_it_is_too_large(container: ContainerProxy, text: str) -> None:
    """Whatever the clause, no page is over the limit, none is empty, and together they are everything."""
    for number in range(7):
        container.create_item({"id": f"i{number}", "pk": "p", "number": number, "text": "x" * 1_400_000})
    pages = [list(page) for page in container.query_items(text, partition_key="p").by_page()]
    assert [len(page) for page in pages[:-1]] == [2] * (len(pages) - 1)
    assert 2 * 1_400_000 < RESPONSE_BYTES_MAX < 3 * 1_400_000
    numbers = [each["number"] for page in pages for each in page]
    assert sorted(numbers) == list(range(1, 7) if "OFFSET" in text else range(7))


@pytest.mark.documented(f"{LIMITS}: a page of a query runs 5 seconds")
@pytest.mark.parametrize(
    "text",
    [
        "SELECT VALUE c.number FROM c",
        "SELECT VALUE c.number FROM c WHERE c.number * 1 >= @from",
        "SELECT TOP @most VALUE c.number FROM c",
    ],
)
@pytest.mark.parametrize(("leap", "items"), [(0.25, 20), (6.0, 6)])
def test_a_page_ends_when_its_time_is_over(text: str, leap: float, items: int) -> None:
    """By a clock that leaps with each look at it: pages come short, perhaps empty, and together they are everything."""
    start, looks = Clock().now(), itertools.count()
    with (
        served(lambda: create(clock=Clock(lambda: start + next(looks) * leap))) as url,
        CosmosClient(url, WELL_KNOWN_KEY) as client,
    ):
        container = client.create_database("d").create_container("c", PartitionKey("/pk"))
        for number in range(items):
            container.create_item({"id": f"i{number}", "pk": "p", "number": number})
        given = [{"name": "@from", "value": items // 2}, {"name": "@most", "value": items - 2}]
        found = container.query_items(text, given, partition_key="p", max_item_count=1000)
        pages: list[list[Any]] = [list(page) for page in found.by_page()]
    assert len(pages) > 1
    numbers = list(range(items))
    expected = numbers[items // 2 :] if "WHERE" in text else numbers[: items - 2] if "TOP" in text else numbers
    assert [each for page in pages for each in page] == expected


@pytest.mark.seen_on_azure("the .NET SDK's HeadersValidationTests: x-ms-max-item-count")
@pytest.mark.parametrize(("asked", "status"), [("-1", 200), ("1", 200), ("100000", 200), ("-2", 400), ("many", 400)])
def test_a_page_size_is_a_number_that_makes_sense(
    container: ContainerProxy, door: Door, asked: str, status: int
) -> None:
    """-1 leaves it to the server, which caps what is asked; other negative numbers and words are refused."""
    container.create_item({"id": "1", "pk": "p"})
    path = f"dbs/{door.database_of(container)}/colls/{container.id}/docs"
    headers = {
        "content-type": "application/query+json",
        "x-ms-documentdb-isquery": "true",
        "x-ms-documentdb-partitionkey": '["p"]',
        "x-ms-max-item-count": asked,
    }
    answer = door.call("POST", path, {"query": "SELECT * FROM c"}, headers)
    assert answer.status_code == status
    assert status == 400 or int(answer.headers["x-ms-item-count"]) == 1 <= PAGE_ITEMS_MAX
