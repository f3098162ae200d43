"""The conflicts feed. Conflicts arise between write regions; an account of one region has none, so it is empty."""

from __future__ import annotations

from emulators.base.serving import Response
from emulators.cosmos import charges, errors
from emulators.cosmos.errors import Refused
from emulators.cosmos.resources import envelope
from emulators.cosmos.wire import Call, answer, container_headers


async def list_all(call: Call) -> Response:
    """GET conflicts, and POST with a query."""
    container = call.container()
    headers = container_headers(call, container, None) | {"x-ms-item-count": "0"}
    return answer(
        call, 200, envelope("conflicts", container.resource.rid, []), charge=charges.METADATA, headers=headers
    )


async def read(call: Call) -> Response:
    """GET or DELETE conflicts/R."""
    call.container()
    raise Refused(errors.NOT_FOUND)
