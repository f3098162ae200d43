"""Permissions: a mode on a resource for a user; every answer carries a fresh token that proves it for a while."""

from __future__ import annotations

from typing import Any

import orjson

from emulators.cosmos import errors, limits
from emulators.cosmos.crud import Crud
from emulators.cosmos.decimals import whole_number
from emulators.cosmos.errors import Refused
from emulators.cosmos.partitioning import PartitionKeyError, parse_header
from emulators.cosmos.resources import is_named
from emulators.cosmos.store.catalog import Resource
from emulators.cosmos.tokens import Grant, issue, resolve_link
from emulators.cosmos.wire import Call

MODES = ("Read", "All")


def _check(call: Call, owner: Resource, sent: dict[str, Any], old: Resource | None) -> dict[str, Any]:
    mode, link = sent.get("permissionMode"), sent.get("resource")
    if not is_named(mode, MODES) or not isinstance(link, str):
        raise Refused(
            errors.BAD_REQUEST, errors.wrapped("A permission has a permissionMode (Read, All) and a resource.")
        )
    catalog = call.account.store.catalog
    scope = resolve_link(catalog, link) or link  # a resource may be made after its permission
    key = sent.get("resourcePartitionKey")
    if key is not None:
        _check_key(key)
    for other in catalog.children("permissions", owner.rid):
        theirs = resolve_link(catalog, other.body["resource"]) or other.body["resource"]
        same = theirs == scope and other.body.get("resourcePartitionKey") == key
        if same and (old is None or other.rid != old.rid):
            raise Refused(errors.CONFLICT)
    body = {"id": sent["id"], "permissionMode": mode, "resource": link}
    return body if key is None else {**body, "resourcePartitionKey": key}


def _check_key(key: object) -> None:
    try:
        parse_header(orjson.dumps(key).decode())
    except PartitionKeyError as refusal:
        raise Refused(errors.BAD_REQUEST, errors.wrapped(f"resourcePartitionKey: {refusal}")) from None


def _show(call: Call, permission: Resource) -> dict[str, Any]:
    seconds = _lifetime(call)
    grant = Grant(
        permission.body["resource"],
        permission.body["permissionMode"],
        call.now + seconds,
        permission.body.get("resourcePartitionKey"),
    )
    return {**permission.body, "_token": issue(call.account.key, grant)}


def _lifetime(call: Call) -> int:
    text = call.header("x-ms-documentdb-expiry-seconds")
    if not text:
        return limits.TOKEN_SECONDS_DEFAULT
    seconds = whole_number(text) or 0
    if not limits.TOKEN_SECONDS_MIN <= seconds <= limits.TOKEN_SECONDS_MAX:
        raise Refused(
            errors.BAD_HEADER,
            f"x-ms-documentdb-expiry-seconds takes {limits.TOKEN_SECONDS_MIN} to {limits.TOKEN_SECONDS_MAX} seconds.",
        )
    return seconds


permissions = Crud("permissions", _check, _show)
