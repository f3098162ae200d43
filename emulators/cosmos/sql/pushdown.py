"""What SQLite can sift before Python sees a document: comparisons of a path with a value, joined by AND.

The condition may let through more than the query wants, never less: the evaluator looks at every document again.
Knows SQLite's expressions over a JSONB column `body`, not its tables.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from emulators.cosmos.sql.nodes import Binary, Constant, Expression, Logical, Name, Parameter, Query, path
from emulators.cosmos.sql.values import EXACT_INTEGER_MAX, Value

_MIRRORED = {"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_MISSING = object()


def condition(query: Query, parameters: Mapping[str, Value]) -> tuple[str, list[Any]]:
    """(SQL, bindings) that every document the query can select meets; empty when nothing can be said."""
    alias = _container_alias(query)
    if alias is None or query.where is None:
        return "", []
    parts, bindings = [], []
    for conjunct in _conjuncts(query.where):
        if found := _comparison(conjunct, alias, parameters):
            parts.append(found[0])
            bindings.extend(found[1])
    return " AND ".join(parts), bindings


def _container_alias(query: Query) -> str | None:
    if not query.sources or query.sources[0].iterates or not isinstance(query.sources[0].origin, Name):
        return None
    return query.sources[0].name


def _conjuncts(where: Expression) -> Iterator[Expression]:
    if isinstance(where, Logical) and where.operator == "AND":
        for operand in where.operands:
            yield from _conjuncts(operand)
    else:
        yield where


def _comparison(node: Expression, alias: str, parameters: Mapping[str, Value]) -> tuple[str, list[Any]] | None:
    if not isinstance(node, Binary) or node.operator not in _MIRRORED:
        return None
    operator, left, right = node.operator, path(node.left), _value(node.right, parameters)
    if left is None or right is _MISSING:
        operator, left, right = _MIRRORED[operator], path(node.right), _value(node.left, parameters)
    if left is None or left[0] != alias or not left[1]:
        return None
    steps = _json_path(left[1])
    if steps is None:
        return None
    if isinstance(right, str) and "\x00" not in right and right.isprintable():
        return f"(body ->> ? {operator} ? AND json_type(body, ?) = 'text')", [steps, right, steps]
    # Beyond that a double, which is what the language compares, and SQLite's integers disagree.
    if isinstance(right, int | float) and not isinstance(right, bool) and abs(right) <= EXACT_INTEGER_MAX:
        return f"(body ->> ? {operator} ? AND json_type(body, ?) IN ('integer', 'real'))", [steps, right, steps]
    return None


def _value(node: Expression, parameters: Mapping[str, Value]) -> Any:
    if isinstance(node, Constant):
        return node.value if node.kind in ("string", "number") else _MISSING
    return parameters.get(node.name, _MISSING) if isinstance(node, Parameter) else _MISSING


def _json_path(steps: tuple[str | int, ...]) -> str | None:
    """SQLite's spelling of a path, or None for names that it cannot quote."""
    if not all(isinstance(step, str) and step.isprintable() and not {'"', "\\"} & set(step) for step in steps):
        return None
    return "$" + "".join(f'."{step}"' for step in steps)
