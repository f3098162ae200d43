"""Batches in HybridRow, as the .NET SDK sends them: the same operations and results in binary rows."""

from __future__ import annotations

import json
import struct
import zlib
from typing import Any

import pytest
import requests
from azure.cosmos import ContainerProxy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.emulators.cosmos.http import Door

DOTNET = "Microsoft.Azure.Cosmos src/Batch: HybridRowBatchSchemas.json, ItemBatchOperation, TransactionalBatchResponse"
SEGMENT = bytes.fromhex("81f0d8ff7f010a000000")
RECORD = bytes.fromhex("81f1d8ff7f")
OPERATION, RESULT = bytes.fromhex("817054e17f"), bytes.fromhex("817154e17f")
CREATE, PATCH, READ, DELETE, REPLACE, UPSERT = 0, 1, 2, 4, 5, 20


def stream(*rows: bytes) -> bytes:
    """A RecordIO stream of rows."""
    return SEGMENT + b"".join(RECORD + struct.pack("<iI", len(row), zlib.crc32(row)) + row for row in rows)


def operation(
    kind: int, *, name: str | None = None, body: Any = None, key: str | None = None, sparse: bytes = b""
) -> bytes:
    """The row of one operation."""
    values = [key, None, name, None, None if body is None else json.dumps(body)]
    bits = 3 | sum(1 << bit for bit, value in enumerate(values, start=2) if value is not None)
    variable = b"".join(sized(value.encode()) for value in values if value is not None)
    return OPERATION + struct.pack("<Bii", bits, kind, 2) + variable + sparse


def sized(value: bytes) -> bytes:
    """A value after its length, of less than 16,384 bytes."""
    length = len(value)
    return (bytes((length,)) if length < 128 else bytes((length & 0x7F | 0x80, length >> 7))) + value


def if_match(etag: str) -> bytes:
    """The sparse column of a condition: text, column 9."""
    return b"\x14\x09" + sized(etag.encode())


def results(answer: requests.Response) -> list[dict[str, Any]]:
    """What an answer in rows says."""
    left, found = answer.content, []
    assert left[:10] == SEGMENT
    left = left[10:]
    while left:
        assert left[:5] == RECORD
        length, checksum = struct.unpack("<iI", left[5:13])
        row, left = left[13 : 13 + length], left[13 + length :]
        assert (zlib.crc32(row), row[:5]) == (checksum, RESULT)
        bits, status, substatus = struct.unpack("<Bii", row[5:14])
        result: dict[str, Any] = {"status": status, "substatus": substatus}
        row = row[14:]
        for bit, name in ((2, "etag"), (3, "body")):
            if bits >> bit & 1:
                size, start = (row[0], 1) if row[0] < 128 else (row[0] & 0x7F | row[1] << 7, 2)
                result[name], row = row[start : start + size], row[start + size :]
        assert row[:2] == b"\x10\x06"
        (result["charge"],) = struct.unpack("<d", row[2:])
        found.append(result)
    return found


def post(door: Door, container: ContainerProxy, body: bytes, **headers: str) -> requests.Response:
    """Send a batch in rows on the partition key x."""
    shared = {
        "x-ms-cosmos-is-batch-request": "True",
        "x-ms-cosmos-batch-atomic": "True",
        "x-ms-documentdb-partitionkey": '["x"]',
    }
    given_headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return door.call("POST", f"{container.container_link}/docs", body, {**shared, **given_headers})


@pytest.mark.read_in_sdk(DOTNET)
def test_a_batch_in_rows_is_done_and_answered_in_rows(door: Door, container: ContainerProxy) -> None:
    """Each kind of operation, in order; bodies, ETags and charges come back; minimal ones come without a body."""
    body = stream(
        operation(CREATE, name="a", body={"id": "a", "pk": "x", "n": 1}),
        operation(READ, name="a"),
        operation(REPLACE, name="a", body={"id": "a", "pk": "x", "n": 2}),
        operation(UPSERT, body={"id": "b", "pk": "x", "long": "é" * 200}, sparse=b"\x03\x0c"),
        operation(PATCH, name="b", body={"operations": [{"op": "set", "path": "/m", "value": 1}]}),
        operation(DELETE, name="a"),
    )
    answer = post(door, container, body)
    assert answer.status_code == 200
    done = results(answer)
    assert [each["status"] for each in done] == [201, 200, 200, 201, 200, 204]
    assert [json.loads(each["body"]).get("n") for each in done if "body" in each] == [1, 1, 2, None]
    assert "body" not in done[3]
    assert "body" not in done[5]
    assert json.loads(done[2]["body"])["_etag"].encode() == done[2]["etag"] != done[0]["etag"]
    assert sum(each["charge"] for each in done) == pytest.approx(float(answer.headers["x-ms-request-charge"]), abs=0.1)
    assert [item["id"] for item in container.read_all_items()] == ["b"]
    assert container.read_item("b", "x")["m"] == 1


@pytest.mark.read_in_sdk(DOTNET)
def test_a_batch_in_rows_happens_whole_or_not_at_all(door: Door, container: ContainerProxy) -> None:
    """The operation under a stale ETag is 412, the others 424, the answer 207."""
    container.create_item({"id": "a", "pk": "x"})
    body = stream(
        operation(CREATE, body={"id": "b", "pk": "x"}),
        operation(REPLACE, name="a", body={"id": "a", "pk": "x", "n": 1}, sparse=if_match('"stale"')),
    )
    answer = post(door, container, body)
    assert answer.status_code == 207
    assert [each["status"] for each in results(answer)] == [424, 412]
    assert [item["id"] for item in container.read_all_items()] == ["a"]


@pytest.mark.read_in_sdk("Microsoft.Azure.Cosmos src/Batch/PartitionKeyRangeServerBatchRequest.cs: bulk")
def test_bulk_in_rows_carries_a_key_for_each_operation(door: Door, container: ContainerProxy) -> None:
    """Each stands alone; a failure leaves the others done."""
    container.create_item({"id": "a", "pk": "x"})
    body = stream(
        operation(CREATE, key='["x"]', body={"id": "a", "pk": "x"}),
        operation(CREATE, key='["y"]', body={"id": "b", "pk": "y"}),
    )
    answer = post(
        door,
        container,
        body,
        x_ms_cosmos_batch_atomic="False",
        x_ms_cosmos_batch_continue_on_error="True",
        x_ms_documentdb_partitionkeyrangeid="0",
    )
    assert (answer.status_code, [each["status"] for each in results(answer)]) == (207, [409, 201])


@pytest.mark.our_choice("what is not built says so by name")
def test_what_is_not_built_in_a_row_is_told_by_name(door: Door, container: ContainerProxy) -> None:
    """501, and nothing is stored."""
    lives = b"\x07\x0b\x05\0\0\0"
    answer = post(door, container, stream(operation(CREATE, body={"id": "a", "pk": "x"}, sparse=lives)))
    assert (answer.status_code, "timeToLiveInSeconds" in answer.text) == (501, True)
    assert list(container.read_all_items()) == []


@pytest.mark.parametrize(("directive", "status"), [(b"Exclude", 200), (b"Perhaps", 400)])
@pytest.mark.read_in_sdk("Microsoft.Azure.Cosmos HybridRowBatchSchemas.json: indexingDirective")
def test_a_row_has_an_indexing_directive(door: Door, container: ContainerProxy, directive: bytes, status: int) -> None:
    """The words of the header, and no others."""
    sparse = b"\x14\x08\x07" + directive
    answer = post(door, container, stream(operation(CREATE, body={"id": "a", "pk": "x"}, sparse=sparse)))
    assert answer.status_code == status


@pytest.mark.our_choice("bad input gets a clear error")
@pytest.mark.parametrize(
    "body",
    [
        b"\x81",
        SEGMENT[:-1],
        SEGMENT + RECORD,
        SEGMENT + RECORD + struct.pack("<iI", 1 << 30, 0),
        SEGMENT + RECORD + struct.pack("<iI", 4, 7) + b"abcd",
        stream(OPERATION),
        stream(operation(READ, name="a") + b"\x14"),
        stream(operation(READ, name="a") + b"\x14\x63\x00"),
        stream(operation(READ, name="a") + b"\x2c\x09\x00"),
        stream(operation(99, name="a")),
        stream(OPERATION + struct.pack("<Bii", 0b10011, READ, 2) + b"\xff" * 12),
        stream(OPERATION + struct.pack("<Bii", 0b10011, READ, 2) + sized(b"\xff")),
        stream(OPERATION + struct.pack("<Bii", 0b1000011, CREATE, 2) + sized(b"{no json")),
        SEGMENT,
    ],
)
def test_malformed_rows_are_refused(door: Door, container: ContainerProxy, body: bytes) -> None:
    """400 in JSON, and nothing is stored."""
    answer = post(door, container, body)
    assert (answer.status_code, answer.json()["code"]) == (400, "BadRequest")


@pytest.mark.our_choice("whatever is sent, the answer is one of the service's")
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(0, 200), flipped=st.integers(0, 200), value=st.integers(0, 255))
def test_rows_that_were_damaged_on_the_way_are_never_a_failure_of_ours(
    door: Door, container: ContainerProxy, cut: int, flipped: int, value: int
) -> None:
    """A byte changed, the end cut off: done as read, or refused."""
    whole = bytearray(stream(operation(UPSERT, name="a", body={"id": "a", "pk": "x"}), operation(READ, name="a")))
    whole[flipped % len(whole)] = value
    answer = post(door, container, bytes((0x81,)) + bytes(whole[1 : len(whole) - cut % len(whole)]))
    assert answer.status_code in (200, 207, 400)
