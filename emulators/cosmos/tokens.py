"""Resource tokens: what a permission grants, signed with the account key so that nothing need be looked up.

`type=resource&ver=1&sig=<signature>;<grant>;` with the grant as base64 JSON. Clients treat it as opaque.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from dataclasses import dataclass

import orjson

from emulators.cosmos.store.catalog import Catalog

Scope = tuple[str, ...]
"""A path whose databases, containers and other catalogued resources are rids, whatever the client called them by."""

CATALOGUED = ("dbs", "colls", "users", "permissions", "clientencryptionkeys", "sprocs", "triggers", "udfs")
"""Types whose resources are in the catalog."""


@dataclass(frozen=True, slots=True)
class Grant:
    """A mode on the resource at `link` until `expires` (seconds since the epoch), perhaps for one partition key."""

    link: str
    mode: str
    expires: int
    partition_key: list[object] | None = None


def issue(key: bytes, grant: Grant) -> str:
    """The token for a grant."""
    text = orjson.dumps([grant.link, grant.mode, grant.expires, grant.partition_key])
    payload = base64.b64encode(text).decode()
    return f"type=resource&ver=1&sig={_sign(key, payload)};{payload};"


def redeem(key: bytes, signature: str) -> Grant | None:
    """The grant in a token's signature part, None when it is forged."""
    digest, _, rest = signature.partition(";")
    payload = rest.rstrip(";")
    if not hmac.compare_digest(digest.encode("utf-8", "replace"), _sign(key, payload).encode()):
        return None
    try:
        link, mode, expires, partition_key = orjson.loads(base64.b64decode(payload, validate=True))
    except (binascii.Error, ValueError):
        return None
    return Grant(link, mode, expires, partition_key)


def resolve_link(catalog: Catalog, link: str) -> Scope | None:
    """A link, by names or rids, as a scope; None when it leads nowhere. Items are taken at their word."""
    return resolve(catalog, *_split(link))


def resolve(catalog: Catalog, types: tuple[str, ...], names: tuple[str, ...]) -> Scope | None:
    """A path in types and names as a scope."""
    scope: list[str] = []
    parent = ""
    for kind, name in zip(types, names, strict=False):
        if kind in CATALOGUED:
            found = catalog.find(kind, parent, name)
            if found is None:
                return None
            parent, name = found.rid, found.rid
        scope += (kind, name)
    return tuple(scope) or None


def _split(link: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    parts = link.strip("/").split("/")
    return tuple(parts[::2]), tuple(parts[1::2])


def _sign(key: bytes, payload: str) -> str:
    return base64.b64encode(
        hmac.digest(key, b"resource token\n" + payload.encode("utf-8", "replace"), "sha256")
    ).decode()
