"""The partition key ranges feed: how a container's hash space is cut, told in full or only when it has changed."""

from __future__ import annotations

from typing import Any

import orjson

from emulators.base.serving import Response
from emulators.cosmos import charges
from emulators.cosmos.partitioning import epk_hex
from emulators.cosmos.store import rid as rids
from emulators.cosmos.store.catalog import Container, Range
from emulators.cosmos.store.documents import lsn_of
from emulators.cosmos.wire import Call, answer


async def read(call: Call) -> Response:
    """GET pkranges: all ranges, or 304 when the client already has this state."""
    container = call.container()
    store = call.account.store
    ranges = [describe(container, each) for each in container.ranges]
    etag = etag_of(container)
    headers = {
        "etag": etag,
        "x-ms-item-count": str(len(ranges)),
        "x-ms-alt-content-path": container.path,
        "x-ms-content-path": container.resource.rid,
        "lsn": str(max(lsn_of(store.connection, each) for each in container.ranges)),
    }
    if call.header("if-none-match") == etag:
        return answer(call, 304, charge=charges.METADATA, headers=headers | {"x-ms-item-count": "0"})
    body = {"_rid": container.resource.rid, "PartitionKeyRanges": ranges, "_count": len(ranges)}
    return answer(call, 200, orjson.dumps(body), charge=charges.METADATA, headers=headers)


def etag_of(container: Container) -> str:
    """Changes when, and only when, a range was split."""
    return f'"{len(container.ranges) + len(container.closed_ranges)}"'


def describe(container: Container, range_: Range) -> dict[str, Any]:
    """One entry of the feed."""
    rid = rids.child_rid(container.raw_rid, "pkranges", range_.id + 1)
    resource = container.resource
    return {
        "_rid": rid,
        "id": str(range_.id),
        "_etag": resource.body["_etag"],
        "minInclusive": epk_hex(range_.low),
        "maxExclusive": epk_hex(range_.high),
        "ridPrefix": range_.id,
        "_self": f"{resource.body['_self']}pkranges/{rid}/",
        "throughputFraction": 1 / len(container.ranges),
        "status": "online",
        "parents": [str(each) for each in range_.parents],
        "ownedArchivalPKRangeIds": [],
        "_ts": resource.body["_ts"],
    }
