"""Partition keys: their definition, their values in a document or header, and where they hash to.

Pure. The effective partition key (EPK) of a value is kept as bytes whose upper-case hex form is the text that
clients and the partition key ranges feed use; bytes compare as that text does. Knows nothing of HTTP or storage.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Any

import mmh3
import orjson

from emulators.cosmos import limits


class Undefined(Enum):
    """The value of a partition key path that a document does not have; `{}` in headers. Not null."""

    UNDEFINED = "{}"


UNDEFINED = Undefined.UNDEFINED

Component = None | bool | float | str | Undefined
Key = tuple[Component, ...]

LOWEST = b""
HIGHEST = b"\xff"
"""The whole hash space is [LOWEST, HIGHEST)."""

_HASH_BITS_V2 = 126
"""Version 2 clears the two highest bits of a 128-bit hash, so that everything stays below HIGHEST."""
_HASH_BITS_V1 = 32
_NUMBER = b"\x05"
_STRING = b"\x08"
_SINGLE = {Undefined.UNDEFINED: b"\x00", None: b"\x01", False: b"\x02", True: b"\x03"}


class PartitionKeyError(ValueError):
    """A definition or value that Cosmos DB refuses. The text is for the client."""


@dataclass(frozen=True, slots=True)
class Definition:
    """A container's partition key: `paths` split into property names."""

    paths: tuple[tuple[str, ...], ...]
    hierarchical: bool = False
    version: int = 2
    system_key: bool = False

    def of_document(self, document: Mapping[str, Any]) -> Key:
        """The key of a document: one component a path; objects and arrays count as undefined."""
        return tuple([_component_at(document, path) for path in self.paths])

    def epk(self, key: Key) -> bytes:
        """Where `key` hashes to. A hierarchical prefix gives the start of its interval."""
        if not key:
            return LOWEST
        if self.hierarchical:
            return b"".join(_hash_v2((component,)) for component in key)
        return _hash_v2(key) if self.version == 2 else _hash_v1(key)

    def interval(self, key: Key) -> tuple[bytes, bytes]:
        """The [low, high) of hash space that holds exactly `key`, or everything below a hierarchical prefix."""
        low = self.epk(key)
        if self.hierarchical and len(key) < len(self.paths):
            return low, low + HIGHEST
        return low, low + b"\x00"

    def boundaries(self, count: int) -> list[bytes]:
        """`count` + 1 bounds that cut the hash space into even ranges."""
        if self.version == 1 and not self.hierarchical:
            step = (1 << _HASH_BITS_V1) / count
            inner = [_encode_number(float(math.floor(step * index))) for index in range(1, count)]
        else:
            width = ((1 << _HASH_BITS_V2) - 1) // count
            inner = [(width * index).to_bytes(16, "big") for index in range(1, count)]
        return [LOWEST, *inner, HIGHEST]

    def middle(self, low: bytes, high: bytes) -> bytes:
        """A bound halfway between two others, for a split."""
        if self.version == 1 and not self.hierarchical:
            top = float(1 << _HASH_BITS_V1) if high == HIGHEST else _decode_number(high)
            bottom = 0.0 if low == LOWEST else _decode_number(low)
            return _encode_number(float(math.floor((bottom + top) / 2)))
        top_v2 = (1 << _HASH_BITS_V2) if high == HIGHEST else int.from_bytes(high[:16].ljust(16, b"\0"), "big")
        bottom_v2 = int.from_bytes(low[:16].ljust(16, b"\0"), "big")
        return ((bottom_v2 + top_v2) // 2).to_bytes(16, "big")


def parse_definition(document: object) -> Definition:
    """A definition from a container's `partitionKey`. Raises PartitionKeyError."""
    if not isinstance(document, Mapping):
        raise PartitionKeyError("The partition key definition must be an object.")
    paths, kind, version = document.get("paths"), document.get("kind", "Hash"), document.get("version", 1)
    if not isinstance(paths, list) or not paths or not all(isinstance(path, str) for path in paths):
        raise PartitionKeyError("The partition key definition must have a non-empty array of paths.")
    if kind not in ("Hash", "MultiHash"):
        raise PartitionKeyError(f"The partition key kind {kind!r} is not supported: use Hash or MultiHash.")
    if isinstance(version, bool) or version not in (1, 2) or (kind == "MultiHash" and version != 2):
        raise PartitionKeyError(f"The partition key version {version!r} is not supported for kind {kind}.")
    paths_max = limits.PARTITION_KEY_PATHS_MAX if kind == "MultiHash" else 1
    if len(paths) > paths_max:
        raise PartitionKeyError(f"Too many partition key paths: {len(paths)} specified, {paths_max} allowed.")
    return Definition(
        tuple(parse_path(path) for path in paths), kind == "MultiHash", version, document.get("systemKey") is True
    )


def parse_path(path: str) -> tuple[str, ...]:
    """`/a/"b c"/d` as property names; either quote mark will do.

    Raises PartitionKeyError for indexes, wildcards and malformed paths.
    """
    names: list[str] = []
    rest = path
    while rest:
        if not rest.startswith("/") or len(names) >= limits.NESTING_MAX:
            raise PartitionKeyError(f"The partition key path '{path}' is invalid.")
        if rest[1:2] in ('"', "'"):
            name, closing, rest = rest[2:].partition(rest[1])
            if not closing:
                raise PartitionKeyError(f"The partition key path '{path}' has an unclosed quote.")
        else:
            name, slash, rest = rest[1:].partition("/")
            rest = slash + rest
            if any(character in '*?[]"' for character in name):
                raise PartitionKeyError(f"The partition key path '{path}' is invalid.")
        if not name:
            raise PartitionKeyError(f"The partition key path '{path}' is invalid.")
        names.append(name)
    if not names:
        raise PartitionKeyError("A partition key path must not be empty.")
    return tuple(names)


@lru_cache(maxsize=256)
def parse_header(text: str) -> Key:
    """The components of a partition key header, for example `["a", 1, {}]`. Raises PartitionKeyError."""
    try:
        values = orjson.loads(text)
    except orjson.JSONDecodeError:
        values = None
    if not isinstance(values, list) or len(values) > limits.PARTITION_KEY_PATHS_MAX:
        raise PartitionKeyError(f"Partition key {text[:200]} is invalid.")
    return tuple([_component_of_header(value, text) for value in values])


def canonical(key: Key) -> str:
    """One text per key, equal for equal keys: how the store names a logical partition."""
    return orjson.dumps([_plain(component) for component in key]).decode()


def is_same(key: Key, other: Key) -> bool:
    """Whether two keys are one: to Python, 1 is true."""
    return key == other and list(map(type, key)) == list(map(type, other))


def epk_hex(epk: bytes) -> str:
    """The text form of an EPK."""
    return epk.hex().upper()


def parse_epk(text: str) -> bytes:
    """An EPK from its text form, either case. Raises PartitionKeyError."""
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise PartitionKeyError(f"'{text[:200]}' is not an effective partition key.") from None


def _plain(component: Component) -> object:
    if component is UNDEFINED:
        return {}
    return component


def _component_at(document: Mapping[str, Any], path: tuple[str, ...]) -> Component:
    value: Any = document
    for name in path:
        if not isinstance(value, Mapping) or name not in value:
            return UNDEFINED
        value = value[name]
    return _component(value)


def _component(value: Any) -> Component:
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int | float):
        return float(value)
    return UNDEFINED


def _component_of_header(value: Any, text: str) -> Component:
    if isinstance(value, list) or (isinstance(value, dict) and value):
        raise PartitionKeyError(f"Partition key {text[:200]} is invalid.")
    return _component(value)


def _for_hashing(components: Sequence[Component], suffix: bytes) -> bytes:
    parts: list[bytes] = []
    for component in components:
        if isinstance(component, str):
            parts += (_STRING, component.encode("utf-8", "surrogatepass"), suffix)
        elif isinstance(component, float):
            parts += (_NUMBER, struct.pack("<d", component))
        else:
            parts.append(_SINGLE[component])
    return b"".join(parts)


def _hash_v2(components: Sequence[Component]) -> bytes:
    digest = mmh3.hash_bytes(_for_hashing(components, b"\xff"), 0, x64arch=True)[::-1]
    return bytes((digest[0] & 0x3F,)) + digest[1:]


def _hash_v1(components: Sequence[Component]) -> bytes:
    kept = [
        component[: limits.PARTITION_KEY_V1_CHARACTERS] if isinstance(component, str) else component
        for component in components
    ]
    digest = mmh3.hash(_for_hashing(kept, b"\x00"), 0, signed=False)
    return _encode_number(float(digest)) + b"".join(_encode(component) for component in kept)


def _encode(component: Component) -> bytes:
    """The order-preserving form that version 1 appends to its hash."""
    if isinstance(component, float):
        return _encode_number(component)
    if isinstance(component, str):
        raw = component.encode("utf-8", "surrogatepass")
        shifted = bytes(byte + 1 for byte in raw[: limits.PARTITION_KEY_V1_CHARACTERS + 1])  # UTF-8 has no 0xFF
        return _STRING + shifted + (b"\x00" if len(raw) <= limits.PARTITION_KEY_V1_CHARACTERS else b"")
    return _SINGLE[component]


def _encode_number(number: float) -> bytes:
    (bits,) = struct.unpack(">Q", struct.pack(">d", number))
    bits = bits ^ (1 << 63) if bits < 1 << 63 else (~bits + 1) & (1 << 64) - 1
    out = bytearray(_NUMBER)
    out.append(bits >> 56)
    bits = (bits << 8) & (1 << 64) - 1
    groups: list[int] = []
    while bits:
        groups.append((bits >> 56) | 1)
        bits = (bits << 7) & (1 << 64) - 1
    groups = groups or [0]
    groups[-1] &= 0xFE  # a clear last bit ends the number
    return bytes(out) + bytes(groups)


def _decode_number(encoded: bytes) -> float:
    """The number at the start of a version 1 EPK."""
    bits, shift = encoded[1] << 56, 56
    for byte in encoded[2:10]:
        shift -= 7
        bits |= (byte >> 1) << shift if shift >= 0 else 0
        if not byte & 1:
            break
    bits &= (1 << 64) - 1
    bits = bits ^ (1 << 63) if bits >= 1 << 63 else (~bits + 1) & (1 << 64) - 1
    (number,) = struct.unpack(">d", struct.pack(">Q", bits))
    return float(number)
