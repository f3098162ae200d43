"""Pages cut anywhere: by any size, and by a clock that says at any look that the time is over."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from azure.cosmos import ContainerProxy, CosmosClient, PartitionKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from emulators.base.clock import Clock
from emulators.base.ids import Ids
from emulators.cosmos.account import WELL_KNOWN_KEY
from emulators.cosmos.application import create
from emulators.cosmos.limits import PAGE_SECONDS_MAX
from emulators.cosmos.operations.pages import SIFTED_PER_TURN
from emulators.cosmos.operations.reading import MATCHES_SORTED_MAX, SMALL_SCOPE_DOCUMENTS
from emulators.cosmos.store.indexes import INDEXED_DOCUMENTS_MIN
from tests.serving import served

ITEMS = MATCHES_SORTED_MAX + 50
FEW = SMALL_SCOPE_DOCUMENTS - 10
"""Items of a third key, which are looked at and sorted without an index."""
BATCH = 100
PAGES_MAX = 3 * ITEMS
KINDS: list[Any] = ["red", "green", None, True, 7, ["red"], {"red": 1}]
POLICY = {
    "includedPaths": [{"path": "/*"}],
    "compositeIndexes": [[{"path": "/kind", "order": "ascending"}, {"path": "/number", "order": "descending"}]],
}
QUERIES = [
    "SELECT VALUE c.id FROM c",
    "SELECT VALUE c.id FROM c WHERE c.number * 1 > 40",
    "SELECT VALUE c.id FROM c WHERE c.number > 5",
    "SELECT VALUE c.id FROM c WHERE c.number >= 30 AND c.number < 38",
    "SELECT VALUE c.id FROM c WHERE c.kind = 'red'",
    "SELECT VALUE c.id FROM c WHERE c.number = 17",
    "SELECT * FROM c WHERE c.number > 50",
    "SELECT c.id, t FROM c JOIN t IN c.tags WHERE c.number > 20",
    "SELECT c.id, t FROM c JOIN t IN c.tags ORDER BY c.number DESC",
    "SELECT VALUE c.id FROM c ORDER BY c.number",
    "SELECT VALUE c.id FROM c ORDER BY c.number DESC",
    "SELECT VALUE c.id FROM c ORDER BY c.kind",
    "SELECT VALUE c.id FROM c ORDER BY c.kind DESC",
    "SELECT * FROM c ORDER BY c.kind DESC",
    "SELECT VALUE c.id FROM c ORDER BY c.kind, c.number DESC",
    "SELECT VALUE c.id FROM c ORDER BY c.kind DESC, c.number",
    "SELECT VALUE c.id FROM c WHERE c.number > 40 ORDER BY c.kind DESC",
    "SELECT * FROM c WHERE c.number > 40 ORDER BY c.kind DESC",
    "SELECT c.id, t FROM c JOIN t IN c.tags WHERE c.kind = 'red' ORDER BY c.number DESC",
    "SELECT VALUE c.id FROM c WHERE c.number * 1 > 55 ORDER BY c.number DESC",
    "SELECT TOP 333 VALUE c.id FROM c",
    "SELECT TOP 333 VALUE c.id FROM c ORDER BY c.kind DESC",
    "SELECT VALUE c.id FROM c OFFSET 100 LIMIT 300",
    "SELECT VALUE c.id FROM c ORDER BY c.number OFFSET 100 LIMIT 300",
    "SELECT VALUE t FROM t IN c.tags",
    "SELECT DISTINCT VALUE c.number FROM c",
    "SELECT DISTINCT VALUE c.number FROM c ORDER BY c.number DESC",
    "SELECT c.number, COUNT(1) AS n FROM c GROUP BY c.number",
    "SELECT VALUE s.number FROM (SELECT DISTINCT c.number FROM c) s",
]


@dataclass
class Impatience:
    """A clock that now and then says for one look that a page's time is over."""

    often: float = 0.0
    ids: Ids = field(default_factory=lambda: Ids(1))
    start: float = field(default_factory=lambda: Clock().now())

    def now(self) -> float:
        """The start, or later than a page may end."""
        late = self.often and self.ids.chance() < self.often
        return self.start + (PAGE_SECONDS_MAX + 1 if late else 0)


def item(number: int) -> dict[str, Any]:
    """Ties, missing values, values of every type, some tags."""
    made: dict[str, Any] = {"id": f"i{number}", "pk": f"p{number // (ITEMS // 2)}", "number": number * 7919 % 61}
    if number % 3:
        made["kind"] = KINDS[number % len(KINDS)]
    return {**made, "tags": ["a", "b", "c"][: number % 4]}


@pytest.fixture(scope="module")
def impatience() -> Impatience:
    """The server's clock."""
    return Impatience()


@pytest.fixture(scope="module")
def container(impatience: Impatience) -> Iterator[ContainerProxy]:
    """Two logical partitions, large enough for indexes, and a small one."""
    with (
        served(lambda: create(clock=Clock(impatience.now))) as url,
        CosmosClient(url, WELL_KNOWN_KEY) as client,
    ):
        made = client.create_database("d").create_container("c", PartitionKey("/pk"), indexing_policy=POLICY)
        for key in range(3):
            here = [each for each in map(item, range(ITEMS + FEW)) if each["pk"] == f"p{key}"]
            for start in range(0, len(here), BATCH):
                batch: list[Any] = [("create", (each,)) for each in here[start : start + BATCH]]
                made.execute_item_batch(batch, partition_key=f"p{key}")
        yield made


def results(container: ContainerProxy, text: str, size: int, key: str | None) -> list[Any]:
    """All results over all pages, of which there are not more than there need be."""
    scope: dict[str, Any] = {"enable_cross_partition_query": True} if key is None else {"partition_key": key}
    found: list[Any] = []
    pages = container.query_items(text, max_item_count=size, **scope).by_page()
    for count, page in enumerate(pages):
        assert count < PAGES_MAX
        given = list(page)
        assert len(given) <= size
        found += given
    return found


@pytest.mark.documented("learn.microsoft.com/cosmos-db/query/pagination: a page may be empty and still have a next one")
def test_time_ends_a_page_that_finds_nothing(impatience: Impatience, container: ContainerProxy) -> None:
    """Where SQLite looks at thousands of items in vain, pages end all the same, and the last one is reached."""
    impatience.often = 0.0
    with CosmosClient(container.client_connection.url_connection, WELL_KNOWN_KEY) as client:
        many = client.get_database_client("d").create_container("many", PartitionKey("/pk"))
        total = SIFTED_PER_TURN + BATCH
        for start in range(0, total, BATCH):
            batch: list[Any] = [
                ("create", ({"id": f"{each}", "pk": "p", "number": total - each, "text": "a"},))
                for each in range(start, start + BATCH)
            ]
            many.execute_item_batch(batch, partition_key="p")
        text = "SELECT VALUE c.id FROM c WHERE c.number * 2 = 20"
        expected = [f"{total - 10}"]
        assert results(many, text, 1000, None) == expected
        impatience.often = 0.5
        continued = 0
        for seed in range(8):
            impatience.ids = Ids(seed)
            answers: list[Any] = []
            found = many.query_items(
                text,
                enable_cross_partition_query=True,
                response_hook=lambda headers, _, answers=answers: answers.append(headers),
            )
            assert list(found) == expected
            continued += any("x-ms-continuation" in headers for headers in answers)
    assert continued


WHOLE: dict[tuple[str, str | None], list[Any]] = {}


@pytest.mark.our_choice("an index made between two pages changes how long they take and nothing else")
@pytest.mark.parametrize("clause", ["WHERE c.number > 3", "WHERE c.number > 3 ORDER BY c.number DESC"])
def test_a_query_goes_on_though_its_container_outgrew_its_way_of_reading(
    impatience: Impatience, container: ContainerProxy, clause: str
) -> None:
    """What was begun by looking at every item goes on after the last one given, when an index would serve by now."""
    impatience.often = 0.0
    with CosmosClient(container.client_connection.url_connection, WELL_KNOWN_KEY) as client:
        grown = client.get_database_client("d").create_container(f"grown-{len(clause)}", PartitionKey("/pk"))
        few: list[Any] = [("create", (item(number) | {"pk": "p"},)) for number in range(BATCH)]
        grown.execute_item_batch(few, partition_key="p")
        text = f"SELECT VALUE c.id FROM c {clause}"
        expected = results(grown, text, 1000, None)
        pages = grown.query_items(text, enable_cross_partition_query=True, max_item_count=20).by_page()
        found = list(next(pages))
        more: list[Any] = [("create", ({"id": f"later{each}", "pk": "p", "number": 0},)) for each in range(BATCH)]
        for _ in range(INDEXED_DOCUMENTS_MIN // BATCH):
            grown.execute_item_batch(more, partition_key="p")
            more = [("create", (each[1][0] | {"id": f"again-{each[1][0]['id']}"},)) for each in more]
        found += [each for page in pages for each in page]
    assert found == expected


@pytest.mark.documented("learn.microsoft.com/cosmos-db/query/pagination: pages may end before they are full")
@pytest.mark.parametrize("text", QUERIES)
@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    size=st.sampled_from([23, 100, 1000]),
    often=st.sampled_from([0.0, 0.01, 0.1]),
    seed=st.integers(0, 1000),
    key=st.sampled_from([None, "p0", "p2"]),
)
def test_pages_cut_anywhere_are_together_the_whole(
    container: ContainerProxy, impatience: Impatience, text: str, size: int, often: float, seed: int, key: str | None
) -> None:
    """No row is lost, doubled or out of its place, wherever size and time end the pages."""
    impatience.often = 0.0
    if (text, key) not in WHOLE:
        WHOLE[text, key] = results(container, text, 1000, key)
    impatience.often, impatience.ids = often, Ids(seed)
    assert results(container, text, size, key) == WHOLE[text, key]
