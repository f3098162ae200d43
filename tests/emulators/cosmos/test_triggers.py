"""Triggers: scripts that a write names to be run before and after it, in one transaction with it."""

from __future__ import annotations

from typing import Any

import pytest
from azure.cosmos import ContainerProxy
from azure.cosmos.exceptions import CosmosHttpResponseError

from tests.emulators.cosmos.http import Door

DOCS = "learn.microsoft.com/azure/cosmos-db/nosql/how-to-write-stored-procedures-triggers-udfs"
SUITE = "azure-cosmos tests/test_crud_container.py: test_trigger_functionality"
KEY = "p"

STAMP = """function () {
    var request = getContext().getRequest(), item = request.getBody();
    item.stampedBy = request.getOperationType();
    request.setBody(item);
}"""
COUNT = """function () {
    var c = getContext().getCollection(), made = getContext().getResponse().getBody();
    c.upsertDocument(c.getSelfLink(), { id: "log", pk: "p", last: made.id }, function (error) {
        if (error) throw error;
        if (made.poison) throw new Error("refused afterwards");
    });
}"""


def add(container: ContainerProxy, name: str, text: str, kind: str, operation: str = "All") -> None:
    """Store a trigger."""
    container.scripts.create_trigger({"id": name, "body": text, "triggerType": kind, "triggerOperation": operation})


@pytest.mark.documented(DOCS)
def test_a_pre_trigger_changes_what_is_written(container: ContainerProxy) -> None:
    """It sees the body and the operation, and what it sets is stored."""
    add(container, "stamp", STAMP, "Pre")
    assert container.create_item({"id": "a", "pk": KEY}, pre_trigger_include="stamp")["stampedBy"] == "Create"
    assert container.upsert_item({"id": "a", "pk": KEY}, pre_trigger_include="stamp")["stampedBy"] == "Upsert"
    replaced = container.replace_item("a", {"id": "a", "pk": KEY}, pre_trigger_include="stamp")
    assert replaced["stampedBy"] == container.read_item("a", KEY)["stampedBy"] == "Replace"


@pytest.mark.documented(DOCS)
def test_a_trigger_runs_only_when_it_is_named(container: ContainerProxy) -> None:
    """Having a trigger changes nothing for writes without its name."""
    add(container, "stamp", STAMP, "Pre")
    assert "stampedBy" not in container.create_item({"id": "a", "pk": KEY})


@pytest.mark.documented(DOCS)
def test_a_post_trigger_writes_in_the_same_transaction(container: ContainerProxy) -> None:
    """What it writes is there with the item; when it throws, neither is."""
    add(container, "count", COUNT, "Post")
    made = container.create_item({"id": "a", "pk": KEY}, post_trigger_include="count")
    assert container.read_item("a", KEY)["_etag"] == made["_etag"]
    with pytest.raises(CosmosHttpResponseError, match="refused afterwards") as refused:
        container.create_item({"id": "b", "pk": KEY, "poison": True}, post_trigger_include="count")
    assert refused.value.status_code == 400
    assert container.read_item("log", KEY)["last"] == "a"
    assert sorted(item["id"] for item in container.read_all_items()) == ["a", "log"]


@pytest.mark.documented("azure.github.io/azure-cosmosdb-js-server: Response.setBody")
def test_a_post_trigger_changes_the_answer_and_not_the_item(container: ContainerProxy) -> None:
    """The response body is the item until the trigger sets another."""
    text = "function () { getContext().getResponse().setBody({ told: getContext().getRequest().getBody().id }); }"
    add(container, "tell", text, "Post")
    told = container.create_item({"id": "a", "pk": KEY}, post_trigger_include="tell")
    assert dict(told) == {"told": "a"}
    assert container.read_item("a", KEY)["id"] == "a"


@pytest.mark.documented(DOCS)
def test_triggers_go_around_a_delete(container: ContainerProxy) -> None:
    """A pre-trigger without a body and a post-trigger see the operation, and may prevent it."""
    container.create_item({"id": "a", "pk": KEY})
    add(container, "never", "function () { throw new Error(getContext().getRequest().getOperationType()); }", "Pre")
    with pytest.raises(CosmosHttpResponseError, match="Error: Delete"):
        container.delete_item("a", KEY, pre_trigger_include="never")
    add(container, "fine", "function () {}", "Post", "Delete")
    container.delete_item("a", KEY, post_trigger_include="fine")
    assert list(container.read_all_items()) == []


@pytest.mark.read_in_sdk(SUITE)
@pytest.mark.parametrize(
    ("kind", "operation", "named"),
    [("Pre", "Delete", "pre"), ("Post", "Replace", "post"), ("Pre", "All", "post"), ("Post", "All", "pre")],
)
def test_a_trigger_for_something_else_is_refused(
    container: ContainerProxy, kind: str, operation: str, named: str
) -> None:
    """A trigger of another operation or type, or none of that name: 400, and nothing is written."""
    add(container, "t", "function () {}", kind, operation)
    for name in ("t", "unknown"):
        included: dict[str, Any] = {f"{named}_trigger_include": name}
        with pytest.raises(CosmosHttpResponseError, match=f"'{name}'") as refused:
            container.create_item({"id": "a", "pk": KEY}, **included)
        assert refused.value.status_code == 400
    assert list(container.read_all_items()) == []


@pytest.mark.documented("azure.github.io/azure-cosmosdb-js-server: Request, Response")
def test_a_trigger_has_only_what_it_may_use(container: ContainerProxy) -> None:
    """A pre-trigger has no response; no script makes up headers or writes what is read-only."""
    text = """function () {
        var seen = [typeof getContext().getResponse];
        try { getContext().getRequest().setValue("new", 1); } catch (error) { seen.push(error.number); }
        try { getContext().getRequest().setValue("OperationType", 1); } catch (error) { seen.push(error.number); }
        throw JSON.stringify(seen);
    }"""
    add(container, "t", text, "Pre")
    with pytest.raises(CosmosHttpResponseError) as refused:
        container.create_item({"id": "a", "pk": KEY}, pre_trigger_include="t")
    assert '[\\"undefined\\",400,403]' in str(refused.value.message)


@pytest.mark.documented("learn.microsoft.com/azure/cosmos-db/nosql/database-transactions-optimistic-concurrency")
def test_conditions_and_charges_hold_around_triggers(container: ContainerProxy, door: Door) -> None:
    """A stale If-Match is refused, a pre-trigger cannot move an item, and triggers' work is charged."""
    add(container, "stamp", STAMP, "Pre")
    add(container, "count", COUNT, "Post")
    add(container, "move", STAMP.replace("item.stampedBy", "item.pk"), "Pre")
    path = f"dbs/{door.database_of(container)}/colls/{container.id}/docs"
    keyed = {"x-ms-documentdb-partitionkey": '["p"]', "x-ms-documentdb-pre-trigger-include": "stamp"}
    plain = door.call("POST", path, {"id": "a", "pk": KEY}, {**keyed, "x-ms-documentdb-pre-trigger-include": ""})
    counted = {**keyed, "x-ms-documentdb-post-trigger-include": "count"}
    dear = door.call("POST", path, {"id": "b", "pk": KEY}, counted)
    assert float(dear.headers["x-ms-request-charge"]) > 1.5 * float(plain.headers["x-ms-request-charge"])
    assert dear.headers["etag"] == dear.json()["_etag"]
    stale = door.call("PUT", f"{path}/a", {"id": "a", "pk": KEY}, {**keyed, "if-match": '"stale"'})
    moving = {**keyed, "x-ms-documentdb-pre-trigger-include": "move"}
    moved = door.call("PUT", f"{path}/a", {"id": "a", "pk": KEY}, moving)
    assert (stale.status_code, moved.status_code, moved.headers["x-ms-substatus"]) == (412, 400, "1001")
    minimal = door.call("POST", path, {"id": "c", "pk": KEY}, {**keyed, "prefer": "return=minimal"})
    assert (minimal.status_code, minimal.content) == (201, b"")


@pytest.mark.our_choice("no source says what a trigger sees of a patch")
def test_triggers_around_a_patch_are_refused_by_name(container: ContainerProxy) -> None:
    """501, and the item stays as it is."""
    container.create_item({"id": "a", "pk": KEY})
    operations = [{"op": "add", "path": "/n", "value": 1}]
    with pytest.raises(CosmosHttpResponseError, match="patch are not implemented") as refused:
        container.patch_item("a", KEY, operations, pre_trigger_include="t")
    assert refused.value.status_code == 501
