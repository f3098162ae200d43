"""Containers: create, read, list, replace, delete."""

from __future__ import annotations

import itertools

import apsw
import orjson

from emulators.base.serving import Response
from emulators.cosmos import charges, errors, limits
from emulators.cosmos.errors import Refused
from emulators.cosmos.operations.offers import DEFAULT, add_offer, highest, offer_of, parse_throughput, remove_offer
from emulators.cosmos.partitioning import parse_definition
from emulators.cosmos.policies import changed_container, new_container
from emulators.cosmos.resources import check_match, check_name, page_of, query_of
from emulators.cosmos.store.catalog import Container
from emulators.cosmos.store.documents import usage
from emulators.cosmos.wire import Call, answer, container_headers, resource_headers


async def create(call: Call) -> Response:
    """POST colls: the container, its offer, and a physical partition for every 6,000 RU/s."""
    database = call.resource(1)
    asked = call.json_object()
    name = check_name(asked)
    body = new_container(asked)
    throughput = parse_throughput(call)
    catalog = call.account.store.catalog
    bounds = parse_definition(body["partitionKey"]).boundaries(-(-highest(throughput) // limits.RANGE_THROUGHPUT))

    def work(_: apsw.Connection) -> Response:
        made = catalog.add("colls", database, name, body)
        if made is None:
            raise Refused(errors.CONFLICT, charge=charges.REFUSED_WRITE)
        if made.number >= limits.RESOURCES_MAX:
            raise Refused(errors.FORBIDDEN, "This data directory has numbered all it can: start with an empty one.")
        catalog.add_ranges(made.number, list(itertools.pairwise(bounds)))
        if throughput or not offer_of(catalog, database):
            add_offer(catalog, made, throughput or DEFAULT)
        headers = _headers(call, catalog.container(made))
        return answer(call, 201, orjson.dumps(made.body), charge=charges.METADATA_WRITE, headers=headers)

    return await call.account.store.change_catalog(work)


async def read(call: Call) -> Response:
    """GET colls/R, with usage or partition statistics when asked for."""
    container = call.container()
    headers = _headers(call, container)
    body = dict(container.resource.body)
    if call.flag("x-ms-documentdb-populatequotainfo"):
        headers |= _quota(call, container)
    if call.flag("x-ms-documentdb-populatepartitionstatistics"):
        body["statistics"] = _statistics(call, container)
    await call.account.store.database.settled()
    return answer(call, 200, orjson.dumps(body), charge=charges.METADATA, headers=headers)


async def list_all(call: Call) -> Response:
    """GET colls."""
    return await page_of(call, "colls", call.resource(1))


async def query(call: Call) -> Response:
    """POST colls with a query."""
    return await query_of(call, "colls", call.resource(1))


async def replace(call: Call) -> Response:
    """PUT colls/R: policies may change, id and partition key may not."""
    found = call.container().resource
    asked = call.json_object()
    if check_name(asked) != found.id:
        raise Refused(errors.BAD_REQUEST, errors.wrapped("The id of a collection cannot be changed."))
    body = changed_container(found.body, asked)
    check_match(call, found)
    catalog = call.account.store.catalog

    def work(_: apsw.Connection) -> Response:
        changed = catalog.replace(found, body)
        headers = _headers(call, catalog.container(changed))
        return answer(call, 200, orjson.dumps(changed.body), charge=charges.METADATA_WRITE, headers=headers)

    return await call.account.store.change_catalog(work)


async def delete(call: Call) -> Response:
    """DELETE colls/R, with its items, scripts and offer."""
    found = call.container().resource
    check_match(call, found)
    catalog = call.account.store.catalog

    def work(_: apsw.Connection) -> None:
        remove_offer(catalog, found)
        catalog.remove(found)

    await call.account.store.change_catalog(work)
    return answer(call, 204, charge=charges.METADATA_WRITE)


def _headers(call: Call, container: Container) -> dict[str, str]:
    database = container.path.partition("/colls/")[0]
    headers = {
        **container_headers(call, container, None),
        **resource_headers(container.resource, database),
        "x-ms-content-path": container.resource.parent,
    }
    if call.flag("x-ms-documentdb-populatequotainfo"):
        headers["x-ms-documentdb-collection-index-transformation-progress"] = "100"
    return headers


def _quota(call: Call, container: Container) -> dict[str, str]:
    used = [usage(call.account.store.connection, each) for each in container.ranges]
    kilobytes = -(-sum(size for _, size in used) // 1024)
    return {
        "x-ms-resource-quota": "documentSize=10240;documentsSize=10485760;documentsCount=-1;collectionSize=10485760;",
        "x-ms-resource-usage": f"documentSize=0;documentsSize={kilobytes};"
        f"documentsCount={sum(count for count, _ in used)};collectionSize={kilobytes};",
    }


def _statistics(call: Call, container: Container) -> list[dict[str, object]]:
    described = []
    for each in container.ranges:
        count, size = usage(call.account.store.connection, each)
        described.append(
            {"id": str(each.id), "sizeInKB": -(-size // 1024), "documentCount": count, "partitionKeys": []}
        )
    return described
