"""What resources other than items have in common: the rules for their ids, and their paged feeds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from emulators.base.serving import Response
from emulators.cosmos import charges, errors, limits
from emulators.cosmos.decimals import whole_number
from emulators.cosmos.errors import Refused
from emulators.cosmos.evaluation import select
from emulators.cosmos.store.catalog import Resource
from emulators.cosmos.wire import Call, answer

FEED_KEYS = {
    "dbs": "Databases",
    "colls": "DocumentCollections",
    "docs": "Documents",
    "users": "Users",
    "clientencryptionkeys": "ClientEncryptionKeys",
    "permissions": "Permissions",
    "sprocs": "StoredProcedures",
    "triggers": "Triggers",
    "udfs": "UserDefinedFunctions",
    "conflicts": "Conflicts",
    "offers": "Offers",
    "pkranges": "PartitionKeyRanges",
}
"""The member of a feed's envelope that holds its entries."""

_FORBIDDEN = "/\\?#"


def check_name(body: Mapping[str, object]) -> str:
    """The id of a resource to be made. Raises Refused when it is missing or not allowed."""
    name = body.get("id")
    if name is None:
        raise Refused(errors.MISSING_ID)
    if not isinstance(name, str) or not name or len(name) > limits.RESOURCE_ID_CHARACTERS_MAX:
        raise Refused(
            errors.BAD_REQUEST,
            errors.wrapped(
                "The input name is invalid. Ensure to provide a unique non-empty string less than '255' characters."
            ),
        )
    if any(character in _FORBIDDEN for character in name) or name.endswith(" "):
        text = f"The input name '{name}' is invalid. A name has no '/', '\\', '?', '#' and no final space."
        raise Refused(errors.BAD_REQUEST, errors.wrapped(text))
    return name


def check_match(call: Call, found: Resource) -> None:
    """Raises Refused when If-Match names another version of a resource."""
    if call.header("if-match") not in ("", "*", found.body["_etag"]):
        raise Refused(errors.PRECONDITION_FAILED)


def is_named(value: object, names: tuple[str, ...]) -> bool:
    """Whether `value` is one of `names`, which clients spell in different cases."""
    return isinstance(value, str) and value.lower() in [name.lower() for name in names]


def as_stored(_: Call, resource: Resource) -> dict[str, Any]:
    """A resource's body without additions."""
    return dict(resource.body)


async def page_of(
    call: Call, kind: str, owner: Resource | None, *, show: Callable[[Call, Resource], dict[str, Any]] = as_stored
) -> Response:
    """A page of the resources of `kind` under `owner`, in the order they were made."""
    size = min(call.page_size(limits.FEED_ITEMS_DEFAULT), limits.PAGE_ITEMS_MAX)
    after = _position(call.header("x-ms-continuation"))
    parent = owner.rid if owner else ""
    found = call.account.store.catalog.children(kind, parent, after=after, limit=size + 1)
    await call.account.store.database.settled()
    shown = found[:size]
    headers = {"x-ms-item-count": str(len(shown))}
    if len(found) > size:
        headers["x-ms-continuation"] = str(shown[-1].number)
    return answer(
        call,
        200,
        envelope(kind, parent, [show(call, each) for each in shown]),
        charge=charges.METADATA,
        headers=headers,
    )


async def query_of(
    call: Call, kind: str, owner: Resource | None, *, show: Callable[[Call, Resource], dict[str, Any]] = as_stored
) -> Response:
    """The results of a query over the resources of `kind` under `owner`, a page of them."""
    parent = owner.rid if owner else ""
    found = call.account.store.catalog.children(kind, parent)
    await call.account.store.database.settled()
    results = select(call, [show(call, each) for each in found])
    size = min(call.page_size(limits.FEED_ITEMS_DEFAULT), limits.PAGE_ITEMS_MAX)
    start = _position(call.header("x-ms-continuation"))
    shown = results[start : start + size]
    headers = {"x-ms-item-count": str(len(shown))}
    if len(results) > start + size:
        headers["x-ms-continuation"] = str(start + size)
    return answer(call, 200, envelope(kind, parent, shown), charge=charges.QUERY_BASE, headers=headers)


def envelope(kind: str, rid: str, bodies: list[Any]) -> bytes:
    """A feed's body."""
    return orjson.dumps({"_rid": rid, FEED_KEYS[kind]: bodies, "_count": len(bodies)})


def _position(continuation: str) -> int:
    position = whole_number(continuation or "0")
    if position is None:
        raise Refused(errors.BAD_HEADER, "The continuation token is invalid.")
    return position
