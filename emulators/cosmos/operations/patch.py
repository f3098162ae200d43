"""PATCH docs/R: a partial update, perhaps under a condition written as a query's FROM and WHERE."""

from __future__ import annotations

from typing import Any

import apsw
import orjson

from emulators.base.serving import Response
from emulators.cosmos import charges, errors, patch
from emulators.cosmos.errors import Refused
from emulators.cosmos.evaluation import holds
from emulators.cosmos.operations.items import OK, check_match, named_item, replace_in, write
from emulators.cosmos.partitioning import Key
from emulators.cosmos.store.catalog import Container
from emulators.cosmos.store.documents import SYSTEM_PROPERTIES, Address, Stored, Writer
from emulators.cosmos.wire import Call


async def update(call: Call) -> Response:
    """PATCH docs/R."""
    if call.header("x-ms-documentdb-pre-trigger-include") or call.header("x-ms-documentdb-post-trigger-include"):
        raise Refused(errors.NOT_BUILT, "Triggers around a patch are not implemented in this emulator.")
    container = call.container()
    key = call.partition_key(container)
    at = named_item(call, container, key)
    body = call.json()

    def work(connection: apsw.Connection) -> tuple[int, Stored, float]:
        writer = Writer(connection, container, at.range, call.now, creates=0)
        stored, charge = patch_in(call, writer, container, key, at, body, call.header("if-match"))
        return OK, stored, charge

    return await write(call, container, at.range, work)


def patch_in(
    call: Call, writer: Writer, container: Container, key: Key, at: Address, body: object, if_match: str
) -> tuple[Stored, float]:
    """Patch inside a write transaction; what was stored and its charge. Raises Refused."""
    operations, condition = patch.parse_operations(body)
    found = writer.find(at)
    if found is None:
        raise Refused(errors.NOT_FOUND)
    check_match(found, if_match)
    old: dict[str, Any] = orjson.loads(found.body)
    if condition and not holds(call, condition, old):
        raise Refused(errors.PATCH_CONDITION_FAILED, charge=charges.REFUSED_WRITE)
    mine = {name: value for name, value in old.items() if name not in SYSTEM_PROPERTIES}
    return replace_in(writer, container, key, at, patch.apply(container, mine, operations), "", found)
