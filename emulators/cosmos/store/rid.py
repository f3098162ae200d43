"""Resource ids: what `_rid` holds and what its bytes say about a resource's kind and owners.

Made from a resource's number in the store, mixed with the store's salt, so that a resource made again under its
old name (or after a reset) has another rid. Layout as in the Java SDK's ResourceId.
"""

from __future__ import annotations

import base64
import binascii

_CHILD_KIND = {"docs": 0x0, "conflicts": 0x4, "pkranges": 0x5, "udfs": 0x6, "triggers": 0x7, "sprocs": 0x8}
"""The high nibble of the last byte of what lives in a container."""


def database_rid(number: int, salt: int) -> str:
    """Four bytes."""
    return _text(_mixed(number, salt).to_bytes(4, "big"))


def container_rid(database: str, number: int, salt: int) -> str:
    """The database's four bytes and four more, the top bit set."""
    return _text(raw(database) + (_mixed(number, salt) | 1 << 31).to_bytes(4, "big"))


def user_rid(database: str, number: int, salt: int) -> str:
    """The database's four bytes and four more, the top bit clear."""
    return _text(raw(database) + (_mixed(number, salt) & (1 << 31) - 1).to_bytes(4, "big"))


def encryption_key_rid(database: str, number: int) -> str:
    """The database's four bytes and eight more."""
    return _text(raw(database) + number.to_bytes(8, "little"))


def permission_rid(user: str, number: int) -> str:
    """The user's eight bytes and eight more."""
    return _text(raw(user) + number.to_bytes(8, "little"))


def offer_rid(number: int, salt: int) -> str:
    """Three bytes."""
    return _text((_mixed(number, salt) & 0xFFFFFF).to_bytes(3, "big"))


def child_rid(container: bytes, kind: str, counter: int, range_id: int = 0) -> str:
    """The container's eight bytes, a counter, and the kind with the range that the counter counts in."""
    tail = counter.to_bytes(5, "little") + range_id.to_bytes(2, "little") + bytes((_CHILD_KIND[kind] << 4,))
    return _text(container + tail)


def parse_document(container: bytes, rid: str) -> tuple[int, int]:
    """(counter, range id) of a document's rid. Raises ValueError when it is none of this container."""
    whole = raw(rid)
    if len(whole) != 16 or whole[:8] != container or whole[15] >> 4 != _CHILD_KIND["docs"]:
        raise ValueError(f"{rid!r} is no document's resource id here")
    return int.from_bytes(whole[8:12], "little"), int.from_bytes(whole[13:15], "little")


def raw(rid: str) -> bytes:
    """The bytes of a rid. Raises ValueError when it is none."""
    try:
        return base64.b64decode(rid.replace("-", "/"), validate=True)
    except binascii.Error as failure:
        raise ValueError(f"{rid!r} is not a resource id") from failure


def _mixed(number: int, salt: int) -> int:
    return (number ^ salt) & 0xFFFFFFFF


def _text(raw_bytes: bytes) -> str:
    return base64.b64encode(raw_bytes).decode("ascii").replace("/", "-")
