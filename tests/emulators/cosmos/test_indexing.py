"""Indexing directives and policies that are not automatic: taken, checked and, as in the service of today, ignored."""

from __future__ import annotations

from typing import Any

import pytest
from azure.cosmos import ContainerProxy, DatabaseProxy, PartitionKey
from azure.cosmos.documents import IndexingDirective
from azure.cosmos.exceptions import CosmosHttpResponseError

from tests.emulators.cosmos.http import Door

QUERY = "SELECT VALUE c.id FROM c WHERE c.orderId = 'order1'"


def found(container: ContainerProxy) -> list[str]:
    """What a query finds that an index would serve."""
    return sorted(str(each) for each in container.query_items(QUERY, enable_cross_partition_query=True))


@pytest.mark.seen_on_azure(
    "Microsoft.Azure.Cosmos EmulatorTests GatewayTests.ValidateIndexingDirectives; sdk-js #15473"
)
def test_an_excluded_item_is_found_all_the_same(container: ContainerProxy) -> None:
    """The samples of all SDKs say that a query misses it: so it was once, and has not been since 2020."""
    item = {"id": "a", "pk": "x", "orderId": "order1"}
    container.create_item(item, indexing_directive=IndexingDirective.Exclude)
    assert found(container) == ["a"]
    assert container.read_item("a", "x")["orderId"] == "order1"
    for directive in ("Include", "Exclude", "Default", str(IndexingDirective.Include)):
        container.replace_item("a", item, initial_headers={"x-ms-indexing-directive": directive})
        assert found(container) == ["a"]


@pytest.mark.documented("learn.microsoft.com/azure/cosmos-db/index-policy#obsolete-attributes: automatic is ignored")
def test_a_policy_that_is_not_automatic_indexes_everything(database: DatabaseProxy) -> None:
    """The policy comes back as it was given, and items are found with every directive and without."""
    container = database.create_container("manual", PartitionKey("/pk"), indexing_policy={"automatic": False})
    policy = container.read()["indexingPolicy"]
    assert (policy["automatic"], policy["indexingMode"], policy["includedPaths"]) == (
        False,
        "consistent",
        [{"path": "/*"}],
    )
    directives = (None, IndexingDirective.Include, IndexingDirective.Exclude, IndexingDirective.Default)
    for number, directive in enumerate(directives):
        container.create_item({"id": str(number), "pk": "x", "orderId": "order1"}, indexing_directive=directive)
    assert found(container) == ["0", "1", "2", "3"]
    everything = {**policy, "automatic": True}
    database.replace_container(container, PartitionKey("/pk"), indexing_policy=everything)
    assert found(container) == ["0", "1", "2", "3"]


@pytest.mark.seen_on_azure("Microsoft.Azure.Cosmos EmulatorTests HeadersValidationTests.ValidateIndexingDirective")
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_an_unknown_directive_is_refused(door: Door, container: ContainerProxy, method: str) -> None:
    """400 and nothing done, on every write."""
    container.create_item({"id": "a", "pk": "x"})
    path = f"{container.container_link}/docs" + ("" if method == "POST" else "/a")
    headers = {"x-ms-documentdb-partitionkey": '["x"]', "x-ms-indexing-directive": '"Invalid Value"'}
    body = {"operations": [{"op": "set", "path": "/n", "value": 1}]} if method == "PATCH" else {"id": "a", "pk": "x"}
    assert door.call(method, path, body, headers).status_code == 400
    assert "n" not in container.read_item("a", "x")


@pytest.mark.read_in_sdk("Microsoft.Azure.Cosmos HybridRowBatchSchemas.json: indexingDirective of an operation")
def test_an_operation_of_a_batch_has_a_directive(door: Door, container: ContainerProxy) -> None:
    """The known ones are taken, what else stands there is 400 for the batch."""
    headers = {
        "x-ms-documentdb-partitionkey": '["x"]',
        "x-ms-cosmos-is-batch-request": "True",
        "x-ms-cosmos-batch-atomic": "True",
    }

    def post(*directives: str) -> int:
        batch = [
            {
                "operationType": "Upsert",
                "indexingDirective": each,
                "resourceBody": {"id": str(number), "pk": "x", "orderId": "order1"},
            }
            for number, each in enumerate(directives)
        ]
        return door.call("POST", f"{container.container_link}/docs", batch, headers).status_code

    assert post("Exclude", "Later") == 400
    assert found(container) == []
    assert post("Exclude", "Include", "Default") == 200
    assert found(container) == ["0", "1", "2"]


@pytest.mark.seen_on_azure("Microsoft.Azure.Cosmos EmulatorTests HeadersValidationTests.ValidateIndexingDirective")
def test_a_script_says_how_to_index_too(container: ContainerProxy) -> None:
    """`indexAction` takes the same words; an unknown one fails the script with 400."""
    text = """function (action) {
        __.createDocument(__.getSelfLink(), { id: "a", pk: "p", orderId: "order1" }, { indexAction: action });
    }"""
    container.scripts.create_stored_procedure({"id": "p", "body": text})

    def run(*arguments: Any) -> None:
        container.scripts.execute_stored_procedure("p", partition_key="p", params=list(arguments))

    with pytest.raises(CosmosHttpResponseError) as refused:
        run("Invalid Value")
    assert refused.value.status_code == 400
    run("exclude")
    assert found(container) == ["a"]
