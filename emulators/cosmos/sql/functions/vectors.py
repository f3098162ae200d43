"""Vector distance: cosine, dot product, Euclidean. Which one comes from the call or from the container's policy."""

from __future__ import annotations

import math
import struct
from array import array
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from operator import add, mul, sub

from emulators.cosmos.sql.functions.signatures import Registry
from emulators.cosmos.sql.values import UNDEFINED, Value, is_number, number

FUNCTIONS = define = Registry()

DEFAULT_DISTANCE = "cosine"
"""What VectorDistance computes where neither call nor policy says (its reference page)."""
DEFAULT_TYPE = "float32"
"""The numbers that it computes with, likewise."""


def _sum_of_products(left: Sequence[float], right: Sequence[float]) -> float:
    """Added from left to right in doubles: the service's recorded scores have these very digits."""
    return reduce(add, map(mul, left, right), 0.0)


def _cosine(left: Sequence[float], right: Sequence[float]) -> float:
    lengths = math.sqrt(_sum_of_products(left, left) * _sum_of_products(right, right))
    return _sum_of_products(left, right) / lengths if lengths else math.nan


def _euclidean(left: Sequence[float], right: Sequence[float]) -> float:
    apart = list(map(sub, left, right))
    return math.sqrt(_sum_of_products(apart, apart))


_DISTANCES: Mapping[str, Callable[[Sequence[float], Sequence[float]], float]] = {
    "cosine": _cosine,
    "dotproduct": _sum_of_products,
    "euclidean": _euclidean,
}


def _single(vector: Sequence[float]) -> Sequence[float]:
    return array("f", vector)


def _half(vector: Sequence[float]) -> Sequence[float]:
    form = f"{len(vector)}e"
    return struct.unpack(form, struct.pack(form, *vector))


def _unchanged(vector: Sequence[float]) -> Sequence[float]:
    return vector


_ROUNDED: Mapping[str, Callable[[Sequence[float]], Sequence[float]]] = {"float32": _single, "float16": _half}
"""What becomes of a vector's numbers before they are compared, by its data type; whole numbers stay as they are."""


def nearer_is_less(distance: str) -> bool:
    """Whether the best match has the least value: true of Euclidean alone."""
    return distance.lower() == "euclidean"


@define("VectorDistance", "array array boolean? object?")
def vector_distance(
    left: list[Value], right: list[Value], _brute_force: bool = False, options: Mapping[str, Value] | None = None
) -> Value:
    """How far apart, or how alike, two vectors of one length are; undefined when they are none."""
    if len(left) != len(right) or not left or not all(map(is_number, left)) or not all(map(is_number, right)):
        return UNDEFINED
    name = (options or {}).get("distanceFunction", DEFAULT_DISTANCE)
    compute = _DISTANCES.get(name.lower()) if isinstance(name, str) else None
    if compute is None:
        return UNDEFINED
    rounded = _ROUNDED.get(str((options or {}).get("dataType", DEFAULT_TYPE)).lower(), _unchanged)
    try:
        return number(compute(rounded(left), rounded(right)))
    except (OverflowError, ValueError, struct.error):  # beyond the type, or both infinities
        return UNDEFINED


@define("_VectorScore", "array array boolean? object?")
def vector_score(
    left: list[Value], right: list[Value], brute_force: bool = False, options: Mapping[str, Value] | None = None
) -> Value:
    """The same, turned so that more is always better: the planner's own, seen in recorded plans."""
    value = vector_distance(left, right, brute_force, options)
    name = (options or {}).get("distanceFunction", DEFAULT_DISTANCE)
    return -value if value is not UNDEFINED and nearer_is_less(str(name)) else value
