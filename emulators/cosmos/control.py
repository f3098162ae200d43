"""The control endpoints that only this emulator has, beside health, reset, clock and faults.

`POST split` splits a physical partition; `GET resources` tells all databases and containers with their ranges.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import apsw

from emulators.base.control import Route, json_response, problem, read_object
from emulators.base.serving import Request, Response
from emulators.cosmos import limits
from emulators.cosmos.account import Account
from emulators.cosmos.operations.offers import offer_of
from emulators.cosmos.partitioning import epk_hex
from emulators.cosmos.store.catalog import Container, Range
from emulators.cosmos.store.documents import lsn_of, usage
from emulators.cosmos.store.splits import split


def routes(account: Account) -> Mapping[tuple[str, str], Route]:
    """(method, path below the control prefix) to what answers it."""

    async def split_range(request: Request) -> Response:
        return await _split(account, request)

    async def resources(request: Request) -> Response:
        return json_response(200, {"databases": _databases(account)})

    return {("POST", "/split"): split_range, ("GET", "/resources"): resources}


async def _split(account: Account, request: Request) -> Response:
    asked = read_object(request) or {}
    catalog = account.store.catalog
    database = catalog.find("dbs", "", str(asked.get("database", "")))
    found = catalog.find("colls", database.rid, str(asked.get("container", ""))) if database else None
    if found is None:
        return problem(404, 'Send {"database": name, "container": name, "range": id} of a container that exists.')
    container = catalog.container(found)
    named = str(asked.get("range", container.ranges[0].id))
    parent = next((each for each in container.ranges if str(each.id) == named), None)
    if parent is None:
        open_ranges = ", ".join(str(each.id) for each in container.ranges)
        return problem(404, f"The container has no open range {named[:20]}; it has {open_ranges}.")
    if len(container.ranges) + len(container.closed_ranges) + 2 > limits.RANGES_MAX:
        return problem(409, f"A container may have {limits.RANGES_MAX} ranges in its life.")

    def work(connection: apsw.Connection) -> list[dict[str, Any]]:
        return [_range(account, each) for each in split(connection, catalog, container, parent)]

    return json_response(200, {"ranges": await account.store.change_catalog(work)})


def _databases(account: Account) -> list[dict[str, Any]]:
    catalog = account.store.catalog
    return [
        {
            "id": database.id,
            "containers": [
                _container(account, catalog.container(each)) for each in catalog.children("colls", database.rid)
            ],
        }
        for database in catalog.children("dbs", "")
    ]


def _container(account: Account, container: Container) -> dict[str, Any]:
    connection, offer = account.store.connection, offer_of(account.store.catalog, container.resource)
    sizes = [usage(connection, each) for each in container.ranges]
    return {
        "id": container.resource.id,
        "partitionKey": container.resource.body["partitionKey"]["paths"],
        "throughput": offer.body["content"]["offerThroughput"] if offer else None,
        "documents": sum(count for count, _ in sizes),
        "bytes": sum(size for _, size in sizes),
        "ranges": [_range(account, each) for each in container.ranges],
    }


def _range(account: Account, each: Range) -> dict[str, Any]:
    return {
        "id": str(each.id),
        "min": epk_hex(each.low),
        "max": epk_hex(each.high),
        "parents": [str(parent) for parent in each.parents],
        "lsn": lsn_of(account.store.connection, each),
    }
