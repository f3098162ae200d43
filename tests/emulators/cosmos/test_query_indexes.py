"""Queries over a container large enough that indexes are made: the results are those of looking at every item."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.cosmos import ContainerProxy, CosmosClient, PartitionKey
from azure.cosmos.exceptions import CosmosHttpResponseError

from emulators.base.clock import Clock
from emulators.cosmos.account import WELL_KNOWN_KEY
from emulators.cosmos.application import create
from emulators.cosmos.operations.reading import MATCHES_SORTED_MAX
from emulators.cosmos.store.indexes import INDEXED_DOCUMENTS_MIN
from tests.emulators.cosmos.http import Door
from tests.emulators.cosmos.sql.naive import MISSING, Asked, Expression, results, text_of
from tests.emulators.cosmos.test_splits import split
from tests.serving import served

ITEMS = max(INDEXED_DOCUMENTS_MIN, MATCHES_SORTED_MAX) + 300
BATCH = 100
PAGE = 70
KINDS: list[Any] = ["red", "green", "blue", None, True, 7, ["red"], {"red": 1}, MISSING]
POLICY = {
    "includedPaths": [{"path": "/*"}],
    "compositeIndexes": [[{"path": "/kind", "order": "ascending"}, {"path": "/number", "order": "descending"}]],
}
QUERY = {
    "content-type": "application/query+json",
    "x-ms-documentdb-isquery": "true",
    "x-ms-documentdb-query-enablecrosspartition": "true",
    "x-ms-max-item-count": "200",
}
NUMBER: Expression = ("path", "c", "number")
KIND: Expression = ("path", "c", "kind")
NAME: Expression = ("path", "c", "name", "first")


def item(number: int) -> dict[str, Any]:
    """Item number so-and-so: values of every type, missing ones, ties."""
    kind = KINDS[number % len(KINDS)]
    shuffled = number * 7919 % ITEMS
    made = {"id": f"i{number}", "pk": f"p{number // BATCH}", "number": shuffled / 2, "name": {"first": f"n{shuffled}"}}
    return made if kind is MISSING else {**made, "kind": kind}


@pytest.fixture(scope="module")
def items() -> Iterator[ContainerProxy]:
    """A container with more items than are looked at one by one, where time ends no page."""
    start = Clock().now()
    with (
        served(lambda: create(clock=Clock(lambda: start))) as url,
        CosmosClient(url, WELL_KNOWN_KEY) as client,
    ):
        database = client.create_database("indexed")
        container = database.create_container("items", PartitionKey("/pk"), indexing_policy=POLICY)
        fill(container)
        yield container


def fill(container: ContainerProxy) -> None:
    """Create all items."""
    for start in range(0, ITEMS, BATCH):
        batch: list[Any] = [("create", (item(number),)) for number in range(start, min(start + BATCH, ITEMS))]
        container.execute_item_batch(batch, partition_key=f"p{start // BATCH}")


def pages_of(container: ContainerProxy, text: str, size: int = PAGE, **options: Any) -> list[list[Any]]:
    """A query's results page by page."""
    found = container.query_items(text, enable_cross_partition_query=True, max_item_count=size, **options)
    return [list(page) for page in found.by_page()]


def loaded(container: ContainerProxy, text: str) -> tuple[int, int]:
    """(items that the first page gives, documents that the server loaded for it), by its metrics."""
    told: list[dict[str, str]] = []

    def hook(headers: Any, _: object) -> None:
        told.append(dict(each.split("=") for each in headers["x-ms-documentdb-query-metrics"].split(";")))

    found = container.query_items(
        text,
        enable_cross_partition_query=True,
        max_item_count=PAGE,
        populate_query_metrics=True,
        response_hook=hook,
    )
    next(found.by_page())
    return int(told[0]["outputDocumentCount"]), int(told[0]["retrievedDocumentCount"])


UNORDERED = [
    (("=", NAME, ("value", "n17"))),
    (("=", KIND, ("value", "red"))),
    (("=", KIND, ("value", None))),
    (("=", KIND, ("value", True))),
    (("in", NUMBER, ("value", 3), ("value", 4.5), ("value", 1e9))),
    (("AND", (">=", NUMBER, ("value", 10)), ("<", NUMBER, ("value", 20)))),
    ((">", NUMBER, ("value", 5))),
    (("<=", NAME, ("value", "n5"))),
    (("STARTSWITH", NAME, ("value", "n12"))),
    (("AND", ("=", KIND, ("value", "red")), (">", NUMBER, ("value", 500)))),
    (("AND", (">", NUMBER, ("value", 5)), ("!=", KIND, ("value", "red")))),
    (("OR", ("=", KIND, ("value", 7)), ("<", NUMBER, ("value", 3)))),
]


@pytest.mark.our_choice("an index changes how long a query takes and nothing else")
@pytest.mark.parametrize("where", UNORDERED, ids=lambda where: text_of(Asked(KIND, where))[29:])
def test_filters_find_the_same_with_an_index(items: ContainerProxy, where: Expression) -> None:
    """Every item that the naive evaluator selects comes once, in full pages."""
    asked = Asked(("path", "c", "id"), where)
    pages = pages_of(items, text_of(asked))
    found = [each for page in pages for each in page]
    assert sorted(found) == sorted(results(asked, [item(number) for number in range(ITEMS)]))
    assert all(len(page) == PAGE for page in pages[:-1])


ORDERED = [
    Asked(NAME, order=((NUMBER, False),)),
    Asked(NAME, order=((NUMBER, True),)),
    Asked(NAME, order=((KIND, False),)),
    Asked(NAME, order=((KIND, True),)),
    Asked(NAME, order=((KIND, False), (NUMBER, True))),
    Asked(NAME, order=((KIND, True), (NUMBER, False))),
    Asked(NAME, order=((NUMBER, False),), where=("=", KIND, ("value", "blue"))),
    Asked(NAME, order=((NUMBER, True),), where=("!=", KIND, ("value", "blue"))),
    Asked(NAME, order=((NUMBER, False),), window=(100, 150)),
    Asked(NAME, order=((NAME, True),), window=(ITEMS - 3, 10)),
    Asked(KIND, order=((KIND, True),), window=(0, 5)),
]


@pytest.mark.documented("learn.microsoft.com/azure/cosmos-db/nosql/query/order-by and pagination")
@pytest.mark.parametrize("asked", ORDERED, ids=text_of)
def test_orders_are_the_same_along_an_index(items: ContainerProxy, asked: Asked) -> None:
    """Page by page the very order of the naive evaluator, ties and values of all types included."""
    pages = pages_of(items, text_of(asked))
    assert [each for page in pages for each in page] == results(asked, [item(number) for number in range(ITEMS)])
    assert all(len(page) == PAGE for page in pages[:-1])


@pytest.mark.documented("learn.microsoft.com/azure/cosmos-db/nosql/query/order-by and pagination")
@pytest.mark.parametrize("asked", ORDERED, ids=text_of)
def test_orders_are_the_same_where_few_items_are_sorted(items: ContainerProxy, asked: Asked) -> None:
    """Within a partition key of few items, which no index serves, it is the naive evaluator's order too."""
    found = items.query_items(text_of(asked), partition_key="p3", max_item_count=17)
    here = [item(number) for number in range(3 * BATCH, 4 * BATCH)]
    assert list(found) == results(asked, here)


@pytest.mark.documented("learn.microsoft.com/azure/cosmos-db/nosql/query-metrics: retrieved against output documents")
@pytest.mark.parametrize(
    "text",
    [
        "SELECT * FROM c WHERE c.name.first = 'n17'",
        "SELECT * FROM c WHERE c.number BETWEEN 10 AND 20",
        "SELECT * FROM c WHERE c.number > 3",
        "SELECT * FROM c WHERE STARTSWITH(c.name.first, 'n12')",
        "SELECT * FROM c ORDER BY c.number DESC",
        "SELECT TOP 3 * FROM c ORDER BY c.kind, c.number DESC",
    ],
)
def test_a_page_loads_what_it_gives_and_little_more(items: ContainerProxy, text: str) -> None:
    """An index serves it: the server loads no document but those of the page and the next one."""
    given, retrieved = loaded(items, text)
    assert given > 0
    assert retrieved <= given + 1


@pytest.mark.our_choice("what a reader has seen it does not see again, whatever is written meanwhile")
@pytest.mark.parametrize("clause", ["ORDER BY c.number", "WHERE c.number > 1"])
def test_a_walk_goes_on_though_its_next_row_is_gone(container: ContainerProxy, clause: str) -> None:
    """The item at which the next page would have begun is removed: the page begins with the one after it."""
    fill(container)
    text = f"SELECT VALUE c.id FROM c {clause}"
    expected = [each for page in pages_of(container, text) for each in page]
    pager: Any = container.query_items(text, enable_cross_partition_query=True, max_item_count=PAGE).by_page()
    first = list(next(pager))
    gone = item(int(str(expected[PAGE])[1:]))
    container.delete_item(gone["id"], gone["pk"])
    rest = [each for page in pager for each in page]
    assert first + rest == [each for each in expected if each != gone["id"]]


@pytest.mark.our_choice("a page goes on over the partitions that came of the one it began in")
@pytest.mark.parametrize("clause", ["ORDER BY c.number DESC", "WHERE c.number > 1", ""])
@pytest.mark.parametrize("wanted", ["VALUE c.id", "*"])
def test_a_query_goes_on_though_its_partition_is_split(
    container: ContainerProxy, door: Door, wanted: str, clause: str
) -> None:
    """Between two pages the only physical partition is split: every item still comes once, ordered ones in order."""
    fill(container)
    text = f"SELECT {wanted} FROM c {clause}"
    path = f"dbs/{door.database_of(container)}/colls/{container.id}/docs"
    everyone = {
        **QUERY,
        "x-ms-start-epk": "00",
        "x-ms-end-epk": "FF",
        "x-ms-read-key-type": "EffectivePartitionKeyRange",
    }
    found: list[Any] = []
    token = ""
    while True:
        answer = door.call("POST", path, {"query": text}, {**everyone, "x-ms-continuation": token})
        assert answer.status_code == 200, answer.text
        found += [each["id"] if wanted == "*" else each for each in answer.json()["Documents"]]
        if len(found) == 400:
            split(door, container)
        token = answer.headers.get("x-ms-continuation", "")
        if not token:
            break
    unordered = f"SELECT VALUE c.id FROM c {clause.removeprefix('ORDER BY c.number DESC')}"
    expected = [each for page in pages_of(container, unordered) for each in page]
    assert len(found) == len(set(found))
    assert sorted(found) == sorted(expected)
    if "DESC" in clause:
        numbers = [item(int(each[1:]))["number"] for each in found]
        assert numbers == sorted(numbers, reverse=True)


@pytest.mark.documented("rest/api/cosmos-db/query-documents: continuation tokens are stateless")
@pytest.mark.parametrize(
    "text",
    [
        "SELECT VALUE c.id FROM c",
        "SELECT VALUE c.id FROM c ORDER BY c.number DESC",
        "SELECT VALUE c.id FROM c WHERE c.number > 5",
        "SELECT DISTINCT VALUE c.name FROM c",
        "SELECT c.name.first, COUNT(1) AS n FROM c GROUP BY c.name.first",
    ],
)
def test_a_continuation_survives_a_restart_and_serves_no_other_query(tmp_path: Path, text: str) -> None:
    """Tokens are good after the emulator was stopped and started, end with none, and are refused elsewhere."""
    with served(lambda: create(tmp_path)) as url, CosmosClient(url, WELL_KNOWN_KEY) as client:
        container = client.create_database("d").create_container("c", PartitionKey("/pk"), indexing_policy=POLICY)
        fill(container)
        whole = [each for page in pages_of(container, text, 1000) for each in page]
        pager: Any = container.query_items(text, enable_cross_partition_query=True, max_item_count=500).by_page()
        first = list(next(pager))
        token = pager.continuation_token
    with served(lambda: create(tmp_path)) as url, CosmosClient(url, WELL_KNOWN_KEY) as client:
        container = client.get_database_client("d").get_container_client("c")
        pager = container.query_items(text, enable_cross_partition_query=True, max_item_count=500).by_page(token)
        assert first + [each for page in pager for each in page] == whole
        assert pager.continuation_token is None
        for other, given in ((f"{text} ", token), (text, f"A{token[1:]}" if token[0] != "A" else f"B{token[1:]}")):
            resumed = container.query_items(other, enable_cross_partition_query=True).by_page(given)
            with pytest.raises(CosmosHttpResponseError) as refusal:
                next(resumed)
            assert refusal.value.status_code == 400
