"""What SQLite can sift before Python sees a document: predicates over a path and a value, under AND and OR.

A sieve may let through more than the query wants, never less, unless it is exact: then what it lets through is what
WHERE selects. Knows SQLite's expressions over a JSONB column `body`, not its tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from emulators.cosmos.sql.columns import json_path
from emulators.cosmos.sql.limits import PUSHED_TERMS_MAX
from emulators.cosmos.sql.nodes import (
    Between,
    Binary,
    Call,
    Constant,
    Expression,
    In,
    Logical,
    Name,
    Parameter,
    Query,
    path,
)
from emulators.cosmos.sql.values import EXACT_INTEGER_MAX, Value

MIRRORED = {"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
"""Comparisons, and what they are with their sides changed."""
MISSING = object()
"""What is no constant."""
_DIFFERS = frozenset({"!=", "<>"})
_TYPE_CHECKS = {
    "IS_DEFINED": "IS NOT NULL",
    "IS_NULL": "= 'null'",
    "IS_BOOL": "IN ('true', 'false')",
    "IS_NUMBER": "IN ('integer', 'real')",
    "IS_STRING": "= 'text'",
    "IS_ARRAY": "= 'array'",
    "IS_OBJECT": "= 'object'",
    "IS_PRIMITIVE": "IN ('null', 'true', 'false', 'integer', 'real', 'text')",
}
_TEXT_SEARCHES = {
    "CONTAINS": "instr(body ->> ?, ?) > 0",
    "STARTSWITH": "substr(body ->> ?, 1, {length}) = ?",
    "ENDSWITH": "substr(body ->> ?, -{length}) = ?",
}
"""Searches for a constant text of `length` characters."""


@dataclass(frozen=True, slots=True)
class Sieve:
    """A condition in SQL with its bindings; empty when nothing can be said."""

    sql: str = ""
    bindings: tuple[Any, ...] = ()
    exact: bool = False


def condition(query: Query, parameters: Mapping[str, Value]) -> tuple[str, list[Any]]:
    """(SQL, bindings) that every document the query can select meets; empty when nothing can be said."""
    found = sieve(query, parameters)
    return found.sql, list(found.bindings)


def sieve(query: Query, parameters: Mapping[str, Value]) -> Sieve:
    """What SQLite can say of the query's WHERE."""
    if query.where is None:
        return Sieve(exact=True)
    alias = container_alias(query)
    found = None if alias is None else _Sifter(alias, parameters).sieve(query.where)
    if found is None or len(found.bindings) > PUSHED_TERMS_MAX:
        return Sieve()
    return found


def container_alias(query: Query) -> str | None:
    """What the query calls a whole document, None when it has no name for one."""
    if not query.sources or query.sources[0].iterates or not isinstance(query.sources[0].origin, Name):
        return None
    alias = query.sources[0].name
    return None if any(source.name == alias for source in query.sources[1:]) else alias


def constant_of(node: Expression, parameters: Mapping[str, Value]) -> Any:
    """The scalar that a constant or parameter stands for, else MISSING."""
    if isinstance(node, Constant):
        return node.value if node.kind in ("string", "number", "boolean", "null") else MISSING
    if isinstance(node, Parameter):
        value = parameters.get(node.name, MISSING)
        return value if value is None or isinstance(value, bool | int | float | str) else MISSING
    return MISSING


@dataclass(frozen=True, slots=True)
class _Sifter:
    """Translates one WHERE over the container's `alias`."""

    alias: str
    parameters: Mapping[str, Value]

    def sieve(self, node: Expression) -> Sieve | None:
        """The sieve of a predicate, None when nothing can be said of it."""
        match node:
            case Logical(operator="AND", operands=operands):
                return self._all([self.sieve(operand) for operand in operands])
            case Logical(operands=operands):
                return self._any([self.sieve(operand) for operand in operands])
            case In(needle=needle, items=items, negated=False) if len(items) <= PUSHED_TERMS_MAX:
                return self._any([self._comparison(Binary("=", needle, item)) for item in items])
            case Between(operand=operand, low=low, high=high, negated=False):
                ends = (Binary(">=", operand, low), Binary("<=", operand, high))
                return self._all([self._comparison(end) for end in ends])
            case Binary(operator=operator) if operator in MIRRORED:
                return self._comparison(node)
            case Binary(operator=operator, left=left, right=right) if operator in _DIFFERS:
                return self._difference(left, right) or self._difference(right, left)
            case Call(udf=False):
                return self._call(node)
        return None

    def _all(self, found: list[Sieve | None]) -> Sieve | None:
        known = [each for each in found if each is not None]
        if not known:
            return None
        exact = len(known) == len(found) and all(each.exact for each in known)
        return Sieve(" AND ".join(each.sql for each in known), _bindings(known), exact)

    def _any(self, found: list[Sieve | None]) -> Sieve | None:
        known = [each for each in found if each is not None]
        if len(known) != len(found):
            return None
        return Sieve(
            f"({' OR '.join(each.sql for each in known)})", _bindings(known), all(each.exact for each in known)
        )

    def _comparison(self, node: Binary) -> Sieve | None:
        operator, steps, value = node.operator, self._steps(node.left), constant_of(node.right, self.parameters)
        if steps is None or value is MISSING:
            operator, steps = MIRRORED[operator], self._steps(node.right)
            value = constant_of(node.left, self.parameters)
        if steps is None or value is MISSING:
            return None
        if value is None or isinstance(value, bool):
            name = "null" if value is None else "true" if value else "false"
            return Sieve(f"json_type(body, ?) = '{name}'", (steps,), exact=True) if operator == "=" else None
        if _is_plain(value):
            kinds = "= 'text'"
        elif isinstance(value, int | float) and abs(value) <= EXACT_INTEGER_MAX:
            kinds = "IN ('integer', 'real')"
        else:
            return None
        return Sieve(f"(body ->> ? {operator} ? AND json_type(body, ?) {kinds})", (steps, value, steps), exact=True)

    def _difference(self, left: Expression, right: Expression) -> Sieve | None:
        """left != right: defined, and not equal."""
        steps, equality = self._steps(left), self._comparison(Binary("=", left, right))
        if steps is None or equality is None:
            return None
        sql = f"(json_type(body, ?) IS NOT NULL AND ({equality.sql}) IS NOT TRUE)"
        return Sieve(sql, (steps, *equality.bindings), exact=True)

    def _call(self, node: Call) -> Sieve | None:
        steps = self._steps(node.arguments[0]) if node.arguments else None
        if steps is None:
            return None
        if node.function in _TYPE_CHECKS:
            return Sieve(f"json_type(body, ?) {_TYPE_CHECKS[node.function]}", (steps,), exact=True)
        if len(node.arguments) != 2:
            return None
        wanted = constant_of(node.arguments[1], self.parameters)
        if node.function in _TEXT_SEARCHES and _is_plain(wanted) and wanted:
            test = _TEXT_SEARCHES[node.function].format(length=len(wanted))
            return Sieve(f"({test} AND json_type(body, ?) = 'text')", (steps, wanted, steps), exact=True)
        if node.function == "ARRAY_CONTAINS" and (_is_plain(wanted) or wanted is None):
            return self._element(steps, wanted)
        return None

    def _element(self, steps: str, wanted: str | None) -> Sieve:
        """Some element of an array is a string, or null."""
        test, bindings = ("type = 'null'", ()) if wanted is None else ("type = 'text' AND atom = ?", (wanted,))
        sql = f"json_type(body, ?) = 'array' AND EXISTS (SELECT 1 FROM json_each(body, ?) WHERE {test})"  # noqa: S608
        return Sieve(f"({sql})", (steps, steps, *bindings), exact=True)

    def _steps(self, node: Expression) -> str | None:
        found = path(node)
        return None if found is None or found[0] != self.alias else json_path(found[1])


def _is_plain(value: Any) -> bool:
    """Whether it is a string that SQLite holds and compares as we do."""
    return isinstance(value, str) and "\x00" not in value and value.isprintable()


def _bindings(found: list[Sieve]) -> tuple[Any, ...]:
    return tuple(binding for each in found for binding in each.bindings)
