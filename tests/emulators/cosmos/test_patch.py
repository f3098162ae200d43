"""Partial updates: the six operations, their limits, and what they refuse."""

from __future__ import annotations

from typing import Any

import pytest
from azure.cosmos import ContainerProxy, exceptions

PATCH = "learn.microsoft.com/azure/cosmos-db/partial-document-update"
START: dict[str, Any] = {"id": "a", "pk": "x", "n": 1, "list": [1, 2, 3], "in": {"deep": {"er": "v"}}, "~/": "tilde"}


@pytest.mark.documented(PATCH)
@pytest.mark.parametrize(
    ("operations", "changed"),
    [
        ([{"op": "add", "path": "/new", "value": {"a": 1}}], {"new": {"a": 1}}),
        ([{"op": "add", "path": "/n", "value": None}], {"n": None}),
        ([{"op": "add", "path": "/list/1", "value": 9}], {"list": [1, 9, 2, 3]}),
        ([{"op": "add", "path": "/list/3", "value": 9}], {"list": [1, 2, 3, 9]}),
        ([{"op": "add", "path": "/list/-", "value": 9}], {"list": [1, 2, 3, 9]}),
        ([{"op": "set", "path": "/list/1", "value": 9}], {"list": [1, 9, 3]}),
        ([{"op": "set", "path": "/in/deep/new", "value": 1}], {"in": {"deep": {"er": "v", "new": 1}}}),
        ([{"op": "replace", "path": "/in/deep/er", "value": 2}], {"in": {"deep": {"er": 2}}}),
        ([{"op": "remove", "path": "/list/0"}], {"list": [2, 3]}),
        ([{"op": "remove", "path": "/in/deep"}], {"in": {}}),
        ([{"op": "incr", "path": "/n", "value": 5}], {"n": 6}),
        ([{"op": "incr", "path": "/n", "value": -0.5}], {"n": 0.5}),
        ([{"op": "incr", "path": "/fresh", "value": 3}], {"fresh": 3}),
        ([{"op": "move", "from": "/in/deep/er", "path": "/moved"}], {"in": {"deep": {}}, "moved": "v"}),
        ([{"op": "set", "path": "/~0~1", "value": "escaped"}], {"~/": "escaped"}),
        ([{"op": "set", "path": "/n", "value": 7}, {"op": "incr", "path": "/n", "value": 1}], {"n": 8}),
    ],
)
def test_operations_change_the_item(
    container: ContainerProxy, operations: list[dict[str, Any]], changed: dict[str, Any]
) -> None:
    """Each operation has its documented effect, in order, and nothing else changes."""
    container.create_item(START)
    patched = container.patch_item("a", "x", operations)
    expected = {**START, **changed}
    assert {name: value for name, value in patched.items() if not name.startswith("_")} == expected


@pytest.mark.documented(PATCH)
@pytest.mark.parametrize(
    "operation",
    [
        {"op": "replace", "path": "/missing", "value": 1},
        {"op": "remove", "path": "/missing"},
        {"op": "add", "path": "/missing/child", "value": 1},
        {"op": "add", "path": "/list/5", "value": 1},
        {"op": "set", "path": "/list/x", "value": 1},
        {"op": "incr", "path": "/list", "value": 1},
        {"op": "incr", "path": "/n", "value": "1"},
        {"op": "move", "from": "/missing", "path": "/n"},
        {"op": "move", "from": "/in", "path": "/in/deep/self"},
        {"op": "set", "path": "/id", "value": "b"},
        {"op": "set", "path": "/pk", "value": "y"},
        {"op": "remove", "path": "/_ts"},
        {"op": "set", "path": "n", "value": 1},
        {"op": "merge", "path": "/n", "value": 1},
        {"op": "set", "path": "/n"},
    ],
)
def test_an_operation_that_does_not_fit_changes_nothing(container: ContainerProxy, operation: dict[str, Any]) -> None:
    """400, and the operations before it are taken back too."""
    made = container.create_item(START)
    with pytest.raises(exceptions.CosmosHttpResponseError) as refused:
        container.patch_item("a", "x", [{"op": "set", "path": "/n", "value": 99}, operation])
    assert refused.value.status_code == 400
    assert dict(container.read_item("a", "x")) == dict(made)


@pytest.mark.seen_on_azure("the .NET SDK's CosmosItemTests, which compares the service's text")
def test_a_missing_parent_is_named(container: ContainerProxy) -> None:
    """The text counts operations from 1 and says beyond what nothing was found."""
    container.create_item(START)
    with pytest.raises(exceptions.CosmosHttpResponseError) as refused:
        container.patch_item("a", "x", [{"op": "add", "path": "/a/b", "value": 1}])
    assert (
        "For Operation(1): Add Operation can only create a child object of an existing node(array or object) and "
        "cannot create path recursively, no path found beyond: 'a'."
    ) in str(refused.value)


@pytest.mark.documented(f"{PATCH}#limitations")
def test_ten_operations_are_the_most(container: ContainerProxy) -> None:
    """Ten pass, eleven are 400."""
    container.create_item(START)
    step = {"op": "incr", "path": "/n", "value": 1}
    assert container.patch_item("a", "x", [step] * 10)["n"] == 11
    with pytest.raises(exceptions.CosmosHttpResponseError) as refused:
        container.patch_item("a", "x", [step] * 11)
    assert refused.value.status_code == 400


@pytest.mark.documented(PATCH)
def test_patching_what_is_not_there_is_not_found(container: ContainerProxy) -> None:
    """404, never an upsert."""
    with pytest.raises(exceptions.CosmosResourceNotFoundError):
        container.patch_item("none", "x", [{"op": "set", "path": "/n", "value": 1}])


@pytest.mark.documented("learn.microsoft.com/azure/cosmos-db/nosql/query/constants: numbers are IEEE 754 doubles")
def test_an_increment_beyond_whole_numbers_is_a_double(container: ContainerProxy) -> None:
    """What no longer fits 64 bits becomes the nearest double; what fits no double is 400 and changes nothing."""
    container.create_item({"id": "a", "pk": "x", "n": 2**63, "m": 1e308})
    patched = container.patch_item("a", "x", [{"op": "incr", "path": "/n", "value": 2**63}])
    assert patched["n"] == 2.0**64
    with pytest.raises(exceptions.CosmosHttpResponseError, match="too large") as refused:
        container.patch_item("a", "x", [{"op": "incr", "path": "/m", "value": 1e308}])
    assert refused.value.status_code == 400
    assert container.read_item("a", "x")["m"] == 1e308
