"""Valid bodies of which one part was replaced, taken out or repeated: random input seldom gets as deep as this."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.emulators.cosmos.test_overlap import CROSS, ITEMS, Direct

KEY = {"x-ms-documentdb-partitionkey": '["x"]'}
BATCH = {**KEY, "x-ms-cosmos-is-batch-request": "true", "x-ms-cosmos-batch-atomic": "true"}
BULK = {**BATCH, "x-ms-cosmos-batch-atomic": "false"}
CONTAINER: dict[str, Any] = {
    "id": "made",
    "partitionKey": {"paths": ["/a", "/b"], "kind": "MultiHash", "version": 2},
    "defaultTtl": 5,
    "uniqueKeyPolicy": {"uniqueKeys": [{"paths": ["/u", "/v/w"]}]},
    "indexingPolicy": {
        "indexingMode": "consistent",
        "includedPaths": [{"path": "/*"}],
        "excludedPaths": [{"path": "/x/?"}],
        "compositeIndexes": [[{"path": "/a", "order": "ascending"}, {"path": "/b", "order": "ascending"}]],
        "spatialIndexes": [{"path": "/l/?", "types": ["Point"]}],
        "vectorIndexes": [{"path": "/vec", "type": "quantizedFlat", "quantizationByteSize": 8}],
        "fullTextIndexes": [{"path": "/t"}],
    },
    "conflictResolutionPolicy": {"mode": "LastWriterWins", "conflictResolutionPath": "/_ts"},
    "geospatialConfig": {"type": "Geometry"},
    "changeFeedPolicy": {"retentionDuration": 5},
    "computedProperties": [{"name": "lower", "query": "SELECT VALUE LOWER(c.n) FROM c"}],
    "vectorEmbeddingPolicy": {
        "vectorEmbeddings": [{"path": "/vec", "dataType": "float32", "dimensions": 3, "distanceFunction": "cosine"}]
    },
    "fullTextPolicy": {"defaultLanguage": "en-US", "fullTextPaths": [{"path": "/t", "language": "en-US"}]},
}
PATCH: dict[str, Any] = {
    "condition": "from c where IS_DEFINED(c.id)",
    "operations": [
        {"op": "add", "path": "/list/-", "value": 1},
        {"op": "incr", "path": "/n", "value": 2.5},
        {"op": "move", "from": "/m", "path": "/mm"},
    ],
}
OPERATIONS: list[dict[str, Any]] = [
    {"operationType": "Create", "resourceBody": {"id": "b", "pk": "x"}, "indexingDirective": "Default"},
    {"operationType": "Read", "id": "a", "ifNoneMatch": "e"},
    {"operationType": "Patch", "id": "a", "resourceBody": PATCH, "minimalReturnPreference": True},
]
QUERY = {"query": "SELECT * FROM c WHERE c.n = @n", "parameters": [{"name": "@n", "value": [1]}]}
PERMISSION = {"id": "p", "permissionMode": "Read", "resource": ITEMS, "resourcePartitionKey": ["x"]}
CASES: list[tuple[str, str, Any, dict[str, str]]] = [
    ("POST", "dbs/d/colls", CONTAINER, {}),
    ("PUT", ITEMS, {**CONTAINER, "id": "c", "partitionKey": {"paths": ["/pk"], "kind": "Hash", "version": 2}}, {}),
    ("PUT", f"{ITEMS}/docs/a", {"id": "a", "pk": "x", "ttl": 5}, KEY),
    ("PATCH", f"{ITEMS}/docs/a", PATCH, KEY),
    ("POST", f"{ITEMS}/docs", OPERATIONS, BATCH),
    ("POST", f"{ITEMS}/docs", [{**each, "partitionKey": '["x"]'} for each in OPERATIONS], BULK),
    ("POST", f"{ITEMS}/docs", QUERY, CROSS),
    ("POST", f"{ITEMS}/triggers", {"id": "t", "body": "", "triggerType": "Pre", "triggerOperation": "All"}, {}),
    ("POST", "dbs/d/users/u/permissions", PERMISSION, {}),
]  # fmt: skip
PARTS: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, 0, -1, 1.5, 1e308, 2**63, 2**64 - 1, "", "x", "/", "/a/?", "/a//b", "é", "\0", "9" * 400, [], {},
     [[]], [{}], [None], {"": 1}, {"id": {}}, ["/a"], [1], "SELECT VALUE 1 FROM c", '["x"]', [{"path": None}]]
)  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of each part of a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, each in inner:
        yield (*path, name)
        yield from places(each, (*path, name))


@st.composite
def altered(draw: st.DrawFn) -> tuple[str, str, Any, dict[str, str]]:
    """One of the cases with one part replaced, removed, or repeated."""
    method, path, body, headers = draw(st.sampled_from(CASES))
    changed = copy.deepcopy(body)
    *above, last = draw(st.sampled_from(list(places(changed))))
    owner = changed
    for step in above:
        owner = owner[step]
    match draw(st.sampled_from(["replace", "replace", "replace", "remove", "repeat"])):
        case "remove":
            del owner[last]
        case "repeat" if isinstance(owner, list):
            owner += copy.deepcopy(owner) * 20
        case _:
            owner[last] = draw(PARTS)
    return method, path, changed, headers


async def statuses(method: str, path: str, body: Any, headers: dict[str, str]) -> list[int]:
    """What such a request is answered with, and what is asked of a container that it has made."""
    direct = Direct()
    await direct.make()
    await direct.call("POST", "dbs/d/users", {"id": "u"})
    upsert = {**KEY, "x-ms-documentdb-is-upsert": "true"}
    await direct.call("POST", f"{ITEMS}/docs", {"id": "a", "pk": "x", "n": 1, "m": 2, "list": [1]}, upsert)
    answers = [await direct.call(method, path, body, headers)]
    if path == "dbs/d/colls" and answers[0].status == 201:
        assert isinstance(answers[0].body, bytes)
        docs = f"{path}/{quote(orjson.loads(answers[0].body)['id'], safe='')}/docs"
        item = {"id": "i", "a": "x", "b": "y", "u": 1, "v": {"w": 2}, "vec": [1, 2, 3], "t": "text", "n": "N"}
        answers += [
            await direct.call("POST", docs, item, {"x-ms-documentdb-partitionkey": '["x","y"]'}),
            await direct.call("POST", docs, {"query": "SELECT c.lower, c.id FROM c ORDER BY c.a, c.b"}, CROSS),
        ]
    await direct.application.close()
    return [each.status for each in answers]


@pytest.mark.our_choice("bad input gets a clear error, however little of it is bad")
@settings(max_examples=300, deadline=None)
@given(altered())
def test_a_body_with_one_bad_part_is_taken_or_refused(case: tuple[str, str, Any, dict[str, str]]) -> None:
    """Never a 5xx but 501, and neither is what is asked of a container that such a body has made."""
    assert all(status < 500 or status == 501 for status in asyncio.run(statuses(*case)))
