"""Items one by one: create, upsert, read, replace, delete."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import apsw

from emulators.base.serving import Response
from emulators.cosmos import charges, errors, limits
from emulators.cosmos.documents import check_addressable, check_id, check_key, check_ttl, parse_document
from emulators.cosmos.errors import Refused
from emulators.cosmos.partitioning import Key
from emulators.cosmos.sessions import check_session
from emulators.cosmos.store.catalog import Container, Range
from emulators.cosmos.store.documents import Address, Stored, Taken, Writer, address, find, id_of_rid, lsn_of
from emulators.cosmos.wire import Call, answer, container_headers

CREATED, OK, NO_CONTENT, NOT_MODIFIED = 201, 200, 204, 304


async def create(call: Call) -> Response:
    """POST docs."""
    container = call.container()
    key = call.partition_key(container)
    document = parse_document(call.request.body)
    at = address(container, key, check_id(document))

    def work(connection: apsw.Connection) -> tuple[int, Stored, float]:
        stored, charge = create_in(Writer(connection, container, at.range, call.now), container, key, at, document)
        return CREATED, stored, charge

    return await write(call, container, at.range, work)


async def upsert(call: Call) -> Response:
    """POST docs with x-ms-documentdb-is-upsert."""
    container = call.container()
    key = call.partition_key(container)
    document = parse_document(call.request.body)
    at = address(container, key, check_id(document))
    if_match = call.header("if-match")

    def work(connection: apsw.Connection) -> tuple[int, Stored, float]:
        writer = Writer(connection, container, at.range, call.now)
        return upsert_in(writer, container, key, at, document, if_match)

    return await write(call, container, at.range, work)


async def replace(call: Call) -> Response:
    """PUT docs/R."""
    container = call.container()
    key = call.partition_key(container)
    document = parse_document(call.request.body)
    at = named_item(call, container, key)

    def work(connection: apsw.Connection) -> tuple[int, Stored, float]:
        writer = Writer(connection, container, at.range, call.now, creates=0)
        stored, charge = replace_in(writer, container, key, at, document, call.header("if-match"))
        return OK, stored, charge

    return await write(call, container, at.range, work)


async def delete(call: Call) -> Response:
    """DELETE docs/R."""
    container = call.container()
    at = named_item(call, container, call.partition_key(container))
    call.check_directive()

    def work(connection: apsw.Connection) -> tuple[int, float]:
        writer = Writer(connection, container, at.range, call.now, creates=0)
        charge = delete_in(writer, container, at, call.header("if-match"))
        return writer.lsn, charge

    lsn, charge = await call.account.store.database.write(work)
    return answer(call, NO_CONTENT, charge=charge, headers=container_headers(call, container, at.range, lsn))


async def read(call: Call) -> Response:
    """GET docs/R."""
    container = call.container()
    at = named_item(call, container, call.partition_key(container))
    store = call.account.store
    lsn = lsn_of(store.connection, at.range)
    check_session(call, container, at.range, lsn)
    found = find(store.connection, container, at, call.now)
    await store.database.settled()
    headers = container_headers(call, container, at.range, lsn)
    if found is None:
        raise Refused(errors.NOT_FOUND, headers=headers)
    headers |= {"etag": found.etag, "x-ms-item-lsn": str(found.lsn), "x-ms-cosmos-item-llsn": str(found.lsn)}
    if call.header("if-none-match") in (found.etag, "*"):
        return answer(call, NOT_MODIFIED, charge=charges.REFUSED, headers=headers)
    return answer(call, OK, found.body, charge=charges.read(len(found.body)), headers=headers)


def named_item(call: Call, container: Container, key: Key) -> Address:
    """The address of the item in the path, which clients may give by its rid. Raises Refused."""
    check_addressable(call.target.names[2])
    at = address(container, key, call.target.names[2])
    if not call.target.is_rid_based:
        return at
    document_id = id_of_rid(call.account.store.connection, container, at.id)
    if document_id is None:
        raise Refused(errors.NOT_FOUND)
    return address(container, key, document_id)


def create_in(
    writer: Writer, container: Container, key: Key, at: Address, document: dict[str, Any]
) -> tuple[Stored, float]:
    """Create inside a write transaction; what was stored and its charge. Raises Refused."""
    check_ttl(document)
    check_key(container, document, key)
    try:
        stored = writer.create(at, document)
    except Taken as taken:
        raise _conflict(taken) from None
    _check_stored_size(stored)
    return stored, charges.write(stored.body)


def upsert_in(
    writer: Writer, container: Container, key: Key, at: Address, document: dict[str, Any], if_match: str
) -> tuple[int, Stored, float]:
    """Create or replace inside a write transaction; (status, what was stored, charge). Raises Refused."""
    found = writer.find(at, body=False)
    if found is None:
        return CREATED, *create_in(writer, container, key, at, document)
    return OK, *replace_in(writer, container, key, at, document, if_match, found)


def replace_in(
    writer: Writer,
    container: Container,
    key: Key,
    at: Address,
    document: dict[str, Any],
    if_match: str,
    found: Stored | None = None,
) -> tuple[Stored, float]:
    """Replace inside a write transaction; what was stored and its charge. Raises Refused.

    `found` is the item as this transaction sees it, looked for when not given.
    """
    name = check_id(document)
    check_ttl(document)
    found = found or writer.find(at, body=False)
    if found is None:
        raise Refused(errors.NOT_FOUND)
    check_key(container, document, key)
    check_match(found, if_match)
    try:
        stored = writer.replace(at, found, document, new_id=name)
    except Taken as taken:
        raise _conflict(taken) from None
    _check_stored_size(stored)
    return stored, charges.replace(stored.body)


def delete_in(writer: Writer, container: Container, at: Address, if_match: str) -> float:
    """Delete inside a write transaction; the charge. Raises Refused."""
    found = writer.find(at)
    if found is None:
        raise Refused(errors.NOT_FOUND)
    check_match(found, if_match)
    writer.delete(at, found)
    return charges.write(found.body)


def check_match(found: Stored, if_match: str) -> None:
    """Raises Refused when the If-Match text names another version."""
    if if_match and if_match not in (found.etag, "*"):
        raise Refused(errors.PRECONDITION_FAILED, charge=charges.REFUSED_WRITE)


async def write(
    call: Call, container: Container, range_: Range, work: Callable[[apsw.Connection], tuple[int, Stored, float]]
) -> Response:
    """Run `work` in a write transaction and answer with the item, or without when the client wants it minimal."""
    call.check_directive()
    account = call.account

    def work_and_upkeep(connection: apsw.Connection) -> tuple[int, Stored, float]:
        result = work(connection)
        if account.sweeper.due(container):  # in the same transaction: after a wait `range_` might be split
            account.sweeper.sweep(connection, container)
        return result

    try:
        status, stored, charge = await account.store.database.write(work_and_upkeep)
    except Refused as refused:
        refused.headers |= container_headers(call, container, range_)
        raise
    headers = container_headers(call, container, range_, stored.lsn)
    headers |= {"etag": stored.etag, "x-ms-item-lsn": str(stored.lsn), "x-ms-cosmos-item-llsn": str(stored.lsn)}
    body = b"" if "return=minimal" in call.header("prefer") else stored.body
    return answer(call, status, body, charge=charge, headers=headers)


def _conflict(taken: Taken) -> Refused:
    kind = errors.UNIQUE_INDEX_CONFLICT if taken.unique else errors.CONFLICT
    return Refused(kind, charge=charges.REFUSED_WRITE)


def _check_stored_size(stored: Stored) -> None:
    if len(stored.body) > limits.ITEM_BYTES_MAX:
        raise Refused(errors.TOO_LARGE)
