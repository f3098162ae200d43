"""The plain feed of items (GET docs): every item of a logical partition, a range, or the container, page by page."""

from __future__ import annotations

from emulators.base.serving import Response
from emulators.cosmos import charges, limits
from emulators.cosmos.scopes import Place, parse_place, scopes_of, split_since, unread
from emulators.cosmos.sessions import check_session
from emulators.cosmos.store.catalog import Container
from emulators.cosmos.store.documents import scan
from emulators.cosmos.wire import Call, answer, container_headers


async def read(call: Call) -> Response:
    """GET docs."""
    container = call.container()
    size = min(call.page_size(limits.PAGE_ITEMS_MAX), limits.PAGE_ITEMS_MAX)
    scopes = scopes_of(call, container)
    place = parse_place(container, call.header("x-ms-continuation"))
    bodies: list[bytes] = []
    size_bytes, more = 0, ""
    for scope, after in unread(container, scopes, place):
        check_session(call, container, scope.range)
        reached = after
        for position, body in scan(call.account.store.connection, scope, after=after, limit=size + 1 - len(bodies)):
            if len(bodies) == size or (bodies and size_bytes + len(body) > limits.RESPONSE_BYTES_MAX):
                more = Place(scope.range.id, max(reached, 0), split_since(container, place)).text
                break
            bodies.append(body)
            size_bytes += len(body)
            reached = position
        if more:
            break
    headers = container_headers(call, container, scopes[0].range if len(scopes) == 1 else None)
    await call.account.store.database.settled()
    headers["x-ms-item-count"] = str(len(bodies))
    if more:
        headers["x-ms-continuation"] = more
    charge = charges.page(len(bodies), size_bytes)
    return answer(call, 200, documents_envelope(container, bodies), charge=charge, headers=headers)


def documents_envelope(container: Container, bodies: list[bytes]) -> bytes:
    """A feed's body, the items' JSON spliced in as it is stored."""
    return b'{"_rid":"%b","Documents":[%b],"_count":%d}' % (
        container.resource.rid.encode(),
        b",".join(bodies),
        len(bodies),
    )
