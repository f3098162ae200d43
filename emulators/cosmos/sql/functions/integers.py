"""The Int… functions: exact 64-bit arithmetic, undefined for anything that is not a whole number of 64 bits."""

from __future__ import annotations

from collections.abc import Callable

from emulators.cosmos.sql.functions.signatures import Registry
from emulators.cosmos.sql.values import UNDEFINED, Value

FUNCTIONS = define = Registry()


def _wrapped(value: int) -> int:
    """`value` in 64 bits of two's complement."""
    value &= 0xFFFFFFFFFFFFFFFF
    return value - 2**64 if value >> 63 else value


def _two(name: str, function: Callable[[int, int], int | None]) -> None:
    @define(name, "integer integer")
    def apply(left: float, right: float) -> Value:
        result = function(int(left), int(right))
        return UNDEFINED if result is None else _wrapped(result)


def _divide(left: int, right: int) -> int | None:
    if right == 0:
        return None
    quotient = abs(left) // abs(right)
    return quotient if (left < 0) == (right < 0) else -quotient


def _remainder(left: int, right: int) -> int | None:
    quotient = _divide(left, right)
    return None if quotient is None else left - quotient * right


def _shift_left(value: int, count: int) -> int | None:
    return value << (count & 63)


def _shift_right(value: int, count: int) -> int | None:
    return value >> (count & 63)


_two("IntAdd", lambda left, right: left + right)
_two("IntSub", lambda left, right: left - right)
_two("IntMul", lambda left, right: left * right)
_two("IntDiv", _divide)
_two("IntMod", _remainder)
_two("IntBitAnd", lambda left, right: left & right)
_two("IntBitOr", lambda left, right: left | right)
_two("IntBitXor", lambda left, right: left ^ right)
_two("IntBitLeftShift", _shift_left)
_two("IntBitRightShift", _shift_right)


@define("IntBitNot", "integer")
def bit_not(value: float) -> int:
    """Every bit turned."""
    return ~int(value)
