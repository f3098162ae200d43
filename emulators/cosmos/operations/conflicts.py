"""The conflicts feed. Conflicts arise between write regions; an account of one region has none, so it is empty."""

from __future__ import annotations

from emulators.base.serving import Response
from emulators.cosmos import charges, errors
from emulators.cosmos.errors import Refused
from emulators.cosmos.resources import envelope
from emulators.cosmos.wire import Call, answer, container_headers


async def list_all(call: Call) -> Response:
    """GET conflicts."""
    container = call.container()
    headers = container_headers(call, container, None) | {"x-ms-item-count": "0"}
    return answer(
        call, 200, envelope("conflicts", container.resource.rid, []), charge=charges.METADATA, headers=headers
    )


async def query(call: Call) -> Response:
    """POST conflicts with a query."""
    if call.partition_key_or_prefix() is None and not call.flag("x-ms-documentdb-query-enablecrosspartition"):
        raise Refused(errors.CROSS_PARTITION_DISABLED)
    return await list_all(call)


async def read(call: Call) -> Response:
    """GET or DELETE conflicts/R."""
    call.container()
    raise Refused(errors.NOT_FOUND)
