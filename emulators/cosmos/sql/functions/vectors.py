"""Vector distance: cosine, dot product, Euclidean. Which one comes from the call or from the container's policy."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from emulators.cosmos.sql.functions.signatures import Registry
from emulators.cosmos.sql.values import UNDEFINED, Value, is_number, number

FUNCTIONS = define = Registry()

DEFAULT_DISTANCE = "cosine"
"""What VectorDistance computes where neither call nor policy says (its reference page)."""


def _cosine(left: Sequence[float], right: Sequence[float]) -> float:
    lengths = math.sqrt(math.fsum(each * each for each in left)) * math.sqrt(math.fsum(each * each for each in right))
    return _dot_product(left, right) / lengths if lengths else math.nan


def _dot_product(left: Sequence[float], right: Sequence[float]) -> float:
    return math.fsum(one * other for one, other in zip(left, right, strict=True))


_DISTANCES: Mapping[str, Callable[[Sequence[float], Sequence[float]], float]] = {
    "cosine": _cosine,
    "dotproduct": _dot_product,
    "euclidean": math.dist,
}


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
    try:
        return number(compute(left, right))
    except (OverflowError, ValueError):  # beyond a double, or both infinities
        return UNDEFINED


@define("_VectorScore", "array array boolean? object?")
def vector_score(
    left: list[Value], right: list[Value], brute_force: bool = False, options: Mapping[str, Value] | None = None
) -> Value:
    """The same, turned so that more is always better: the planner's own, seen in recorded plans."""
    value = vector_distance(left, right, brute_force, options)
    name = (options or {}).get("distanceFunction", DEFAULT_DISTANCE)
    return -value if value is not UNDEFINED and nearer_is_less(str(name)) else value
