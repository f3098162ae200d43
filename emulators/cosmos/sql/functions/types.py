"""Type checks: never undefined, whatever they are given."""

from __future__ import annotations

import math

from emulators.cosmos.sql.functions.dates import ticks_of
from emulators.cosmos.sql.functions.signatures import Registry
from emulators.cosmos.sql.values import UNDEFINED, Value, is_int64, is_number

FUNCTIONS = define = Registry()


@define("IS_ARRAY", "maybe")
def is_array(value: Value) -> bool:
    """Whether it is an array."""
    return type(value) is list


@define("IS_BOOL", "maybe")
def is_bool(value: Value) -> bool:
    """Whether it is true or false."""
    return type(value) is bool


@define("IS_DEFINED", "maybe")
def is_defined(value: Value) -> bool:
    """Whether it is there at all; null is."""
    return value is not UNDEFINED


@define("IS_NULL", "maybe")
def is_null(value: Value) -> bool:
    """Whether it is null; undefined is not."""
    return value is None


@define("IS_NUMBER", "maybe")
def is_a_number(value: Value) -> bool:
    """Whether it is a number."""
    return is_number(value)


@define("IS_OBJECT", "maybe")
def is_object(value: Value) -> bool:
    """Whether it is an object."""
    return type(value) is dict


@define("IS_STRING", "maybe")
def is_string(value: Value) -> bool:
    """Whether it is a string."""
    return type(value) is str


@define("IS_PRIMITIVE", "maybe")
def is_primitive(value: Value) -> bool:
    """Whether it is null, a boolean, a number or a string."""
    return value is None or type(value) in (bool, int, float, str)


@define("IS_FINITE_NUMBER", "maybe")
def is_finite_number(value: Value) -> bool:
    """Whether it is a number and neither NaN nor infinite."""
    return is_number(value) and math.isfinite(value)


@define("IS_INTEGER", "maybe")
def is_integer(value: Value) -> bool:
    """Whether it is a whole number of 64 bits."""
    return is_int64(value)


@define("IS_DATETIME", "maybe")
def is_datetime(value: Value) -> bool:
    """Whether it is a string that the date functions read."""
    return type(value) is str and ticks_of(value) is not None
