"""The query language once more, straight from its documentation and as plainly as it can be said. Imports no engine.

A query here is data, not text: `text_of` writes it for the engine, `results` says what it must give. Slow on purpose,
and nothing is shared with the engine, so that a mistake has to be made twice to go unseen.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

MISSING: Any = type("Missing", (), {"__repr__": lambda self: "undefined"})()
"""undefined."""
Expression = tuple[Any, ...]
"""("path", names…) | ("value", constant) | (operator, operands…)."""


@dataclass(frozen=True)
class Asked:
    """SELECT [DISTINCT] VALUE `select` FROM c [JOIN t IN `joined`] [WHERE] [ORDER BY] [OFFSET LIMIT]."""

    select: Expression
    where: Expression | None = None
    joined: Expression | None = None
    order: tuple[tuple[Expression, bool], ...] = ()
    window: tuple[int, int] | None = None
    distinct: bool = False


def text_of(asked: Asked) -> str:
    """The query's text."""
    parts = [f"SELECT {'DISTINCT ' if asked.distinct else ''}VALUE {written(asked.select)} FROM c"]
    if asked.joined:
        parts.append(f"JOIN t IN {written(asked.joined)}")
    if asked.where:
        parts.append(f"WHERE {written(asked.where)}")
    if asked.order:
        keys = [f"{written(key)}{' DESC' if down else ''}" for key, down in asked.order]
        parts.append(f"ORDER BY {', '.join(keys)}")
    if asked.window:
        parts.append("OFFSET {} LIMIT {}".format(*asked.window))
    return " ".join(parts)


def written(node: Expression) -> str:
    """An expression's text."""
    kind, *rest = node
    if kind == "path":
        return str(rest[0]) + "".join(f"[{json.dumps(name)}]" for name in rest[1:])
    if kind == "value":
        return "undefined" if rest[0] is MISSING else json.dumps(rest[0])
    if kind == "not":
        return f"(NOT {written(rest[0])})"
    if kind == "array":
        return f"[{', '.join(map(written, rest))}]"
    if kind == "object":
        return "{" + ", ".join(f'"{name}": {written(value)}' for name, value in rest) + "}"
    if kind == "in":
        return f"({written(rest[0])} IN ({', '.join(map(written, rest[1:]))}))"
    if kind == "if":
        return "({} ? {} : {})".format(*map(written, rest))
    if kind.isupper() and kind not in ("AND", "OR"):
        return f"{kind}({', '.join(map(written, rest))})"
    return f"({written(rest[0])} {kind} {written(rest[1])})"


def results(asked: Asked, documents: Sequence[Any]) -> list[Any]:
    """What the query gives."""
    rows = list(_rows(asked, documents))
    if asked.order:
        rows.sort(key=functools.cmp_to_key(functools.partial(_compare_rows, asked)))
    values = [value for _, row in rows if (value := worth(asked.select, row)) is not MISSING]
    if asked.distinct:
        values = [
            value for number, value in enumerate(values) if not any(same(value, each) for each in values[:number])
        ]
    if asked.window:
        skip, take = asked.window
        values = values[skip : skip + take]
    return values


Row = dict[str, Any]


def _rows(asked: Asked, documents: Sequence[Any]) -> Iterator[tuple[tuple[int, int], Row]]:
    for number, document in enumerate(documents):
        joined = worth(asked.joined, {"c": document}) if asked.joined else [None]
        for place, each in enumerate(joined if isinstance(joined, list) else []):
            row = {"c": document, "t": each}
            if asked.where is None or worth(asked.where, row) is True:
                yield (number, place), row


def _compare_rows(asked: Asked, one: tuple[tuple[int, int], Row], other: tuple[tuple[int, int], Row]) -> int:
    """By the keys; where they are equal by the documents, which run down where the first key does."""
    for key, down in asked.order:
        order = _compare_sorted(worth(key, one[1]), worth(key, other[1]))
        if order:
            return -order if down else order
    (document, place), (document2, place2) = one[0], other[0]
    if document != document2:
        return (document - document2) * (-1 if asked.order[0][1] else 1)
    return place - place2


def _compare_sorted(left: Any, right: Any) -> int:
    """undefined, null, false, true, numbers, strings, arrays, objects; arrays are alike, and so are objects."""
    ranks = [_rank(left), _rank(right)]
    if ranks[0] != ranks[1]:
        return -1 if ranks[0] < ranks[1] else 1
    if ranks[0] in (4, 5) and left != right:
        return -1 if left < right else 1
    return 0


def _rank(value: Any) -> int:
    if value is MISSING:
        return 0
    if isinstance(value, bool):
        return 3 if value else 2
    return {"null": 1, "number": 4, "string": 5, "array": 6, "object": 7}[kind_of(value)]


def kind_of(value: Any) -> str:
    """The name of a value's type."""
    if value is MISSING:
        return "undefined"
    if value is None:
        return "null"
    kinds = {bool: "boolean", int: "number", float: "number", str: "string", list: "array", dict: "object"}
    return kinds[type(value)]


def same(left: Any, right: Any) -> bool:
    """Deep equality of defined values."""
    if kind_of(left) != kind_of(right):
        return False
    if isinstance(left, list):
        return len(left) == len(right) and all(same(a, b) for a, b in zip(left, right, strict=True))
    if isinstance(left, dict):
        return set(left) == set(right) and all(same(left[name], right[name]) for name in left)
    return bool(left == right)


def worth(node: Expression, row: Row) -> Any:
    """The value of an expression."""
    kind, *rest = node
    if kind == "path":
        value = row[rest[0]]
        for name in rest[1:]:
            value = value.get(name, MISSING) if isinstance(value, dict) else MISSING
        return value
    if kind == "value":
        return rest[0]
    if kind == "object":
        members = ((name, worth(value, row)) for name, value in rest)
        return {name: value for name, value in members if value is not MISSING}
    values = [worth(each, row) for each in rest]
    if kind == "array":
        return [value for value in values if value is not MISSING]
    if kind == "if":
        return values[1] if values[0] is True else values[2]
    return _OPERATORS[kind](*values)


def _equal(left: Any, right: Any) -> Any:
    return MISSING if left is MISSING or right is MISSING else same(left, right)


def _not(value: Any) -> Any:
    return not value if isinstance(value, bool) else MISSING


def _and(left: Any, right: Any) -> Any:
    if left is False or right is False:
        return False
    return True if left is True and right is True else MISSING


def _or(left: Any, right: Any) -> Any:
    return _not(_and(_not(left), _not(right)))


def _ordered(test: Callable[[Any, Any], bool]) -> Callable[[Any, Any], Any]:
    def compare(left: Any, right: Any) -> Any:
        kind = kind_of(left)
        if kind != kind_of(right) or kind in ("undefined", "array", "object"):
            return MISSING
        return test(0, 0) if kind == "null" else test(left, right)

    return compare


def _numbers(compute: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def apply(left: Any, right: Any) -> Any:
        return compute(left, right) if kind_of(left) == kind_of(right) == "number" else MISSING

    return apply


def _texts(test: Callable[[str, str], bool]) -> Callable[[Any, Any], Any]:
    def apply(left: Any, right: Any) -> Any:
        return test(left, right) if kind_of(left) == kind_of(right) == "string" else MISSING

    return apply


def _among(needle: Any, *items: Any) -> Any:
    if needle is MISSING:
        return MISSING
    return any(each is not MISSING and same(needle, each) for each in items)


def _holds(array: Any, value: Any) -> Any:
    if not isinstance(array, list) or value is MISSING:
        return MISSING
    return any(same(each, value) for each in array)


_OPERATORS: dict[str, Callable[..., Any]] = {
    "=": _equal,
    "!=": lambda left, right: _not(_equal(left, right)),
    "<": _ordered(lambda left, right: left < right),
    "<=": _ordered(lambda left, right: left <= right),
    ">": _ordered(lambda left, right: left > right),
    ">=": _ordered(lambda left, right: left >= right),
    "AND": _and,
    "OR": _or,
    "not": _not,
    "in": _among,
    "??": lambda left, right: right if left is MISSING else left,
    "+": _numbers(lambda left, right: left + right),
    "-": _numbers(lambda left, right: left - right),
    "*": _numbers(lambda left, right: left * right),
    "||": lambda left, right: left + right if kind_of(left) == kind_of(right) == "string" else MISSING,
    "CONTAINS": _texts(lambda text, part: part in text),
    "STARTSWITH": _texts(str.startswith),
    "ENDSWITH": _texts(str.endswith),
    "ARRAY_CONTAINS": _holds,
    "ARRAY_LENGTH": lambda value: len(value) if isinstance(value, list) else MISSING,
    "IS_DEFINED": lambda value: value is not MISSING,
    "IS_NULL": lambda value: value is None,
    "IS_BOOL": lambda value: kind_of(value) == "boolean",
    "IS_NUMBER": lambda value: kind_of(value) == "number",
    "IS_STRING": lambda value: kind_of(value) == "string",
    "IS_ARRAY": lambda value: kind_of(value) == "array",
    "IS_OBJECT": lambda value: kind_of(value) == "object",
}
