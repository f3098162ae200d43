"""Where what memory should not hold goes: entries under keys, given back in an order. Knows no query.

A shelf in memory will do for a few values; a container's queries are handed one that lies on disk.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Protocol

KEY_BYTES_MAX = 64
"""A longer key is stood for by its digest: our choice, so that large values do not make large keys."""


class Shelf(Protocol):
    """Entries by key; the first one put under a key stays."""

    def put(self, key: bytes, place: bytes, content: bytes) -> None:
        """Add an entry unless there is one under its key."""

    def entries(self) -> Iterator[tuple[bytes, bytes]]:
        """(place, content) of all entries in the order of their places."""


class MemoryShelf:
    """A shelf in memory."""

    def __init__(self) -> None:
        self._entries: dict[bytes, tuple[bytes, bytes]] = {}

    def put(self, key: bytes, place: bytes, content: bytes) -> None:
        """Add an entry unless there is one under its key."""
        self._entries.setdefault(key, (place, content))

    def entries(self) -> Iterator[tuple[bytes, bytes]]:
        """(place, content) of all entries in the order of their places."""
        return iter(sorted(self._entries.values()))


def short(key: bytes) -> bytes:
    """The key, or what stands for a long one."""
    if len(key) <= KEY_BYTES_MAX:
        return key
    return b"\xff" + hashlib.blake2b(key, digest_size=KEY_BYTES_MAX - 1).digest()
