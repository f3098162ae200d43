"""Items through the official SDK: create, read, replace, upsert, delete, ETags, ids, bodies, TTL, unique keys."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from azure.core import MatchConditions
from azure.cosmos import ContainerProxy, CosmosClient, DatabaseProxy, PartitionKey, exceptions
from azure.cosmos.aio import CosmosClient as AsyncCosmosClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from emulators.base.clock import Clock
from tests.emulators.cosmos.http import Door
from tests.target.settings import CosmosAccount

REST = "learn.microsoft.com/rest/api/cosmos-db"
LIMITS = "learn.microsoft.com/azure/cosmos-db/concepts-limits"
TTL = "learn.microsoft.com/azure/cosmos-db/nosql/time-to-live"


@pytest.mark.documented(f"{REST}/create-a-document")
def test_a_created_item_is_read_back_with_its_system_properties(container: ContainerProxy) -> None:
    """The body comes back as sent, with _rid, _self, _etag, _ts and _attachments of its own."""
    made = container.create_item({"id": "a", "pk": "x", "amount": 1.5, "none": None, "nested": {"list": [1, {}]}})
    read = container.read_item("a", "x")
    assert dict(read) == dict(made)
    assert {name: made[name] for name in ("amount", "none", "nested")} == {
        "amount": 1.5,
        "none": None,
        "nested": {"list": [1, {}]},
    }
    assert made["_attachments"] == "attachments/"
    assert made["_self"].endswith(f"docs/{made['_rid']}/")
    assert made["_etag"].startswith('"')
    assert made.get_response_headers()["etag"] == made["_etag"]


@pytest.mark.documented(f"{REST}/create-a-document")
def test_an_id_is_taken_within_its_partition_key_only(container: ContainerProxy) -> None:
    """A second item of the same id and key is 409; under another key it is another item."""
    container.create_item({"id": "a", "pk": "x"})
    with pytest.raises(exceptions.CosmosResourceExistsError) as refused:
        container.create_item({"id": "a", "pk": "x"})
    assert refused.value.status_code == 409
    container.create_item({"id": "a", "pk": "y"})
    assert {item["pk"] for item in container.read_all_items()} == {"x", "y"}


@pytest.mark.documented("learn.microsoft.com/azure/cosmos-db/nosql/database-transactions-optimistic-concurrency")
@pytest.mark.parametrize("operation", ["replace", "upsert", "patch", "delete"])
def test_a_write_under_a_stale_etag_changes_nothing(container: ContainerProxy, operation: str) -> None:
    """412 for a version that is no longer current, success for the current one."""
    first = container.create_item({"id": "a", "pk": "x", "n": 1})
    second = container.replace_item("a", {"id": "a", "pk": "x", "n": 2})

    def attempt(etag: str) -> Any:
        condition: dict[str, Any] = {"etag": etag, "match_condition": MatchConditions.IfNotModified}
        if operation == "replace":
            return container.replace_item("a", {"id": "a", "pk": "x", "n": 3}, **condition)
        if operation == "upsert":
            return container.upsert_item({"id": "a", "pk": "x", "n": 3}, **condition)
        if operation == "patch":
            return container.patch_item("a", "x", [{"op": "set", "path": "/n", "value": 3}], **condition)
        return container.delete_item("a", "x", **condition)

    with pytest.raises(exceptions.CosmosAccessConditionFailedError) as refused:
        attempt(first["_etag"])
    assert refused.value.status_code == 412
    assert container.read_item("a", "x")["n"] == 2
    attempt(second["_etag"])


@pytest.mark.documented(f"{REST}/get-a-document")
def test_a_read_with_the_current_etag_has_no_body(door: Door, container: ContainerProxy) -> None:
    """If-None-Match with the current ETag is 304, with another one 200."""
    made = container.create_item({"id": "a", "pk": "x"})
    path = f"dbs/{door.database_of(container)}/colls/{container.id}/docs/a"
    key = {"x-ms-documentdb-partitionkey": '["x"]'}
    unchanged = door.call("GET", path, headers={**key, "if-none-match": made["_etag"]})
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    assert door.call("GET", path, headers={**key, "if-none-match": '"other"'}).status_code == 200


@pytest.mark.documented(f"{REST}/common-cosmosdb-rest-response-headers")
def test_upsert_says_whether_it_created_or_replaced(door: Door, container: ContainerProxy) -> None:
    """201 the first time, 200 after; the LSN grows by one with each write."""
    path = f"dbs/{door.database_of(container)}/colls/{container.id}/docs"
    headers = {"x-ms-documentdb-partitionkey": '["x"]', "x-ms-documentdb-is-upsert": "True"}
    first = door.call("POST", path, {"id": "a", "pk": "x"}, headers)
    second = door.call("POST", path, {"id": "a", "pk": "x", "n": 1}, headers)
    assert (first.status_code, second.status_code) == (201, 200)
    assert int(second.headers["lsn"]) == int(first.headers["lsn"]) + 1
    assert second.headers["x-ms-session-token"] == f"0:-1#{second.headers['lsn']}"


@pytest.mark.documented(f"{REST}/common-cosmosdb-rest-request-headers")
def test_a_minimal_write_answers_without_a_body(container: ContainerProxy) -> None:
    """`Prefer: return=minimal` leaves the body out and keeps ETag, charge and session token."""
    made = container.create_item({"id": "a", "pk": "x"}, no_response=True)
    assert dict(made) == {}
    headers = made.get_response_headers()
    assert headers["etag"]
    assert float(headers["x-ms-request-charge"]) > 0
    assert headers["x-ms-session-token"]


@pytest.mark.documented(f"{REST}/http-status-codes-for-cosmosdb")
@pytest.mark.parametrize(
    ("status", "substatus", "body", "key"),
    [
        (400, 0, {"pk": "x"}, '["x"]'),
        (400, 0, {"id": 7, "pk": "x"}, '["x"]'),
        (400, 0, {"id": "", "pk": "x"}, '["x"]'),
        (400, 0, {"id": "a\\b", "pk": "x"}, '["x"]'),
        (400, 0, {"id": "a" * 1024, "pk": "x"}, '["x"]'),
        (400, 0, ["id"], '["x"]'),
        (400, 0, {"id": "a", "pk": "x"}, None),
        (400, 0, {"id": "a", "pk": "x"}, "x"),
        (400, 0, {"id": "a", "pk": "x"}, '[["x"]]'),
        (400, 1001, {"id": "a", "pk": "y"}, '["x"]'),
        (400, 1001, {"id": "a"}, "[null]"),
        (400, 1001, {"id": "a", "pk": True}, "[1]"),
        (413, 0, {"id": "a", "pk": "x", "big": "x" * (2 * 1024 * 1024)}, '["x"]'),
    ],
)
def test_a_body_that_is_no_item_is_refused(
    door: Door, container: ContainerProxy, status: int, substatus: int, body: object, key: str | None
) -> None:
    """Missing or malformed ids, keys that do not fit, and items over 2 MB: nothing is stored."""
    path = f"dbs/{door.database_of(container)}/colls/{container.id}/docs"
    answer = door.call("POST", path, body, {} if key is None else {"x-ms-documentdb-partitionkey": key})
    assert (answer.status_code, int(answer.headers.get("x-ms-substatus", 0))) == (status, substatus)
    assert answer.json()["code"] == {400: "BadRequest", 413: "RequestEntityTooLarge"}[status]
    assert list(container.read_all_items()) == []


@pytest.mark.our_choice("the service's texts for these are unknown; a parser must survive them all")
@pytest.mark.parametrize(
    "raw", [b"", b"{", b'{"id":"a","pk":"x","n":NaN}', b'{"id":"\xff"}', b'{"id":"\\ud800"}', b"[" * 100_000]
)
def test_a_body_that_is_not_json_is_refused(door: Door, container: ContainerProxy, raw: bytes) -> None:
    """Truncated JSON, NaN, invalid UTF-8, lone surrogates and endless nesting are 400."""
    path = f"dbs/{door.database_of(container)}/colls/{container.id}/docs"
    answer = door.call("POST", path, raw, {"x-ms-documentdb-partitionkey": '["x"]'})
    assert answer.status_code == 400


@pytest.mark.documented(LIMITS)
def test_nesting_has_a_limit(container: ContainerProxy) -> None:
    """128 levels are stored, 129 are refused."""

    def nested(levels: int) -> Any:
        value: Any = 1
        for _ in range(levels - 1):
            value = [value]
        return value

    container.create_item({"id": "fits", "pk": "x", "deep": nested(128)})
    with pytest.raises(exceptions.CosmosHttpResponseError) as refused:
        container.create_item({"id": "deep", "pk": "x", "deep": nested(129)})
    assert refused.value.status_code == 400


@pytest.mark.seen_on_azure("the .NET SDK's CosmosItemIdEncodingTestsBase, which runs against the service")
@pytest.mark.parametrize("name", ["a?b", " lead", "ünï-€-😀", ",=.:~+-@()^${}[]!_", "50%"])
def test_unusual_ids_are_usable(door: Door, container: ContainerProxy, name: str) -> None:
    """Such an item is created, read, replaced and deleted under its id."""
    base = f"dbs/{door.database_of(container)}/colls/{container.id}/docs"
    headers = {"x-ms-documentdb-partitionkey": '["x"]'}
    assert door.call("POST", base, {"id": name, "pk": "x"}, headers).status_code == 201
    path = f"{base}/{quote(name, safe='')}"
    assert door.call("GET", path, headers=headers).json()["id"] == name
    assert door.call("PUT", path, {"id": name, "pk": "x"}, headers).status_code == 200
    assert door.call("DELETE", path, headers=headers).status_code == 204


@pytest.mark.seen_on_azure("@azure/cosmos test/public/functional/item/itemIdEncoding.spec.ts: both gateways")
@pytest.mark.parametrize("name", ["a\nb", "a\tb", "a\rb", "ends ", "ends   ", "a%20", "a%E9%B1%80"])
def test_an_id_is_found_however_odd(door: Door, container: ContainerProxy, name: str) -> None:
    """White space at the end, control characters and percent signs are an id's own, and the URL has them encoded."""
    base, headers = f"{container.container_link}/docs", {"x-ms-documentdb-partitionkey": '["x"]'}
    assert door.call("POST", base, {"id": name, "pk": "x"}, headers).status_code == 201
    path = f"{base}/{quote(name, safe='')}"
    for method, body, status in (("GET", None, 200), ("PUT", {"id": name, "pk": "x"}, 200), ("DELETE", None, 204)):
        assert door.call(method, path, body, headers).status_code == status


@pytest.mark.seen_on_azure("@azure/cosmos test/public/functional/item/itemIdEncoding.spec.ts: both gateways")
def test_a_bare_question_mark_belongs_to_the_id(door: Door, container: ContainerProxy) -> None:
    """The JavaScript SDK sends it unencoded and signs it with the rest."""
    base, headers = f"{container.container_link}/docs", {"x-ms-documentdb-partitionkey": '["x"]'}
    assert door.call("POST", base, {"id": "who?me", "pk": "x"}, headers).status_code == 201
    assert door.call("GET", f"{base}/who?me", headers=headers).json()["id"] == "who?me"
    assert door.call("DELETE", f"{base}/who?me", headers=headers).status_code == 204


@pytest.mark.seen_on_azure("the .NET SDK's CosmosItemIdEncodingTestsBase, which runs against the service")
def test_an_id_with_a_slash_is_stored_and_never_found(door: Door, container: ContainerProxy) -> None:
    """The service takes such an item and cannot address it afterwards; only feeds and queries show it."""
    base, headers = f"{container.container_link}/docs", {"x-ms-documentdb-partitionkey": '["x"]'}
    assert door.call("POST", base, {"id": "a/b", "pk": "x"}, headers).status_code == 201
    for method, body in (("GET", None), ("PUT", {"id": "a/b", "pk": "x"}), ("DELETE", None)):
        assert door.call(method, f"{base}/a%2Fb", body, headers).status_code == 404
    assert [item["id"] for item in container.read_all_items()] == ["a/b"]


@pytest.mark.documented(TTL)
def test_items_expire_by_the_emulators_clock(database: DatabaseProxy, clock: Clock) -> None:
    """An item lives for its own ttl, else the container's; -1 lives on; an update starts anew; the id is free after."""
    container = database.create_container("ttl", PartitionKey("/pk"), default_ttl=60)
    for name, ttl in (("default", None), ("short", 10), ("ever", -1)):
        container.create_item({"id": name, "pk": "x", **({"ttl": ttl} if ttl else {})})
    clock.advance(30)
    assert {item["id"] for item in container.read_all_items()} == {"default", "ever"}
    container.upsert_item({"id": "default", "pk": "x"})
    container.create_item({"id": "short", "pk": "x"})
    clock.advance(45)
    assert {item["id"] for item in container.read_all_items()} == {"default", "short", "ever"}
    clock.advance(60)
    assert {item["id"] for item in container.read_all_items()} == {"ever"}
    with pytest.raises(exceptions.CosmosResourceNotFoundError):
        container.read_item("default", "x")


@pytest.mark.our_choice("hidden items are nobody's business, but they should not fill the disk for ever")
def test_expired_items_leave_the_file(door: Door, database: DatabaseProxy, clock: Clock) -> None:
    """Later writes to the container take them out."""
    container = database.create_container("swept", PartitionKey("/pk"), default_ttl=10)
    for number in range(20):
        container.create_item({"id": str(number), "pk": "x"})
    clock.advance(100)
    container.create_item({"id": "kept", "pk": "x"})
    usage = container.read(populate_quota_info=True)
    assert "documentsCount=1;" in usage.get_response_headers()["x-ms-resource-usage"]


@pytest.mark.documented(TTL)
@pytest.mark.parametrize("ttl", [0, -2, "60", 1.5, None, True])
def test_a_ttl_is_minus_one_or_positive(container: ContainerProxy, ttl: object) -> None:
    """Other values are 400, also where the container has no time to live."""
    with pytest.raises(exceptions.CosmosHttpResponseError) as refused:
        container.create_item({"id": "a", "pk": "x", "ttl": ttl})
    assert refused.value.status_code == 400


@pytest.mark.documented("learn.microsoft.com/azure/cosmos-db/unique-keys")
def test_unique_keys_hold_within_a_logical_partition(database: DatabaseProxy) -> None:
    """The same value is 409 on create, replace, upsert and patch; missing counts as a value; a delete frees it."""
    policy = {"uniqueKeys": [{"paths": ["/email"]}, {"paths": ["/a/b", "/c"]}]}
    container = database.create_container("unique", PartitionKey("/pk"), unique_key_policy=policy)
    container.create_item({"id": "1", "pk": "x", "email": "a@x", "a": {"b": 1}})
    container.create_item({"id": "2", "pk": "y", "email": "a@x", "a": {"b": 1}})
    container.create_item({"id": "3", "pk": "x", "a": {"b": 2}})
    attempts: list[Callable[[], object]] = [
        lambda: container.create_item({"id": "4", "pk": "x", "email": "a@x", "a": {"b": 3}}),
        lambda: container.create_item({"id": "4", "pk": "x", "email": "b@x", "a": {"b": 1}}),
        lambda: container.create_item({"id": "4", "pk": "x", "a": {"b": 4}}),
        lambda: container.replace_item("3", {"id": "3", "pk": "x", "email": "a@x"}),
        lambda: container.upsert_item({"id": "3", "pk": "x", "email": "a@x"}),
        lambda: container.patch_item("3", "x", [{"op": "set", "path": "/email", "value": "a@x"}]),
    ]
    for attempt in attempts:
        with pytest.raises(exceptions.CosmosHttpResponseError) as refused:
            attempt()
        assert refused.value.status_code == 409
    container.delete_item("1", "x")
    container.create_item({"id": "4", "pk": "x", "email": "a@x", "a": {"b": 1}})


@pytest.mark.documented("learn.microsoft.com/azure/cosmos-db/nosql/how-to-delete-by-partition-key")
def test_a_logical_partition_is_deleted_at_once(container: ContainerProxy) -> None:
    """Deleting by partition key removes that key's items and no other's."""
    for number in range(5):
        container.create_item({"id": str(number), "pk": "x"})
    container.create_item({"id": "kept", "pk": "y"})
    container.delete_all_items_by_partition_key("x")
    assert [item["id"] for item in container.read_all_items()] == ["kept"]


@pytest.mark.read_in_sdk("azure-cosmos container.py: read_items")
def test_many_items_are_read_together(container: ContainerProxy) -> None:
    """read_items gives those that exist, over several partition keys."""
    for number in range(6):
        container.create_item({"id": str(number), "pk": f"p{number % 3}"})
    wanted = [(str(number), f"p{number % 3}") for number in range(0, 6, 2)]
    found = container.read_items([*wanted, ("none", "p1")])
    assert sorted(item["id"] for item in found) == ["0", "2", "4"]


@pytest.mark.documented(f"{REST}/list-documents")
def test_the_feed_is_paged_without_gaps(container: ContainerProxy) -> None:
    """Pages have the size asked for and a continuation until the last; each item comes once."""
    for number in range(7):
        container.create_item({"id": str(number), "pk": "x"})
    pages = [[item["id"] for item in page] for page in container.read_all_items(max_item_count=3).by_page()]
    assert pages == [["0", "1", "2"], ["3", "4", "5"], ["6"]]


@pytest.mark.read_in_sdk("azure-cosmos _base.py: an item given as a dictionary is addressed by its _self link")
def test_an_item_is_reached_by_its_rids_too(container: ContainerProxy) -> None:
    """A read item can be handed back to read, replace and delete it."""
    made = container.create_item({"id": "a", "pk": "x"})
    assert container.read_item(made, "x")["_rid"] == made["_rid"]
    assert container.replace_item(made, {"id": "a", "pk": "x", "n": 1})["n"] == 1
    container.delete_item(made, "x")
    with pytest.raises(exceptions.CosmosResourceNotFoundError):
        container.read_item(made, "x")


@pytest.mark.read_in_sdk("azure-cosmos aio")
async def test_the_async_client_works_alike(
    account: CosmosAccount, container: ContainerProxy, client: CosmosClient
) -> None:
    """The async SDK writes and reads the same data."""
    async with AsyncCosmosClient(account.url, account.given_key()) as other:
        twin = other.get_database_client(container.container_link.split("/")[1]).get_container_client(container.id)
        made = await twin.create_item({"id": "a", "pk": "x"})
        assert (await twin.read_item("a", "x"))["_etag"] == made["_etag"]
    assert container.read_item("a", "x")["_etag"] == made["_etag"]


json_values: st.SearchStrategy[Any] = st.deferred(
    lambda: (
        st.none()
        | st.booleans()
        | st.integers(-(2**53), 2**53)
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text()
        | st.lists(json_values, max_size=4)
        | st.dictionaries(st.text(), json_values, max_size=4)
    )
)


@pytest.mark.documented(f"{REST}/documents")
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=json_values)
def test_any_json_comes_back_as_it_was_sent(container: ContainerProxy, value: Any) -> None:
    """Every JSON value survives storage: escapes, key order, empty names, numbers."""
    sent = {"id": "any", "pk": "x", "value": value}
    container.upsert_item(sent)
    read = container.read_item("any", "x")
    assert json.dumps(read["value"]) == json.dumps(value)
