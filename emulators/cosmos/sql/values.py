"""What a value is in the query language: undefined beside JSON, equality, comparison, order, numbers and their text.

The one semantic definition that the evaluator, the functions, the planner and the pushdown share. Knows no syntax.

JSON arrives as Python values (dict, list, str, int, float, bool, None). `bool` is not a number here, and an int and a
float that are equal are the same number: the language has doubles only.
"""

from __future__ import annotations

import hashlib
import math
import struct
from collections.abc import Mapping, Sequence
from typing import Any, Final

Value = Any
"""A JSON value or UNDEFINED."""


class Undefined:
    """The type of UNDEFINED: what a missing property is. It is not null and never reaches a client."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "undefined"

    def __bool__(self) -> bool:
        raise TypeError("undefined has no truth: compare with `is True` or `is UNDEFINED`")


UNDEFINED: Final = Undefined()

EXACT_INTEGER_MAX = 2**53
"""Integers up to here are exact as doubles (IEEE 754)."""
INT32_SPAN = 2**32

_RANK_NUMBER, _RANK_STRING = 4, 5


def is_number(value: Value) -> bool:
    """Whether `value` is a number (true and false are not)."""
    kind = type(value)
    return kind is int or kind is float


def type_name(value: Value) -> str:
    """The language's name of the value's type."""
    if value is UNDEFINED:
        return "undefined"
    if value is None:
        return "null"
    return {bool: "boolean", int: "number", float: "number", str: "string", list: "array", dict: "object"}[type(value)]


def depth(value: Value) -> int:
    """Levels of objects and arrays, counted level by level so that no input exhausts the stack."""
    levels, current = 0, [value]
    while current:
        levels += 1
        inner: list[Value] = []
        for each in current:
            if isinstance(each, dict):
                inner.extend(each.values())
            elif isinstance(each, list):
                inner.extend(each)
        current = [each for each in inner if isinstance(each, dict | list)]
    return levels


def number(value: float) -> int | float:
    """`value` as the double it is, written as an int when it is whole, so that JSON shows 124 and not 124.0."""
    if type(value) is int:
        if -EXACT_INTEGER_MAX <= value <= EXACT_INTEGER_MAX:
            return value
        try:
            value = float(value)
        except OverflowError:
            return math.inf if value > 0 else -math.inf
    if math.isfinite(value) and value == math.floor(value):
        return _whole(value)
    return value


def finite(value: float) -> Value:
    """`value` as `number` has it, undefined where it is infinite or no number.

    The service's recorded queryEngineConfiguration allows no such numbers (sqlAllowNonFiniteNumbers).
    """
    return number(value) if math.isfinite(value) else UNDEFINED


def _whole(value: float) -> int | float:
    if -EXACT_INTEGER_MAX <= value <= EXACT_INTEGER_MAX:
        return int(value)
    # Beyond 2^53 JavaScript prints the shortest digits that read back, then zeros: 16331239353195370.
    return int(_plain_digits(value)) if abs(value) < 2**63 else value


def _plain_digits(value: float) -> str:
    mantissa, _, exponent = repr(value).partition("e")
    if not exponent:
        return mantissa.removesuffix(".0")
    whole, _, fraction = mantissa.partition(".")
    return whole + fraction + "0" * (int(exponent) - len(fraction))


def equal(left: Value, right: Value) -> bool:
    """Deep equality of two defined values: objects without regard to key order, types never coerced."""
    kind, other = type(left), type(right)
    if kind is other:
        if kind is dict:
            return len(left) == len(right) and all(
                name in right and equal(value, right[name]) for name, value in left.items()
            )
        if kind is list:
            return len(left) == len(right) and all(map(equal, left, right))
        return bool(left == right)
    if (kind is int and other is float) or (kind is float and other is int):
        return bool(left == right)
    return False


def includes(whole: Value, part: Value) -> bool:
    """Whether `whole` holds everything `part` says: the partial match of ARRAY_CONTAINS."""
    if isinstance(whole, dict) and isinstance(part, dict):
        return all(name in whole and includes(whole[name], value) for name, value in part.items())
    return equal(whole, part)


def compare(left: Value, right: Value) -> int | None:
    """-1, 0 or 1 for two values that the relational operators order, None where they give undefined."""
    kind, other = type(left), type(right)
    if kind is other:
        if kind is str or kind is int or kind is float or kind is bool:
            return int((left > right) - (left < right))
        return 0 if left is None else None
    if (kind is int and other is float) or (kind is float and other is int):
        return int((left > right) - (left < right))
    return None


def order_key(value: Value) -> bytes:
    """Bytes whose order is the order of ORDER BY: undefined, null, false, true, number, string, array, object.

    Equal values, and only they, have equal keys, so DISTINCT and GROUP BY use them too. Arrays and objects are
    ordered among themselves by a hash, as the .NET client orders them. No key is a prefix of another.
    """
    if value is UNDEFINED:
        return b"\x00"
    if value is None:
        return b"\x01"
    kind = type(value)
    if kind is bool:
        return b"\x03" if value else b"\x02"
    if kind is str:
        text: bytes = value.encode("utf-8", "surrogatepass")
        return b"\x05" + text.replace(b"\x00", b"\x00\xff") + b"\x00\x00"
    if kind is int or kind is float:
        return b"\x04" + _double_key(value)
    return (b"\x06" if kind is list else b"\x07") + hashlib.blake2b(_canonical(value), digest_size=16).digest()


def sort_key(value: Value) -> bytes:
    """The same for ORDER BY, where all arrays are one, and all objects: such documents keep their own order."""
    kind = type(value)
    return b"\x06" if kind is list else b"\x07" if kind is dict else order_key(value)


def place_of_key(key: bytes) -> tuple[tuple[int, float | str], bytes]:
    """((the rank of the type, the number or string or 0), what follows) of a sort key that others may follow."""
    rank = key[0]
    if rank == _RANK_NUMBER:
        (bits,) = struct.unpack(">Q", key[1:9])
        (double,) = struct.unpack(">d", struct.pack(">Q", bits ^ (0x8000000000000000 if bits >> 63 else 2**64 - 1)))
        return (rank, double), key[9:]
    if rank == _RANK_STRING:
        end = key.index(b"\x00\x00", 1)
        return (rank, key[1:end].replace(b"\x00\xff", b"\x00").decode("utf-8", "surrogatepass")), key[end + 2 :]
    return (rank, 0), key[1:]


def _double_key(value: float) -> bytes:
    try:
        double = float(value) + 0.0  # -0 and 0 are one value
    except OverflowError:
        double = math.inf if value > 0 else -math.inf
    (bits,) = struct.unpack(">Q", struct.pack(">d", double))
    return struct.pack(">Q", bits ^ (0xFFFFFFFFFFFFFFFF if bits >> 63 else 0x8000000000000000))


def _canonical(value: Value) -> bytes:
    if isinstance(value, list):
        return b"[" + b"".join(map(_canonical, value)) + b"]"
    if isinstance(value, dict):
        return b"{" + b"".join(order_key(name) + _canonical(value[name]) for name in sorted(value)) + b"}"
    return order_key(value)


def descending(key: bytes) -> bytes:
    """The key that sorts in exactly the reverse order of `key`."""
    return key.translate(_INVERTED)


_INVERTED = bytes(255 - each for each in range(256))


def to_int32(value: float) -> int:
    """The 32-bit integer that the bit operators see (ECMAScript ToInt32)."""
    if not math.isfinite(value):
        return 0
    wrapped = int(value) % INT32_SPAN
    return wrapped - INT32_SPAN if wrapped >= INT32_SPAN // 2 else wrapped


def is_int64(value: Value) -> bool:
    """Whether `value` is a whole number of 64 bits."""
    if not is_number(value) or (type(value) is float and not value.is_integer()):
        return False
    return bool(-(2**63) <= value < 2**63)


def number_text(value: float) -> str:
    """A number as the service prints it: shortest digits that read back, in ECMAScript's notation."""
    if type(value) is int and abs(value) <= EXACT_INTEGER_MAX:
        return str(value)
    double = float(number(value))
    if math.isnan(double):
        return "NaN"
    if math.isinf(double):
        return "Infinity" if double > 0 else "-Infinity"
    if double == math.floor(double) and abs(double) < 1e21:
        return _plain_digits(double) if double else "0"
    mantissa, _, exponent = repr(double).partition("e")
    if not exponent:
        return mantissa
    power = int(exponent)
    if -7 < power < 0:  # Python turns to exponents at 1e-5 already, ECMAScript at 1e-7
        digits = mantissa.lstrip("-").replace(".", "")
        return ("-" if double < 0 else "") + "0." + "0" * (-power - 1) + digits
    return f"{mantissa.removesuffix('.0')}e{power:+d}"


def json_text(value: Value) -> str:
    """A value as compact JSON text, numbers as `number_text` writes them; undefined members are left out."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return number_text(value)
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, Mapping):
        return (
            "{"
            + ",".join(f"{quoted(name)}:{json_text(each)}" for name, each in value.items() if each is not UNDEFINED)
            + "}"
        )
    if isinstance(value, Sequence):
        return "[" + ",".join(json_text(each) for each in value if each is not UNDEFINED) + "]"
    raise TypeError(f"{value!r} is not a value of the language")


_ESCAPES = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_TO_ESCAPE = str.maketrans({**{chr(code): f"\\u{code:04x}" for code in range(32)}, **_ESCAPES})


def quoted(text: str) -> str:
    """A string as a double-quoted literal."""
    return f'"{text.translate(_TO_ESCAPE)}"'
