"""Numbers that SQLite computes as the language does: paths, constants, + - * and a few functions of one number. Pure.

What SQLite would compute otherwise (a division by zero, a remainder, bits) is not said here. Every part is checked to
be a number, for SQLite would make one of a string.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from emulators.cosmos.sql.nodes import Binary, Call, Expression, Unary
from emulators.cosmos.sql.terms import MISSING, constant_of
from emulators.cosmos.sql.values import Value

_OPERATORS = frozenset({"+", "-", "*"})
_FUNCTIONS = {"ABS": "abs({})", "FLOOR": "floor({})", "CEILING": "ceil({})"}
_DOUBLES_MAX = 2.0**53


@dataclass(frozen=True, slots=True)
class Number:
    """An SQL expression, its bindings, and the paths that must hold numbers for it to mean anything."""

    sql: str
    bindings: tuple[Any, ...] = ()
    paths: frozenset[str] = frozenset()


def number_of(
    node: Expression, parameters: Mapping[str, Value], path_of: Callable[[Expression], str | None]
) -> Number | None:
    """The number that an expression is, None for what SQLite cannot compute alike."""
    found = path_of(node)
    if found is not None:
        return Number("CAST(body ->> ? AS REAL)", (found,), frozenset({found}))
    value = constant_of(node, parameters)
    if value is not MISSING:
        plain = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= _DOUBLES_MAX
        return Number("?", (float(value),)) if plain else None
    match node:
        case Binary(operator=operator, left=left, right=right) if operator in _OPERATORS:
            parts = [number_of(left, parameters, path_of), number_of(right, parameters, path_of)]
            return _joined(f"({{}} {operator} {{}})", parts)
        case Unary(operator="-", operand=operand):
            return _joined("(-{})", [number_of(operand, parameters, path_of)])
        case Call(udf=False, arguments=(only,)) if node.function in _FUNCTIONS:
            return _joined(_FUNCTIONS[node.function], [number_of(only, parameters, path_of)])
    return None


def _joined(form: str, parts: list[Number | None]) -> Number | None:
    known = [part for part in parts if part is not None]
    if len(known) != len(parts):
        return None
    return Number(
        form.format(*(part.sql for part in known)),
        tuple(binding for part in known for binding in part.bindings),
        frozenset().union(*(part.paths for part in known)),
    )
