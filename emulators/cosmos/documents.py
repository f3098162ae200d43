"""Rules about an item's body: what Cosmos DB accepts as one. Pure; used by single writes, batches and patches."""

from __future__ import annotations

from typing import Any

import orjson

from emulators.cosmos import errors, limits
from emulators.cosmos.errors import Refused
from emulators.cosmos.partitioning import Key, is_same
from emulators.cosmos.sql.values import depth
from emulators.cosmos.store.catalog import Container


def parse_document(body: bytes) -> dict[str, Any]:
    """An item's body as an object. Raises Refused: not JSON, not an object, too large, too deep."""
    if len(body) > limits.ITEM_BYTES_MAX:
        raise Refused(errors.TOO_LARGE)
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Refused(errors.BAD_BODY) from None
    if not isinstance(document, dict):
        raise Refused(errors.BAD_BODY)
    if body.count(b"{") + body.count(b"[") > limits.NESTING_MAX and depth(document) > limits.NESTING_MAX:
        raise Refused(errors.BAD_REQUEST, errors.wrapped("The document is nested too deeply."))
    return document


def check_id(document: dict[str, Any]) -> str:
    """The document's id. Raises Refused when it is missing or not allowed."""
    name = document.get("id")
    if name is None:
        raise Refused(errors.MISSING_ID)
    if not isinstance(name, str) or not name:
        raise Refused(errors.BAD_REQUEST)
    if len(name.encode("utf-8", "surrogatepass")) > limits.DOCUMENT_ID_BYTES_MAX:
        raise Refused(
            errors.BAD_REQUEST,
            errors.wrapped(
                "The input name is invalid. Ensure to provide a unique non-empty string less than '1024' characters."
            ),
        )
    if "\\" in name:
        raise Refused(errors.BAD_REQUEST, errors.wrapped(f"The input name '{name}' is invalid: it holds a backslash."))
    return name


def check_addressable(name: str) -> None:
    """Raises Refused for ids that the service stores and then cannot find by URL: those with a slash."""
    if "/" in name:
        raise Refused(errors.NOT_FOUND)


def check_ttl(document: dict[str, Any]) -> None:
    """Raises Refused unless `ttl` is absent, -1 or a positive integer."""
    if "ttl" not in document:
        return
    ttl = document["ttl"]
    if isinstance(ttl, bool) or not isinstance(ttl, int) or (ttl != -1 and not 0 < ttl < 1 << 31):
        raise Refused(
            errors.BAD_REQUEST,
            errors.wrapped(f"The input ttl '{ttl}' is invalid. Ensure to provide a nonzero positive integer or -1."),
        )


def check_key(container: Container, document: dict[str, Any], key: Key) -> None:
    """Raises Refused unless `document` lies in the logical partition `key`."""
    if not key and container.partition_key.system_key:
        return
    own = container.partition_key.of_document(document)
    if not is_same(own, key):
        raise Refused(errors.PARTITION_KEY_MISMATCH)
    for component in own:
        if isinstance(component, str) and 4 * len(component) > limits.PARTITION_KEY_BYTES_MAX:
            _check_key_size(component)


def _check_key_size(component: str) -> None:
    if len(component.encode("utf-8")) > limits.PARTITION_KEY_BYTES_MAX:
        raise Refused(errors.BAD_REQUEST, errors.wrapped("The partition key value is larger than 2048 bytes."))
