"""Queries through the official SDK: filters, order, pages, aggregates, and what the service refuses."""

from __future__ import annotations

from typing import Any

import pytest
from azure.cosmos import ContainerProxy, DatabaseProxy, PartitionKey
from azure.cosmos.exceptions import CosmosHttpResponseError

NEWEST_FIRST: dict[str, Any] = {
    "indexingMode": "consistent",
    "automatic": True,
    "includedPaths": [{"path": "/*"}],
    "excludedPaths": [{"path": '/"_etag"/?'}],
    "compositeIndexes": [
        [{"path": "/updatedAt", "order": "descending"}, {"path": "/orderId", "order": "descending"}],
    ],
}
PAGE_AFTER = (
    "SELECT * FROM c WHERE c.status = @status AND (c.updatedAt < @time OR (c.updatedAt = @time AND c.orderId < @order))"
    " ORDER BY c.updatedAt DESC, c.orderId DESC"
)


@pytest.fixture
def orders(database: DatabaseProxy) -> ContainerProxy:
    """Ten orders, two of each time, every third approved."""
    container = database.create_container("orders", PartitionKey("/orderId"), indexing_policy=NEWEST_FIRST)
    for number in range(10):
        container.create_item(
            {
                "id": f"o{number}",
                "orderId": f"o{number}",
                "status": "approved" if number % 3 == 0 else "created",
                "updatedAt": f"2026-01-0{1 + number // 2}",
                "total": number * 1.5,
                **({"pending": number} if number > 6 else {}),
            }
        )
    return container


def ask(container: ContainerProxy, text: str, **parameters: object) -> list[Any]:
    given: list[dict[str, object]] = [{"name": f"@{name}", "value": value} for name, value in parameters.items()]
    return list(container.query_items(text, parameters=given, enable_cross_partition_query=True))


@pytest.mark.documented("learn.microsoft.com/azure/cosmos-db/nosql/query/order-by")
@pytest.mark.parametrize("where", ["", "WHERE c.total >= 0 ", "WHERE c.status > '' "])
def test_whole_documents_are_sorted_too(orders: ContainerProxy, where: str) -> None:
    """SELECT * with ORDER BY comes in the order in which a selected member comes, filtered or not."""
    members = ask(orders, f"SELECT VALUE c.id FROM c {where}ORDER BY c.status")
    assert [each["id"] for each in ask(orders, f"SELECT * FROM c {where}ORDER BY c.status")] == members
    assert members == ["o0", "o3", "o6", "o9", "o1", "o2", "o4", "o5", "o7", "o8"]
    assert len(ask(orders, f"SELECT DISTINCT * FROM c {where}")) == 10


@pytest.mark.documented("learn.microsoft.com/azure/cosmos-db/nosql/query/where")
def test_a_filter_compares_within_a_type(orders: ContainerProxy) -> None:
    """Equality and ranges select by value; a string never equals a number; a missing property is never less."""
    assert [each["id"] for each in ask(orders, "SELECT * FROM c WHERE c.status = @s", s="approved")] == [
        *("o0", "o3", "o6", "o9")
    ]
    assert ask(orders, "SELECT VALUE c.id FROM c WHERE c.total > 10 AND c.total <= 12") == ["o7", "o8"]
    assert ask(orders, "SELECT VALUE c.id FROM c WHERE c.total = '1.5'") == []
    assert ask(orders, "SELECT VALUE c.id FROM c WHERE c.pending < 9") == ["o7", "o8"]
    assert ask(orders, "SELECT VALUE c.id FROM c WHERE 13.5 = c.total") == ["o9"]


@pytest.mark.documented("learn.microsoft.com/azure/cosmos-db/nosql/query/order-by")
def test_two_sort_keys_are_served_from_their_composite_index(orders: ContainerProxy) -> None:
    """Newest first, ties by id; the reverse of the index is served too."""
    newest = ask(orders, "SELECT VALUE c.id FROM c ORDER BY c.updatedAt DESC, c.orderId DESC")
    assert newest == [f"o{number}" for number in reversed(range(10))]
    assert ask(orders, "SELECT VALUE c.id FROM c ORDER BY c.updatedAt ASC, c.orderId ASC") == newest[::-1]


@pytest.mark.documented("learn.microsoft.com/azure/cosmos-db/nosql/query/order-by: a composite index is required")
def test_two_sort_keys_without_their_index_are_refused(orders: ContainerProxy) -> None:
    """An order that the policy does not serve is a 400 in the service's words, though we could sort it."""
    with pytest.raises(CosmosHttpResponseError, match="does not have a corresponding composite index") as refusal:
        ask(orders, "SELECT * FROM c ORDER BY c.updatedAt ASC, c.orderId DESC")
    assert refusal.value.status_code == 400


@pytest.mark.our_choice("the order service pages by key: this is its query")
def test_a_page_by_key_goes_on_after_its_last_row(orders: ContainerProxy) -> None:
    """The keyset filter and the order together give what comes after a given row."""
    found = ask(orders, PAGE_AFTER, status="created", time="2026-01-03", order="o5")
    assert [each["id"] for each in found] == ["o4", "o2", "o1"]


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * FROM c",
        "SELECT VALUE c.id FROM c ORDER BY c.updatedAt DESC",
        "SELECT DISTINCT VALUE c.updatedAt FROM c",
        "SELECT c.status, COUNT(1) AS n FROM c GROUP BY c.status",
        "SELECT VALUE c.id FROM c OFFSET 2 LIMIT 7",
        "SELECT TOP 7 VALUE c.id FROM c ORDER BY c.total",
        "SELECT VALUE {'a': c.id, 'b': n} FROM c JOIN n IN (SELECT VALUE [1, 2, 3])",
    ],
)
@pytest.mark.parametrize("size", [1, 3, 4])
@pytest.mark.documented("learn.microsoft.com/azure/cosmos-db/nosql/query/pagination")
def test_pages_have_exactly_the_asked_size_and_join_to_the_whole(orders: ContainerProxy, text: str, size: int) -> None:
    """Whatever the clause, every page but the last is full, and together they are the unpaged result."""
    whole = ask(orders, text)
    pages = [
        list(page)
        for page in orders.query_items(text, enable_cross_partition_query=True, max_item_count=size).by_page()
    ]
    assert [row for page in pages for row in page] == whole
    assert all(len(page) == size for page in pages[:-1])
    assert 0 < len(pages[-1]) <= size


@pytest.mark.documented("learn.microsoft.com/azure/cosmos-db/nosql/query/aggregate-functions")
def test_aggregates_over_all_documents(orders: ContainerProxy) -> None:
    """COUNT, SUM, AVG, MIN and MAX, with a filter and with nothing to count."""
    assert ask(orders, "SELECT VALUE COUNT(1) FROM c WHERE c.status = @s", s="approved") == [4]
    assert ask(orders, "SELECT VALUE COUNT(1) FROM c WHERE c.status = @s", s="lost") == [0]
    assert ask(orders, "SELECT VALUE COUNT(c.pending) FROM c") == [3]
    assert ask(orders, "SELECT VALUE SUM(c.total) FROM c") == [67.5]
    assert ask(orders, "SELECT VALUE MAX(c.updatedAt) FROM c") == ["2026-01-05"]


@pytest.mark.documented("learn.microsoft.com/azure/cosmos-db/nosql/query/order-by")
@pytest.mark.parametrize("where", ["", "WHERE c.number > 0", "WHERE c.kind = 'k' AND c.number > 0"])
def test_whole_documents_come_in_the_order_asked_for(database: DatabaseProxy, where: str) -> None:
    """SELECT * is in order too, up and down, whoever decides its filter, in one partition and over all."""
    container = database.create_container("numbers", PartitionKey("/pk"))
    for number in (1, 3, 2):
        container.create_item({"id": f"n{number}", "pk": "p", "kind": "k", "number": number})
    for direction, expected in (("", [1, 2, 3]), ("DESC", [3, 2, 1])):
        text = f"SELECT * FROM c {where} ORDER BY c.number {direction}"
        assert [each["number"] for each in container.query_items(text, partition_key="p")] == expected
        assert [each["number"] for each in ask(container, text)] == expected


@pytest.mark.documented("learn.microsoft.com/azure/cosmos-db/nosql/query/keywords#top")
def test_top_takes_the_first_of_an_order(orders: ContainerProxy) -> None:
    """TOP after a filter and an order is what a relay asks for: the oldest pending ones."""
    text = "SELECT TOP 2 * FROM c WHERE c.pending < @cutoff ORDER BY c.pending"
    assert [each["id"] for each in ask(orders, text, cutoff=100)] == ["o7", "o8"]


@pytest.mark.read_in_sdk("azure-cosmos _cosmos_client_connection.QueryItems: partition_key becomes a header")
def test_a_query_within_one_partition_sees_that_partition_only(orders: ContainerProxy) -> None:
    """With a partition key only its items are looked at."""
    assert [each["id"] for each in orders.query_items("SELECT * FROM c", partition_key="o3")] == ["o3"]


@pytest.mark.documented("rest/api/cosmos-db/query-documents: 400 without the cross-partition header")
def test_a_query_over_all_partitions_has_to_say_so(orders: ContainerProxy) -> None:
    """Without a partition key and without the flag the service refuses."""
    with pytest.raises(CosmosHttpResponseError, match="Cross partition query is required but disabled") as refusal:
        list(orders.query_items("SELECT * FROM c"))
    assert refusal.value.status_code == 400


@pytest.mark.documented("rest/api/cosmos-db/query-documents: 400 for invalid continuation tokens")
def test_a_continuation_is_refused_when_changed_or_used_for_another_query(orders: ContainerProxy) -> None:
    """A token belongs to its query and cannot be edited."""
    pager: Any = orders.query_items("SELECT * FROM c", enable_cross_partition_query=True, max_item_count=3).by_page()
    next(pager)
    token = pager.continuation_token
    assert token

    def resume(text: str, given: str) -> list[Any]:
        pages = orders.query_items(text, enable_cross_partition_query=True, max_item_count=3).by_page(given)
        return list(next(pages))

    assert [each["id"] for each in resume("SELECT * FROM c", token)] == ["o3", "o4", "o5"]
    for text, given in (("SELECT * FROM c WHERE true", token), ("SELECT * FROM c", token[:-4] + "AAAA")):
        with pytest.raises(CosmosHttpResponseError) as refusal:
            resume(text, given)
        assert refusal.value.status_code == 400


@pytest.mark.seen_on_azure("the recorded query plans: code, place and words of SC1001 and SC2005")
@pytest.mark.parametrize(
    ("text", "code", "start", "end"),
    [
        ("SELECT * FORM c", "SC1001", 9, 13),
        ("SELECT BADFUNC(c) FROM c", "SC2005", 7, 14),
    ],
)
def test_a_wrong_text_is_refused_with_code_and_place(
    orders: ContainerProxy, text: str, code: str, start: int, end: int
) -> None:
    """The answer names what is wrong and where in the text."""
    with pytest.raises(CosmosHttpResponseError) as refusal:
        ask(orders, text)
    assert refusal.value.status_code == 400
    assert code in str(refusal.value)
    assert f'"start":{start},"end":{end}' in str(refusal.value).replace("\\", "")
