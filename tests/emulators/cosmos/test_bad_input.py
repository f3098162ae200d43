"""Whatever is sent, the answer is one of the service's: never a 5xx but 501, never a hang, never half a write."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import quote

import pytest
import requests
from azure.cosmos import ContainerProxy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.emulators.cosmos.http import Door

HEADERS = (
    "x-ms-documentdb-partitionkey",
    "x-ms-max-item-count",
    "x-ms-continuation",
    "x-ms-session-token",
    "x-ms-consistency-level",
    "x-ms-documentdb-partitionkeyrangeid",
    "x-ms-start-epk",
    "x-ms-end-epk",
    "x-ms-documentdb-is-upsert",
    "x-ms-documentdb-isquery",
    "x-ms-cosmos-is-query-plan-request",
    "x-ms-cosmos-is-batch-request",
    "x-ms-cosmos-batch-atomic",
    "x-ms-cosmos-intended-collection-rid",
    "x-ms-indexing-directive",
    "x-ms-documentdb-pre-trigger-include",
    "x-ms-documentdb-post-trigger-include",
    "x-ms-documentdb-script-enable-logging",
    "x-ms-offer-throughput",
    "x-ms-cosmos-offer-autopilot-settings",
    "x-ms-documentdb-expiry-seconds",
    "x-ms-documentdb-populatequotainfo",
    "x-ms-documentdb-populatepartitionstatistics",
    "a-im",
    "if-match",
    "if-none-match",
    "if-modified-since",
    "prefer",
    "content-type",
)
SHAPES = (
    "",
    "dbs",
    "{db}",
    "{db}/colls",
    "{db}/users",
    "{db}/users/u/permissions",
    "{db}/colls/items",
    "{db}/colls/items/docs",
    "{db}/colls/items/docs/a",
    "{db}/colls/items/pkranges",
    "{db}/colls/items/sprocs",
    "{db}/colls/items/sprocs/s",
    "{db}/colls/items/triggers",
    "{db}/colls/items/udfs",
    "{db}/colls/items/attachments",
    "{db}/users/u",
    "{db}/colls/items/conflicts",
    "{db}/colls/items/operations/partitionkeydelete",
    "offers",
    "offers/x",
)
texts = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30)
likely = st.sampled_from(
    ["true", "False", "-1", "0", "1", "2147483648", '["x"]', "[]", "[{}]", "[null]", "FF", "0", "Incremental Feed", "*",
     "Full-Fidelity Feed", "0:-1#1", "application/query+json", "1~5", '{"maxThroughput": 1000}', "return=minimal", "²"]
)  # fmt: skip
members = st.sampled_from(
    ["id", "pk", "ttl", "partitionKey", "paths", "kind", "version", "indexingPolicy", "includedPaths", "path", "query",
     "parameters", "name", "value", "operations", "op", "from", "condition", "operationType", "resourceBody", "ifMatch",
     "permissionMode", "resource", "body", "triggerType", "content", "offerThroughput", "uniqueKeyPolicy", "uniqueKeys",
     "defaultTtl", "changeFeedPolicy", "computedProperties", "conflictResolutionPolicy", "compositeIndexes"]
)  # fmt: skip
anything: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(members, inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.our_choice("bad input gets a clear error, whatever it is")
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]),
    shape=st.sampled_from(SHAPES),
    headers=st.dictionaries(st.sampled_from(HEADERS), likely | texts, max_size=5),
    body=anything | st.binary(max_size=40),
)
def test_no_request_breaks_the_emulator(
    door: Door, container: ContainerProxy, method: str, shape: str, headers: dict[str, str], body: Any
) -> None:
    """Random verbs, paths, headers and bodies are answered with 2xx, 304, 4xx or 501, errors with code and message."""
    if method == "DELETE" and shape in ("{db}", "{db}/colls/items"):
        return
    path = shape.format(db=f"dbs/{door.database_of(container)}")
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    sent = {name: value.strip() for name, value in headers.items() if value.isascii()}
    answer = door.call(method, path, raw, sent)
    assert answer.status_code < 500 or answer.status_code == 501, (answer.status_code, answer.text)
    if answer.status_code >= 400 and method != "HEAD":
        assert set(answer.json()) >= {"code", "message"}
    assert door.call("GET", container.container_link).status_code == 200


LONG = "9" * 5000
"""More digits than Python turns into a number."""
DEEP: Any = json.loads("[" * 300 + "]" * 300)
"""What can be read and, in the answer, not be written."""
KEY = {"x-ms-documentdb-partitionkey": '["x"]'}
BULK = {"x-ms-cosmos-is-batch-request": "true", "x-ms-cosmos-batch-atomic": "false"}
CROSS = {"x-ms-documentdb-isquery": "true", "x-ms-documentdb-query-enablecrosspartition": "true"}


@pytest.mark.our_choice("each of these once was a 500")
@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status"),
    [
        ("GET", "/docs/a", None, {**KEY, "x-ms-session-token": "0:--5"}, 400),
        ("GET", "/docs/a", None, {**KEY, "x-ms-session-token": f"0:{LONG}"}, 400),
        ("GET", "/docs", None, {"x-ms-max-item-count": LONG}, 400),
        ("GET", "/docs", None, {"a-im": "Incremental Feed", "if-none-match": f"{LONG}~5"}, 400),
        ("PATCH", "/docs/a", {"operations": [{"op": "set", "path": f"/tags/{LONG}", "value": 1}]}, KEY, 400),
        ("PATCH", "/docs/a", {"operations": [{"op": "set", "path": f"/tags/{LONG}/x", "value": 1}]}, KEY, 400),
        ("POST", "/docs", [{"operationType": "Read"}], {**BULK, "x-ms-documentdb-partitionkeyrangeid": LONG}, 410),
        ("POST", "/docs", [{"operationType": "Create", "resourceBody": {"id": "b", "v": DEEP}}], {**BULK, **KEY}, 400),
        ("POST", "/docs", {"query": "SELECT VALUE @v", "parameters": [{"name": "@v", "value": DEEP}]}, CROSS, 400),
        ("POST", "/docs", {"query": "SELECT VALUE DOCUMENTID({'_rid': 'é'})"}, CROSS, 200),
        ("POST", "/docs", {"query": "SELECT 1"}, {**CROSS, "x-ms-start-epk": "FF", "x-ms-end-epk": "05"}, 200),
        ("PUT", "", {"id": "items", "partitionKey": "/pk"}, {}, 400),
        ("PUT", "", {"id": "items", "changeFeedPolicy": {}}, {}, 400),
        ("PUT", "", {"id": "items", "vectorEmbeddingPolicy": {"vectorEmbeddings": [1]}}, {}, 400),
        ("PUT", "", {"id": "items", "vectorEmbeddingPolicy": {"vectorEmbeddings": None}}, {}, 400),
        ("PUT", "", {"id": "items", "indexingPolicy": {"more": DEEP}}, {}, 400),
    ],
)
def test_what_cannot_be_is_refused(
    door: Door, container: ContainerProxy, method: str, path: str, body: Any, headers: dict[str, str], status: int
) -> None:
    """Numbers too long, bodies too deep, policies of the wrong form are refused and not stumbled over."""
    container.upsert_item({"id": "a", "pk": "x", "tags": [1]})
    answer = door.call(method, f"{container.container_link}{path}", body, headers)
    assert answer.status_code == status, answer.text


@pytest.mark.our_choice("each of these once was a 500")
@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("ARRAY_SUM([1e308, 1e308])", []),
        ("ARRAY_AVG([1 / 0, -1 / 0])", []),
        ("NumberBin(1e308, 1e-308)", []),
        ("_FullTextScore('a', ['a'], 1, 1, [-0.5])", []),
        ("VectorDistance([1 / 0, 1], [-1, 1 / 0], false, {distanceFunction: 'dotproduct'})", [-1]),
        ("StringToArray(REPLICATE('[', 1000) || REPLICATE(']', 1000))", []),
    ],
)
def test_values_beyond_a_double_are_answered(
    door: Door, container: ContainerProxy, expression: str, value: list[Any]
) -> None:
    """Functions give what the language has for it, undefined or what is no JSON number, and no failure."""
    body = {"query": f"SELECT DISTINCT VALUE {expression}"}
    answer = door.call("POST", f"{container.container_link}/docs", body, CROSS)
    assert (answer.status_code, answer.json().get("Documents")) == (200, value)


@pytest.mark.our_choice("an oversized body must not be read, let alone stored")
def test_a_huge_body_is_refused_and_the_connection_goes_on(door: Door, container: ContainerProxy) -> None:
    """10 MB are 413 with the service's code, and the next request is served."""
    path = f"{container.container_link}/docs"
    try:
        answer = door.call("POST", path, b"x" * 10_000_000, {"x-ms-documentdb-partitionkey": '["x"]'})
        assert (answer.status_code, answer.json()["code"]) == (413, "RequestEntityTooLarge")
    except requests.ConnectionError:
        pass  # the server may hang up on a sender that does not stop to listen
    assert door.call("GET", path).json()["_count"] == 0


TEXTS = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=60)
"""What a header can hold: the HTTP server itself refuses the rest."""


@pytest.mark.our_choice("a forged authorization gets the service's refusal, whatever it looks like")
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from(["master", "resource", "aad", "MASTER", ""]) | TEXTS,
    version=st.sampled_from(["1.0", "1", "2", ""]),
    signature=TEXTS | st.binary(max_size=40).map(lambda raw: base64.b64encode(raw).decode()),
    date=st.sampled_from(["", "now", "Thu, 01 Jan 1970 00:00:00 GMT", "Mon, 99 Foo 99999 99:99:99 GMT"]) | TEXTS,
    encoded=st.booleans(),
)
def test_a_forged_authorization_is_refused(
    door: Door, container: ContainerProxy, kind: str, version: str, signature: str, date: str, encoded: bool
) -> None:
    """401 or 403 with code and message, and nothing is told or done."""
    header = f"type={kind}&ver={version}&sig={signature}"
    sent = {"authorization": quote(header, safe="") if encoded else header.strip() or "x", "x-ms-date": date.strip()}
    raw = {name: value.encode("latin-1") for name, value in sent.items()}
    answer = requests.get(f"{door.url}/{container.container_link}", headers=raw, timeout=10)
    assert answer.status_code in (401, 403), answer.text
    assert set(answer.json()) >= {"code", "message"}


@pytest.mark.documented("learn.microsoft.com/azure/cosmos-db/concepts-limits: what an item's id may be")
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.text(min_size=1, max_size=12)
    | st.sampled_from(["/", "\\", "?", "#", "..", ".", "%2F", " ", "\u00e9", "\r", "\0"])
)
def test_any_id_is_stored_or_refused(door: Door, container: ContainerProxy, name: str) -> None:
    """What is accepted is in the feed as it was sent; what is refused left nothing behind."""
    path, key = f"{container.container_link}/docs", {"x-ms-documentdb-partitionkey": '["ids"]'}
    upsert = {**key, "x-ms-documentdb-is-upsert": "true"}
    answer = door.call("POST", path, {"id": name, "pk": "ids"}, upsert)
    assert answer.status_code in (200, 201, 400), answer.text
    stored = {item["id"] for item in door.call("GET", path, headers=key).json()["Documents"]}
    assert (name in stored) == (answer.status_code != 400)


@pytest.mark.documented("www.rfc-editor.org/rfc/rfc8259: what is JSON, and in UTF-8")
@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b'{"id": "a", "pk": "x",}', b'{"id": "a", "pk": NaN}', b'{"id": "a", "pk": "x", "n": Infinity}',
        b'{"id": "\xff", "pk": "x"}', b'{"id": "a\xc3", "pk": "x"}', b"\xef\xbb\xbf{}", b'{"id": "\x00", "pk": "x"}',
        b"null", b"1", b"[", b'"a"', b"[{}]", b"{" * 100_000, b"[" * 100_000, b'{"a":' * 5000 + b"1" + b"}" * 5000,
    ],
    ids=range(17),
)  # fmt: skip
def test_what_is_no_item_is_400(door: Door, container: ContainerProxy, body: bytes) -> None:
    """Malformed JSON, numbers that are none, bytes that are no UTF-8, nesting without end: refused, nothing stored."""
    path = f"{container.container_link}/docs"
    answer = door.call("POST", path, body, KEY)
    assert (answer.status_code, answer.json()["code"]) == (400, "BadRequest")
    assert door.call("GET", path).json()["_count"] == 0


@pytest.mark.documented("learn.microsoft.com/azure/cosmos-db/nosql/query/constants: numbers are doubles")
@pytest.mark.parametrize("number", ["9007199254740993", "123456789012345678901234567890", "1e400", "-1e400", "1e-400"])
def test_a_number_beyond_a_double_is_stored_as_one_or_refused(
    door: Door, container: ContainerProxy, number: str
) -> None:
    """A big integer or exponent does not break what reads, queries or sorts the item."""
    path = f"{container.container_link}/docs"
    answer = door.call("POST", path, f'{{"id": "a", "pk": "x", "n": {number}}}'.encode(), KEY)
    assert answer.status_code in (201, 400)
    query = {**CROSS, "content-type": "application/query+json"}
    for text in (
        "SELECT * FROM c",
        "SELECT VALUE c.n FROM c WHERE c.n > 0 ORDER BY c.n",
        "SELECT VALUE SUM(c.n) FROM c",
    ):
        assert door.call("POST", path, {"query": text}, query).status_code == 200
    if answer.status_code == 201:
        assert door.call("GET", f"{path}/a", headers=KEY).json()["id"] == "a"


@pytest.mark.seen_on_azure("@azure/cosmos test/public/functional/query.spec.ts: fails with invalid continuation token")
def test_a_made_up_continuation_is_refused_in_the_services_words(door: Door, container: ContainerProxy) -> None:
    """In the feed of items, in a query, and in the feeds of other resources."""
    docs, junk = f"{container.container_link}/docs", {"x-ms-continuation": "junk"}
    asked = {"x-ms-documentdb-isquery": "true", "content-type": "application/query+json"}
    across = {**asked, "x-ms-documentdb-query-enablecrosspartition": "true"}
    for answer in (
        door.call("GET", docs, headers=junk),
        door.call("POST", docs, {"query": "SELECT * FROM c"}, {**across, **junk}),
        door.call("GET", "dbs", headers=junk),
        door.call("POST", "dbs", {"query": "SELECT * FROM c"}, {**asked, **junk}),
    ):
        assert (answer.status_code, "Invalid Continuation Token" in answer.text) == (400, True)
