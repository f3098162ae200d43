"""Array and set functions, and those that look into objects."""

from __future__ import annotations

import math
from collections.abc import Iterable

from emulators.cosmos.sql.functions.signatures import Registry
from emulators.cosmos.sql.values import UNDEFINED, Value, compare, equal, finite, includes, is_number, order_key

FUNCTIONS = define = Registry()


@define("ARRAY_CONCAT", "array array+")
def array_concat(*arrays: list[Value]) -> list[Value]:
    """The arrays one after the other."""
    return [each for array in arrays for each in array]


@define("ARRAY_CONTAINS", "array any boolean?")
def array_contains(array: list[Value], value: Value, partial: bool = False) -> bool:
    """Whether an element equals `value`, or holds all of it when `partial`."""
    matches = includes if partial else equal
    return any(matches(each, value) for each in array)


@define("_TRY_ARRAY_CONTAINS", "maybe maybe boolean?")
def try_array_contains(array: Value, value: Value, partial: bool = False) -> bool:
    """ARRAY_CONTAINS that is false where that is undefined: the planner's own, seen in recorded plans."""
    return type(array) is list and value is not UNDEFINED and array_contains(array, value, partial)


@define("ARRAY_CONTAINS_ANY", "array maybe+")
def array_contains_any(array: list[Value], *values: Value) -> Value:
    """Whether one of the values is an element; an undefined one leaves that open unless another is."""
    if any(equal(each, value) for value in values if value is not UNDEFINED for each in array):
        return True
    return UNDEFINED if any(value is UNDEFINED for value in values) else False


@define("ARRAY_CONTAINS_ALL", "array maybe+")
def array_contains_all(array: list[Value], *values: Value) -> Value:
    """Whether all of the values are elements; an undefined one leaves that open unless another is not."""
    if any(not any(equal(each, value) for each in array) for value in values if value is not UNDEFINED):
        return False
    return UNDEFINED if any(value is UNDEFINED for value in values) else True


@define("ARRAY_LENGTH", "array")
def array_length(array: list[Value]) -> int:
    """How many elements it has."""
    return len(array)


@define("ARRAY_SLICE", "array number number?")
def array_slice(array: list[Value], start: float, count: float = math.inf) -> Value:
    """`count` elements from `start`, which counts from the end when negative."""
    if math.isnan(start) or math.isnan(count):
        return UNDEFINED
    begin = int(max(min(start, len(array)), -len(array)))
    begin = begin + len(array) if begin < 0 else begin
    kept = len(array) if count == math.inf else int(max(min(count, len(array)), 0))
    return array[begin : begin + kept]


@define("ARRAY_AVG", "array")
def array_average(array: list[Value]) -> Value:
    """The average of the numbers; undefined if it is empty or holds anything else."""
    return finite(_total(array) / len(array)) if array and _numeric(array) else UNDEFINED


@define("ARRAY_SUM", "array")
def array_sum(array: list[Value]) -> Value:
    """The sum of the numbers; undefined if it holds anything else."""
    return finite(_total(array)) if _numeric(array) else UNDEFINED


@define("ARRAY_MEDIAN", "array")
def array_median(array: list[Value]) -> Value:
    """The middle number, or the average of the two in the middle."""
    if not array or not _numeric(array):
        return UNDEFINED
    ordered, middle = sorted(array), len(array) // 2
    return ordered[middle] if len(array) % 2 else finite((ordered[middle - 1] + ordered[middle]) / 2)


@define("ARRAY_MAX", "array")
def array_max(array: list[Value]) -> Value:
    """The greatest element; undefined if the elements cannot be compared."""
    return _extreme(array, 1)


@define("ARRAY_MIN", "array")
def array_min(array: list[Value]) -> Value:
    """The least element; undefined if the elements cannot be compared."""
    return _extreme(array, -1)


def _total(array: list[Value]) -> float:
    try:
        return math.fsum(array)
    except (OverflowError, ValueError):  # beyond a double, or both infinities: as adding one by one has it
        return sum(map(float, array))


def _numeric(array: list[Value]) -> bool:
    return all(is_number(each) for each in array)


def _extreme(array: list[Value], wanted: int) -> Value:
    best: Value = UNDEFINED
    for each in array:
        if best is UNDEFINED:
            if compare(each, each) is None:
                return UNDEFINED
            best = each
            continue
        order = compare(each, best)
        if order is None:
            return UNDEFINED
        if order == wanted:
            best = each
    return best


@define("CHOOSE", "number maybe+")
def choose(position: float, *values: Value) -> Value:
    """The value at that 1-based position."""
    if not math.isfinite(position):
        return UNDEFINED
    index = int(position)
    return values[index - 1] if 1 <= index <= len(values) else UNDEFINED


@define("ObjectToArray", "object string? string?")
def object_to_array(value: dict[str, Value], key_name: str = "k", value_name: str = "v") -> list[Value]:
    """One object for each member, with its name and its value."""
    return [{key_name: name, value_name: each} for name, each in value.items()]


def _distinct(values: Iterable[Value]) -> dict[bytes, Value]:
    found: dict[bytes, Value] = {}
    for each in values:
        found.setdefault(order_key(each), each)
    return found


@define("SetIntersect", "array array")
def set_intersect(left: list[Value], right: list[Value]) -> list[Value]:
    """The values in both, each once, in the order of the second."""
    kept = _distinct(left)
    return [value for key, value in _distinct(right).items() if key in kept]


@define("SetUnion", "array array")
def set_union(left: list[Value], right: list[Value]) -> list[Value]:
    """The values in either, each once."""
    return list(_distinct([*left, *right]).values())


@define("SetDifference", "array array")
def set_difference(left: list[Value], right: list[Value]) -> list[Value]:
    """The values of the first that are not in the second, each once."""
    dropped = _distinct(right)
    return [value for key, value in _distinct(left).items() if key not in dropped]


@define("SetEqual", "array array")
def set_equal(left: list[Value], right: list[Value]) -> bool:
    """Whether both hold the same values, however often and in whatever order."""
    return _distinct(left).keys() == _distinct(right).keys()
