"""Create, read, list, replace, upsert and delete for resources that are a checked body under an owner, no more.

Users, permissions and scripts are such; a `Crud` is told their kind and how to check their body.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import apsw
import orjson

from emulators.base.serving import Response
from emulators.cosmos import charges, errors
from emulators.cosmos.errors import Refused
from emulators.cosmos.resources import as_stored, check_match, check_name, page_of, query_of
from emulators.cosmos.store.catalog import Resource
from emulators.cosmos.wire import Call, answer, resource_headers

Check = Callable[[Call, Resource, dict[str, Any], Resource | None], dict[str, Any]]
"""The stored body for (call, owner, what was sent, what it replaces). Raises Refused."""


@dataclass(frozen=True, slots=True)
class Crud:
    """The operations on one kind of resource. `show` makes the answer's body of a stored resource."""

    kind: str
    check: Check
    show: Callable[[Call, Resource], dict[str, Any]] = as_stored

    async def create(self, call: Call) -> Response:
        """POST on the feed."""
        return await self._write_new(call, upsert=False)

    async def upsert(self, call: Call) -> Response:
        """POST on the feed with x-ms-documentdb-is-upsert."""
        return await self._write_new(call, upsert=True)

    async def read(self, call: Call) -> Response:
        """GET on the resource."""
        found = call.resource()
        await call.account.store.database.settled()
        return self._answer(call, 200, found)

    async def list_all(self, call: Call) -> Response:
        """GET on the feed."""
        return await page_of(call, self.kind, call.resource(), show=self.show)

    async def query(self, call: Call) -> Response:
        """POST on the feed with a query."""
        return await query_of(call, self.kind, call.resource(), show=self.show)

    async def replace(self, call: Call) -> Response:
        """PUT on the resource."""
        found = call.resource()
        owner = call.resource(len(call.target.names) - 1)
        check_match(call, found)
        sent = call.json_object()
        name = check_name(sent)
        catalog = call.account.store.catalog
        other = catalog.find(self.kind, owner.rid, name)
        if other is not None and other.rid != found.rid:
            raise Refused(errors.CONFLICT, charge=charges.REFUSED_WRITE)
        body = self.check(call, owner, sent, found)

        def work(_: apsw.Connection) -> Response:
            return self._answer(call, 200, catalog.replace(found, body))

        return await call.account.store.change_catalog(work)

    async def delete(self, call: Call) -> Response:
        """DELETE on the resource."""
        found = call.resource()
        check_match(call, found)

        def work(_: apsw.Connection) -> None:
            call.account.store.catalog.remove(found)

        await call.account.store.change_catalog(work)
        return answer(call, 204, charge=charges.METADATA_WRITE)

    async def _write_new(self, call: Call, *, upsert: bool) -> Response:
        owner = call.resource()
        sent = call.json_object()
        name = check_name(sent)
        catalog = call.account.store.catalog
        old = catalog.find(self.kind, owner.rid, name)
        if old is not None and not upsert:
            raise Refused(errors.CONFLICT, charge=charges.REFUSED_WRITE)
        if old is not None:
            check_match(call, old)
        body = self.check(call, owner, sent, old)

        def work(_: apsw.Connection) -> Response:
            if old is not None:
                return self._answer(call, 200, catalog.replace(old, body))
            made = catalog.add(self.kind, owner, name, body)
            if made is None:
                raise Refused(errors.CONFLICT, charge=charges.REFUSED_WRITE)
            return self._answer(call, 201, made)

        return await call.account.store.change_catalog(work)

    def _answer(self, call: Call, status: int, resource: Resource) -> Response:
        charge = charges.METADATA if call.request.method == "GET" else charges.METADATA_WRITE
        body = orjson.dumps(self.show(call, resource))
        return answer(call, status, body, charge=charge, headers=resource_headers(resource))
