"""Transactional batches and bulk requests: all or nothing, in order, within their limits."""

from __future__ import annotations

from typing import Any

import pytest
from azure.cosmos import ContainerProxy, exceptions

from tests.emulators.cosmos.http import Door

BATCH = "learn.microsoft.com/azure/cosmos-db/nosql/transactional-batch"


def post(door: Door, container: ContainerProxy, operations: object, **headers: str) -> Any:
    path = f"dbs/{door.database_of(container)}/colls/{container.id}/docs"
    shared = {
        "x-ms-cosmos-is-batch-request": "True",
        "x-ms-cosmos-batch-atomic": "True",
        "x-ms-documentdb-partitionkey": '["x"]',
    }
    return door.call(
        "POST", path, operations, {**shared, **{name.replace("_", "-"): value for name, value in headers.items()}}
    )


@pytest.mark.documented(BATCH)
def test_a_batch_does_its_operations_in_order(container: ContainerProxy) -> None:
    """Later operations see earlier ones; every result carries its status, ETag and body."""
    results = container.execute_item_batch(
        [
            ("create", ({"id": "a", "pk": "x", "n": 1},)),
            ("read", ("a",)),
            ("replace", ("a", {"id": "a", "pk": "x", "n": 2})),
            ("upsert", ({"id": "b", "pk": "x"},)),
            ("patch", ("b", [{"op": "add", "path": "/m", "value": 1}])),
            ("delete", ("a",)),
        ],
        "x",
    )
    assert [result["statusCode"] for result in results] == [201, 200, 200, 201, 200, 204]
    assert results[1]["resourceBody"]["n"] == 1
    assert results[2]["resourceBody"]["_etag"] == results[2]["eTag"] != results[0]["eTag"]
    assert [item["id"] for item in container.read_all_items()] == ["b"]


@pytest.mark.read_in_sdk("azure-cosmos tests/test_transactional_batch.py: a batch of six adds one to the LSN")
def test_a_batch_is_one_write(container: ContainerProxy) -> None:
    """However many operations, the LSN grows by one."""
    before = container.create_item({"id": "first", "pk": "x"}).get_response_headers()["lsn"]
    operations = [("create", ({"id": str(number), "pk": "x"},)) for number in range(6)]
    results = container.execute_item_batch(operations, "x")
    assert int(results.get_response_headers()["lsn"]) == int(before) + 1


@pytest.mark.documented(BATCH)
@pytest.mark.parametrize(
    ("operation", "status"),
    [
        (("create", ({"id": "there", "pk": "x"},)), 409),
        (("read", ("missing",)), 404),
        (("replace", ("missing", {"id": "missing", "pk": "x"})), 404),
        (("replace", ("there", {"id": "there", "pk": "x"}), {"if_match_etag": '"stale"'}), 412),
        (("delete", ("there",), {"if_match_etag": '"stale"'}), 412),
        (("create", ({"id": "other", "pk": "y"},)), 400),
        (("patch", ("there", [{"op": "remove", "path": "/none"}])), 400),
    ],
)
def test_a_failing_operation_takes_the_whole_batch_back(
    container: ContainerProxy, operation: tuple[str, Any], status: int
) -> None:
    """The failed one has its own status, all others 424, and nothing is written."""
    container.create_item({"id": "there", "pk": "x"})
    batch = [("create", ({"id": "new", "pk": "x"},)), operation, ("upsert", ({"id": "late", "pk": "x"},))]
    with pytest.raises(exceptions.CosmosBatchOperationError) as failed:
        container.execute_item_batch(batch, "x")
    assert failed.value.error_index == 1
    assert [each["statusCode"] for each in failed.value.operation_responses] == [424, status, 424]
    assert [item["id"] for item in container.read_all_items()] == ["there"]


@pytest.mark.read_in_sdk("Microsoft.Azure.Cosmos TransactionalBatchResponse: the wire's 207 is promoted by the client")
def test_a_failed_batch_is_multi_status_on_the_wire(door: Door, container: ContainerProxy) -> None:
    """207 when an operation fails, and when one of a successful batch is 304."""
    made = container.create_item({"id": "a", "pk": "x"})
    failed = post(door, container, [{"operationType": "Read", "id": "missing"}])
    assert (failed.status_code, failed.json()[0]["statusCode"]) == (207, 404)
    unchanged = post(door, container, [{"operationType": "Read", "id": "a", "ifNoneMatch": made["_etag"]}])
    assert (unchanged.status_code, unchanged.json()[0]["statusCode"]) == (207, 304)


@pytest.mark.documented(f"{BATCH}#limitations")
def test_a_batch_has_limits(door: Door, container: ContainerProxy) -> None:
    """No operations and more than a hundred are 400, more than 2 MB is 413; a hundred pass."""
    create = [{"operationType": "Create", "resourceBody": {"id": str(number), "pk": "x"}} for number in range(101)]
    assert post(door, container, []).status_code == 400
    assert post(door, container, create).status_code == 400
    big = {"operationType": "Create", "resourceBody": {"id": "big", "pk": "x", "text": "x" * 1_100_000}}
    assert post(door, container, [big, big]).status_code == 413
    assert post(door, container, create[:100]).status_code == 200
    assert len(list(container.read_all_items())) == 100


@pytest.mark.our_choice("malformed batches are refused by name whatever the service's texts are")
@pytest.mark.parametrize(
    "body",
    [{}, [1], [{"operationType": "Merge", "id": "a"}], [{"operationType": {}}], [{"operationType": []}], b"[", b"\x80"],
)
def test_a_malformed_batch_is_refused(door: Door, container: ContainerProxy, body: object) -> None:
    """What is not an array of known operations is 400."""
    assert post(door, container, body).status_code == 400


@pytest.mark.read_in_sdk("@azure/cosmos bulk: atomic False, a partition key in every operation")
def test_bulk_operations_stand_alone(door: Door, container: ContainerProxy) -> None:
    """One that fails leaves the others written; the answer is 207."""
    answer = post(
        door,
        container,
        [
            {"operationType": "Create", "partitionKey": '["x"]', "resourceBody": {"id": "a", "pk": "x"}},
            {"operationType": "Create", "partitionKey": '["y"]', "resourceBody": {"id": "a", "pk": "x"}},
            {"operationType": "Upsert", "partitionKey": '["y"]', "resourceBody": {"id": "b", "pk": "y"}},
        ],
        x_ms_cosmos_batch_atomic="False",
    )
    assert answer.status_code == 207
    assert [each["statusCode"] for each in answer.json()] == [201, 400, 201]
    assert sorted(item["id"] for item in container.read_all_items()) == ["a", "b"]
