"""Databases: create, read, list, delete."""

from __future__ import annotations

import apsw
import orjson

from emulators.base.serving import Response
from emulators.cosmos import charges, errors
from emulators.cosmos.errors import Refused
from emulators.cosmos.operations.offers import add_offer, parse_throughput, remove_offer
from emulators.cosmos.resources import check_match, check_name, page_of, query_of
from emulators.cosmos.wire import Call, answer, resource_headers


async def create(call: Call) -> Response:
    """POST dbs."""
    name = check_name(call.json_object())
    throughput = parse_throughput(call)
    catalog = call.account.store.catalog

    def work(_: apsw.Connection) -> Response:
        made = catalog.add("dbs", None, name, {"id": name})
        if made is None:
            raise Refused(errors.CONFLICT, charge=charges.REFUSED_WRITE)
        if throughput:
            add_offer(catalog, made, throughput)
        headers = resource_headers(made)
        return answer(call, 201, orjson.dumps(made.body), charge=charges.METADATA_WRITE, headers=headers)

    return await call.account.store.change_catalog(work)


async def read(call: Call) -> Response:
    """GET dbs/R."""
    found = call.resource()
    await call.account.store.database.settled()
    return answer(call, 200, orjson.dumps(found.body), charge=charges.METADATA, headers=resource_headers(found))


async def list_all(call: Call) -> Response:
    """GET dbs."""
    return await page_of(call, "dbs", None)


async def query(call: Call) -> Response:
    """POST dbs with a query."""
    return await query_of(call, "dbs", None)


async def delete(call: Call) -> Response:
    """DELETE dbs/R, with all that is in it."""
    found = call.resource()
    check_match(call, found)
    catalog = call.account.store.catalog

    def work(_: apsw.Connection) -> None:
        for container in catalog.children("colls", found.rid):
            remove_offer(catalog, container)
        remove_offer(catalog, found)
        catalog.remove(found)

    await call.account.store.change_catalog(work)
    return answer(call, 204, charge=charges.METADATA_WRITE)
