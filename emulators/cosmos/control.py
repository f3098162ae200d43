"""The control endpoints that only this emulator has, beside health, reset, clock and faults.

`POST split` splits a physical partition. `GET resources` tells all databases and containers with their ranges, `GET
requests` the latest requests, `GET metrics` the counters. `GET/POST/DELETE snapshots` list, take and remove snapshots
of everything, `POST restore` goes back to one. Everything below `rest/` is the service's own surface, unsigned: items,
queries, change feeds, scripts, offers, for a page that explores the account.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping
from typing import Any

import apsw

from emulators.base.control import Route, json_response, problem, read_object
from emulators.base.serving import Request, Response
from emulators.cosmos import limits
from emulators.cosmos.account import WELL_KNOWN_KEY, Account, decode_key
from emulators.cosmos.metrics import Metrics
from emulators.cosmos.operations.offers import offer_of
from emulators.cosmos.partitioning import epk_hex
from emulators.cosmos.store.catalog import Container, Range
from emulators.cosmos.store.documents import lsn_of, usage
from emulators.cosmos.store.snapshots import SnapshotError, Snapshots
from emulators.cosmos.store.splits import split

KEY_HEADER = "x-emulator-key"


def refuse_stranger(account: Account, request: Request) -> Response | None:
    """A refusal unless the request may act as the account's owner.

    An account with the published key has no secret; one with a key of its own wants it in a header.
    """
    if account.key == decode_key(WELL_KNOWN_KEY):
        return None
    given = request.headers.get(KEY_HEADER, "").encode()
    if hmac.compare_digest(given, base64.b64encode(account.key)):
        return None
    return problem(401, f"This account has a key of its own: send it in the header {KEY_HEADER}.")


def routes(account: Account, metrics: Metrics, snapshots: Snapshots) -> Mapping[tuple[str, str], Route]:
    """(method, path below the control prefix) to what answers it."""

    async def split_range(request: Request) -> Response:
        return await _split(account, request)

    async def resources(_: Request) -> Response:
        return json_response(200, {"databases": _databases(account)})

    async def requests(_: Request) -> Response:
        return json_response(200, {"requests": metrics.latest()})

    async def counters(_: Request) -> Response:
        return Response(200, {"content-type": "text/plain; version=0.0.4"}, metrics.text().encode())

    async def list_snapshots(_: Request) -> Response:
        return json_response(200, {"snapshots": snapshots.names()})

    async def change_snapshots(request: Request) -> Response:
        return await _snapshot(account, snapshots, request)

    return {
        ("POST", "/split"): split_range,
        ("GET", "/resources"): resources,
        ("GET", "/requests"): requests,
        ("GET", "/metrics"): counters,
        ("GET", "/snapshots"): list_snapshots,
        ("POST", "/snapshots"): change_snapshots,
        ("DELETE", "/snapshots"): change_snapshots,
        ("POST", "/restore"): change_snapshots,
    }


async def _snapshot(account: Account, snapshots: Snapshots, request: Request) -> Response:
    """Take, remove or go back to the snapshot that the body names."""
    name = (read_object(request) or {}).get("name")
    if not isinstance(name, str):
        return problem(400, 'Send {"name": the snapshot\'s name}.')
    store = account.store
    while store.connection.in_transaction:  # who waited with us may have begun the next one already
        await store.database.settled()
    try:
        if request.path.endswith("/restore"):
            snapshots.restore(store.connection, name)
            store.catalog.forget(salt=store.salt())
            return Response(204)
        if request.method == "POST":
            snapshots.take(store.connection, name)
            return json_response(201, {"name": name})
    except SnapshotError as refusal:
        return problem(400, str(refusal))
    return Response(204) if snapshots.remove(name) else problem(404, "There is no snapshot of that name.")


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
