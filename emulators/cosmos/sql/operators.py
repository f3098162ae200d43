"""What the operators compute, value by value: three-valued logic, comparison across types, arithmetic on doubles."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from emulators.cosmos.sql.values import (
    INT32_SPAN,
    UNDEFINED,
    Value,
    compare,
    equal,
    finite,
    is_number,
    number,
    to_int32,
)


def equals(left: Value, right: Value) -> Value:
    """=: undefined if either is, else deep equality; values of two types differ."""
    if left is UNDEFINED or right is UNDEFINED:
        return UNDEFINED
    return equal(left, right)


def differs(left: Value, right: Value) -> Value:
    """!= and <>."""
    if left is UNDEFINED or right is UNDEFINED:
        return UNDEFINED
    return not equal(left, right)


def less(left: Value, right: Value) -> Value:
    """<: undefined unless both are primitives of one type."""
    order = compare(left, right)
    return UNDEFINED if order is None else order < 0


def less_or_equal(left: Value, right: Value) -> Value:
    """<=."""
    order = compare(left, right)
    return UNDEFINED if order is None else order <= 0


def greater(left: Value, right: Value) -> Value:
    """>."""
    order = compare(left, right)
    return UNDEFINED if order is None else order > 0


def greater_or_equal(left: Value, right: Value) -> Value:
    """>=."""
    order = compare(left, right)
    return UNDEFINED if order is None else order >= 0


def both(left: Value, right: Value) -> Value:
    """AND of two: false wins over whatever the other is."""
    if left is False or right is False:
        return False
    return True if left is True and right is True else UNDEFINED


def negation(value: Value) -> Value:
    """NOT: undefined of anything but a boolean."""
    return not value if type(value) is bool else UNDEFINED


def _arithmetic(compute: Callable[[float, float], float]) -> Callable[[Value, Value], Value]:
    def apply(left: Value, right: Value) -> Value:
        if not (is_number(left) and is_number(right)):
            return UNDEFINED
        try:
            return finite(compute(left, right))
        except OverflowError:
            return finite(compute(float(left), float(right)))

    return apply


def _quotient(compute: Callable[[float, float], float]) -> Callable[[Value, Value], Value]:
    """Division and remainder: undefined by zero too."""
    plain = _arithmetic(compute)

    def apply(left: Value, right: Value) -> Value:
        return UNDEFINED if (is_number(right) and right == 0) or _is_infinite(left) else plain(left, right)

    return apply


def _is_infinite(value: Value) -> bool:
    return isinstance(value, float) and math.isinf(value)


def _bits(compute: Callable[[int, int], int]) -> Callable[[Value, Value], Value]:
    def apply(left: Value, right: Value) -> Value:
        if not (is_number(left) and is_number(right)):
            return UNDEFINED
        return to_int32(compute(to_int32(left), to_int32(right)))

    return apply


def _zero_fill_shift(left: Value, right: Value) -> Value:
    if not (is_number(left) and is_number(right)):
        return UNDEFINED
    return to_int32(left) % INT32_SPAN >> (to_int32(right) & 31)


def concatenation(left: Value, right: Value) -> Value:
    """||: of two strings."""
    return left + right if type(left) is str and type(right) is str else UNDEFINED


def plus(value: Value) -> Value:
    """The sign +."""
    return value if is_number(value) else UNDEFINED


def minus(value: Value) -> Value:
    """The sign -."""
    return number(-value) if is_number(value) else UNDEFINED


def complement(value: Value) -> Value:
    """~ on 32 bits."""
    return ~to_int32(value) if is_number(value) else UNDEFINED


BINARY: Mapping[str, Callable[[Value, Value], Value]] = {
    "=": equals,
    "!=": differs,
    "<>": differs,
    "<": less,
    "<=": less_or_equal,
    ">": greater,
    ">=": greater_or_equal,
    "+": _arithmetic(lambda left, right: left + right),
    "-": _arithmetic(lambda left, right: left - right),
    "*": _arithmetic(lambda left, right: left * right),
    "/": _quotient(lambda left, right: left / right),
    "%": _quotient(math.fmod),
    "&": _bits(lambda left, right: left & right),
    "|": _bits(lambda left, right: left | right),
    "^": _bits(lambda left, right: left ^ right),
    "<<": _bits(lambda left, right: left << (right & 31)),
    ">>": _bits(lambda left, right: left >> (right & 31)),
    ">>>": _zero_fill_shift,
    "||": concatenation,
    "??": lambda left, right: right if left is UNDEFINED else left,
}
"""Operators of two operands."""

UNARY: Mapping[str, Callable[[Value], Value]] = {"+": plus, "-": minus, "~": complement, "NOT": negation}
"""Operators of one operand."""
