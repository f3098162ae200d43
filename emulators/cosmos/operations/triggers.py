"""Writes of one item with the triggers that their headers name: before and after it, in one transaction with it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Literal

import orjson

from emulators.base.serving import Response
from emulators.cosmos import errors
from emulators.cosmos.documents import check_id, parse_document
from emulators.cosmos.errors import Refused
from emulators.cosmos.operations.items import named_item
from emulators.cosmos.operations.scripted import Transaction, script_of, transact
from emulators.cosmos.store.catalog import Container, Resource
from emulators.cosmos.store.documents import Stored
from emulators.cosmos.wire import Call, answer, container_headers

Operation = Callable[[Call], Awaitable[Response]]
Kind = Literal["Create", "Upsert", "Replace", "Delete"]
PRE, POST = "x-ms-documentdb-pre-trigger-include", "x-ms-documentdb-post-trigger-include"

_FIRED_BY = {
    "Create": ("all", "create"),
    "Upsert": ("all", "create", "update", "replace"),
    "Replace": ("all", "replace", "update"),
    "Delete": ("all", "delete"),
}
"""The trigger operations that a write may name."""


def triggered(plain: Operation, kind: Kind) -> Operation:
    """`plain`, or when the request names triggers, the same write with them."""

    def chosen(call: Call) -> Awaitable[Response]:
        if not call.header(PRE) and not call.header(POST):
            return plain(call)
        return _write(call, kind)

    return chosen


async def _write(call: Call, kind: Kind) -> Response:
    container = call.container()
    call.check_directive()
    pre, post = _named(call, container, PRE, "pre", kind), _named(call, container, POST, "post", kind)

    async def work(transaction: Transaction) -> tuple[int, Stored | None, bytes]:
        document = None if kind == "Delete" else parse_document(call.request.body)
        if pre is not None:
            document = await _before(call, transaction, pre, kind, document)
        name = _name(call, transaction, kind, document)
        status, stored = await transaction.write(kind.lower(), document, name, call.header("if-match"))
        body = stored.body if stored else b""
        if post is not None:
            body = await _after(call, transaction, post, kind, document, stored)
        return status, stored, body

    (status, stored, body), transaction, lsn = await transact(call, work)
    headers = container_headers(call, transaction.container, transaction.range, lsn)
    if stored is not None:
        headers |= {"etag": stored.etag, "x-ms-item-lsn": str(lsn), "x-ms-cosmos-item-llsn": str(lsn)}
    if stored is None or "return=minimal" in call.header("prefer"):
        body = b""
    return answer(call, status, body, charge=transaction.charge, headers=headers)


def _named(call: Call, container: Container, header: str, wanted: str, kind: Kind) -> Resource | None:
    """The trigger that a header names. Raises Refused when it does not exist or is not for this."""
    name = call.header(header)
    if not name:
        return None
    found = call.account.store.catalog.find("triggers", container.resource.rid, name)
    if found is None:
        raise Refused(errors.BAD_REQUEST, f"The trigger '{name[:200]}' that {header} names does not exist.")
    if str(found.body["triggerType"]).lower() != wanted:
        raise Refused(errors.BAD_REQUEST, f"The trigger '{name}' is no {wanted}-trigger.")
    operation = str(found.body["triggerOperation"])
    if operation.lower() not in _FIRED_BY[kind]:
        raise Refused(errors.BAD_REQUEST, f"The trigger '{name}' is for {operation}, not for {kind}.")
    return found


async def _before(
    call: Call, transaction: Transaction, trigger: Resource, kind: Kind, document: dict[str, Any] | None
) -> dict[str, Any] | None:
    """Run a pre-trigger; the body to write, which it may have replaced."""
    request = {"Body": (document, True), "OperationType": (kind, False)}
    outcome = await transaction.run(script_of(call, transaction.container, trigger, request=request))
    if document is None:
        return None
    return parse_document((outcome.request or "null").encode("utf-8", "replace"))


async def _after(
    call: Call,
    transaction: Transaction,
    trigger: Resource,
    kind: Kind,
    document: dict[str, Any] | None,
    stored: Stored | None,
) -> bytes:
    """Run a post-trigger; the body to answer, which it may have replaced."""
    request = {"Body": (document, False), "OperationType": (kind, False)}
    response = {"Body": (orjson.loads(stored.body) if stored else "", True)}
    script = script_of(call, transaction.container, trigger, request=request, response=response)
    outcome = await transaction.run(script)
    return (outcome.response or "").encode("utf-8", "replace")


def _name(call: Call, transaction: Transaction, kind: Kind, document: dict[str, Any] | None) -> str:
    if kind in ("Create", "Upsert") and document is not None:
        return check_id(document)
    return named_item(call, transaction.container, transaction.key).id
