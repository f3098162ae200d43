"""Transactional batches and bulk requests: several item operations in one request.

Atomic ones share a partition key, a transaction and an LSN: all of them happen or none, the failed one has its own
status and the others 424. Bulk requests (not atomic) carry a key per operation and each stands alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import apsw
import orjson

from emulators.base.serving import Response
from emulators.cosmos import charges, errors, limits, rows
from emulators.cosmos.decimals import whole_number
from emulators.cosmos.documents import check_id, parse_document
from emulators.cosmos.errors import Kind, Refused
from emulators.cosmos.operations.items import create_in, delete_in, replace_in, upsert_in
from emulators.cosmos.operations.patch import patch_in
from emulators.cosmos.partitioning import Key, PartitionKeyError, parse_header
from emulators.cosmos.sql.values import depth
from emulators.cosmos.store.catalog import Container, Range
from emulators.cosmos.store.documents import Address, Stored, Writer, address
from emulators.cosmos.wire import Call, answer, container_headers, format_charge, is_directive

MULTI_STATUS = 207
_UNBUILT = ("effectivePartitionKey", "binaryId", "timeToLiveInSeconds")
"""Members of an operation that only the service's own clients send."""


@dataclass(slots=True)
class Outcome:
    """What one operation came to. `body` is left out of the answer when the client wants it minimal."""

    status: int
    substatus: int = 0
    charge: float = 0.0
    etag: str | None = None
    body: bytes | None = None
    message: str | None = None


class _Failed(Exception):
    """An atomic batch's operation was refused: what was done is taken back."""

    def __init__(self, index: int, refused: Refused) -> None:
        super().__init__(index)
        self.index = index
        self.refused = refused


async def execute(call: Call) -> Response:
    """POST docs with x-ms-cosmos-is-batch-request."""
    if len(call.request.body) > limits.REQUEST_BYTES_MAX:
        raise Refused(errors.TOO_LARGE)
    operations = _parse(_read_rows(call.request.body) if rows.is_rows(call.request.body) else call.json())
    container = call.container()
    if call.flag("x-ms-cosmos-batch-atomic"):
        return await _execute_atomic(call, container, operations)
    return await _execute_bulk(call, container, operations)


async def _execute_atomic(call: Call, container: Container, operations: list[dict[str, Any]]) -> Response:
    key = call.partition_key_or_prefix()
    if key is None:
        raise Refused(errors.MISSING_PARTITION_KEY)
    if key and len(key) != len(container.partition_key.paths):
        raise Refused(errors.BATCH_PARTITION_KEY_MISMATCH)
    _, range_ = container.range_of_key(key)
    creates = sum(each["operationType"] in ("Create", "Upsert") for each in operations)

    def work(connection: apsw.Connection) -> tuple[list[Outcome], int]:
        writer = Writer(connection, container, range_, call.now, creates=creates)
        outcomes = []
        size = 0
        for index, operation in enumerate(operations):
            try:
                outcome = _do(call, writer, container, key, operation)
                size += len(outcome.body or b"")
                if size > limits.RESPONSE_BYTES_MAX:
                    raise Refused(errors.TOO_LARGE)
            except Refused as refused:
                raise _Failed(index, refused) from None
            outcomes.append(outcome)
        return outcomes, writer.lsn

    try:
        outcomes, lsn = await call.account.store.database.write(work)
    except _Failed as failed:
        outcomes = [Outcome(errors.FAILED_DEPENDENCY.status) for _ in operations]
        outcomes[failed.index] = _refused(failed.refused)
        return _answer(call, container, range_, None, MULTI_STATUS, outcomes)
    status = MULTI_STATUS if any(each.status == 304 for each in outcomes) else 200
    return _answer(call, container, range_, lsn or None, status, outcomes)


async def _execute_bulk(call: Call, container: Container, operations: list[dict[str, Any]]) -> Response:
    named = call.header("x-ms-documentdb-partitionkeyrangeid")
    range_id = whole_number(named) if named else None
    shown = None if range_id is None else container.range_by_id(range_id)
    if named and shown is None:
        raise Refused(errors.RANGE_GONE)
    outcomes = await asyncio.gather(*(_alone(call, operation, range_id) for operation in operations))
    failed = any(each.status >= 400 or each.status == 304 for each in outcomes)
    return _answer(call, container, shown, None, MULTI_STATUS if failed else 200, outcomes)


async def _alone(call: Call, operation: dict[str, Any], range_id: int | None) -> Outcome:
    """One operation of a bulk request, in a transaction of its own; all of them share a commit, in their order.

    `range_id` is where the client has sent it; one that does not lie there is told so, as after a split.
    """
    try:
        container = call.container()  # asked anew: its partitions may have split while the request began
        key = _key_of(container, operation)
        _, range_ = container.range_of_key(key)
        if range_id not in (None, range_.id):
            raise Refused(errors.RANGE_GONE)

        def work(connection: apsw.Connection) -> Outcome:
            return _do(call, Writer(connection, container, range_, call.now), container, key, operation)

        return await call.account.store.database.write(work)
    except Refused as refused:
        return _refused(refused)


def _do(call: Call, writer: Writer, container: Container, key: Key, operation: Mapping[str, Any]) -> Outcome:
    """One operation inside the write transaction. Raises Refused."""
    body = operation.get("resourceBody")
    name = operation.get("id")
    if name is None and isinstance(body, dict):
        name = check_id(body)
    if not isinstance(name, str):
        raise Refused(errors.MISSING_ID)
    at = address(container, key, name)
    return _DO[operation["operationType"]](call, writer, container, key, at, operation)


def _create(
    call: Call, writer: Writer, container: Container, key: Key, at: Address, operation: Mapping[str, Any]
) -> Outcome:
    stored, charge = create_in(writer, container, key, at, _document(operation))
    return _written(201, stored, charge, operation)


def _upsert(
    call: Call, writer: Writer, container: Container, key: Key, at: Address, operation: Mapping[str, Any]
) -> Outcome:
    status, stored, charge = upsert_in(writer, container, key, at, _document(operation), _if_match(operation))
    return _written(status, stored, charge, operation)


def _replace(
    call: Call, writer: Writer, container: Container, key: Key, at: Address, operation: Mapping[str, Any]
) -> Outcome:
    stored, charge = replace_in(writer, container, key, at, _document(operation), _if_match(operation))
    return _written(200, stored, charge, operation)


def _patch(
    call: Call, writer: Writer, container: Container, key: Key, at: Address, operation: Mapping[str, Any]
) -> Outcome:
    stored, charge = patch_in(call, writer, container, key, at, operation.get("resourceBody"), _if_match(operation))
    return _written(200, stored, charge, operation)


def _delete(
    call: Call, writer: Writer, container: Container, key: Key, at: Address, operation: Mapping[str, Any]
) -> Outcome:
    return Outcome(204, charge=delete_in(writer, container, at, _if_match(operation)))


def _read(
    call: Call, writer: Writer, container: Container, key: Key, at: Address, operation: Mapping[str, Any]
) -> Outcome:
    found = writer.find(at)
    if found is None:
        raise Refused(errors.NOT_FOUND)
    if operation.get("ifNoneMatch") in (found.etag, "*"):
        return Outcome(304, charge=charges.REFUSED, etag=found.etag)
    return Outcome(200, charge=charges.read(len(found.body)), etag=found.etag, body=found.body)


_DO: Mapping[str, Callable[[Call, Writer, Container, Key, Address, Mapping[str, Any]], Outcome]] = {
    "Create": _create,
    "Upsert": _upsert,
    "Replace": _replace,
    "Patch": _patch,
    "Delete": _delete,
    "Read": _read,
}


def _read_rows(body: bytes) -> list[dict[str, Any]]:
    try:
        operations = rows.read_operations(body)
    except rows.RowError as refusal:
        raise Refused(errors.BAD_BODY, f"The batch in HybridRow is malformed: {refusal}.") from None
    if any(depth(each.get("resourceBody")) > limits.BODY_NESTING_MAX for each in operations):
        raise Refused(errors.BAD_REQUEST, errors.wrapped("The request body is nested too deeply."))
    return operations


def _parse(body: object) -> list[dict[str, Any]]:
    if not isinstance(body, list) or not all(isinstance(each, dict) for each in body):
        raise Refused(errors.BAD_BODY, "The body of a batch request must be an array of operations.")
    if not body:
        raise Refused(errors.BAD_REQUEST, "Batch request has no operations.")
    if len(body) > limits.BATCH_OPERATIONS_MAX:
        raise Refused(errors.BAD_REQUEST, "Batch request has more operations than what is supported.")
    for operation in body:
        if str(operation.get("operationType")) not in _DO:
            raise Refused(errors.BAD_REQUEST, f"A batch operation takes an operationType of {', '.join(_DO)}.")
        unbuilt = [name for name in _UNBUILT if name in operation]
        if unbuilt:
            raise Refused(errors.NOT_BUILT, f"{unbuilt[0]} of a batch operation is not implemented in this emulator.")
        if not is_directive(str(operation.get("indexingDirective", "Default"))):
            raise Refused(errors.BAD_REQUEST, "An indexingDirective is Default, Include or Exclude.")
    return body


def _document(operation: Mapping[str, Any]) -> dict[str, Any]:
    return parse_document(orjson.dumps(operation.get("resourceBody")))


def _if_match(operation: Mapping[str, Any]) -> str:
    return str(operation.get("ifMatch") or "")


def _key_of(container: Container, operation: Mapping[str, Any]) -> Key:
    text = operation.get("partitionKey")
    try:
        key = parse_header(text) if isinstance(text, str) else None
    except PartitionKeyError as refusal:
        raise Refused(errors.BAD_REQUEST, str(refusal)) from None
    if key is None or (key and len(key) != len(container.partition_key.paths)):
        raise Refused(errors.BATCH_PARTITION_KEY_MISMATCH)
    return key


def _written(status: int, stored: Stored, charge: float, operation: Mapping[str, Any]) -> Outcome:
    minimal = operation.get("minimalReturnPreference") is True
    return Outcome(status, charge=charge, etag=stored.etag, body=None if minimal else stored.body)


def _refused(refused: Refused) -> Outcome:
    kind: Kind = refused.kind
    if kind is errors.PARTITION_KEY_MISMATCH:
        kind = errors.BATCH_PARTITION_KEY_MISMATCH
    return Outcome(kind.status, kind.substatus, refused.charge, message=refused.text)


def _answer(
    call: Call, container: Container, range_: Range | None, lsn: int | None, status: int, outcomes: list[Outcome]
) -> Response:
    described = [_describe(each) for each in outcomes]
    headers = container_headers(call, container, range_, lsn)
    if rows.is_rows(call.request.body):
        body = rows.write_results(described)
        headers["content-type"] = rows.CONTENT_TYPE
    else:
        body = orjson.dumps(
            [
                {**each, "resourceBody": orjson.Fragment(each["resourceBody"])} if "resourceBody" in each else each
                for each in described
            ]
        )
    return answer(call, status, body, charge=sum(each.charge for each in outcomes), headers=headers)


def _describe(outcome: Outcome) -> dict[str, Any]:
    described: dict[str, Any] = {
        "statusCode": outcome.status,
        "subStatusCode": outcome.substatus,
        "requestCharge": float(format_charge(outcome.charge)),
    }
    if outcome.etag is not None:
        described["eTag"] = outcome.etag
    if outcome.body is not None:
        described["resourceBody"] = outcome.body
    if outcome.message is not None:
        described["message"] = outcome.message
    return described
