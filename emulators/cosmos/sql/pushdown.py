"""What SQLite can sift before Python sees a document: comparisons of a path with a value under AND and OR.

A sieve may let through more than the query wants, never less, unless it is exact: then what it lets through is what
WHERE selects. Knows SQLite's expressions over a JSONB column `body`, not its tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from emulators.cosmos.sql.limits import PUSHED_TERMS_MAX
from emulators.cosmos.sql.nodes import Binary, Call, Constant, Expression, In, Logical, Name, Parameter, Query, path
from emulators.cosmos.sql.values import EXACT_INTEGER_MAX, Value

_MIRRORED = {"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_MISSING = object()


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
    alias = _container_alias(query)
    found = None if alias is None else _Sifter(alias, parameters).sieve(query.where)
    if found is None or len(found.bindings) > PUSHED_TERMS_MAX:
        return Sieve()
    return found


def _container_alias(query: Query) -> str | None:
    if not query.sources or query.sources[0].iterates or not isinstance(query.sources[0].origin, Name):
        return None
    alias = query.sources[0].name
    return None if any(source.name == alias for source in query.sources[1:]) else alias


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
            case Binary(operator=operator) if operator in _MIRRORED:
                return self._comparison(node)
            case Call(udf=False, arguments=(only,)) if node.function == "IS_DEFINED":
                steps = self._steps(only)
                return None if steps is None else Sieve("json_type(body, ?) IS NOT NULL", (steps,), exact=True)
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
        operator, steps, value = node.operator, self._steps(node.left), self._value(node.right)
        if steps is None or value is _MISSING:
            operator, steps, value = _MIRRORED[operator], self._steps(node.right), self._value(node.left)
        if steps is None or value is _MISSING:
            return None
        if value is None or isinstance(value, bool):
            name = "null" if value is None else "true" if value else "false"
            return Sieve(f"json_type(body, ?) = '{name}'", (steps,), exact=True) if operator == "=" else None
        if isinstance(value, str) and "\x00" not in value and value.isprintable():
            kinds = "= 'text'"
        elif isinstance(value, int | float) and abs(value) <= EXACT_INTEGER_MAX:
            kinds = "IN ('integer', 'real')"
        else:
            return None
        return Sieve(f"(body ->> ? {operator} ? AND json_type(body, ?) {kinds})", (steps, value, steps), exact=True)

    def _value(self, node: Expression) -> Any:
        if isinstance(node, Constant):
            return node.value if node.kind in ("string", "number", "boolean", "null") else _MISSING
        if isinstance(node, Parameter):
            value = self.parameters.get(node.name, _MISSING)
            return value if value is None or isinstance(value, bool | int | float | str) else _MISSING
        return _MISSING

    def _steps(self, node: Expression) -> str | None:
        """SQLite's spelling of a path below the container, None for anything else and names it cannot quote."""
        found = path(node)
        if found is None or found[0] != self.alias or not found[1]:
            return None
        steps = found[1]
        if not all(isinstance(step, str) and step.isprintable() and not {'"', "\\"} & set(step) for step in steps):
            return None
        return "$" + "".join(f'."{step}"' for step in steps)


def _bindings(found: list[Sieve]) -> tuple[Any, ...]:
    return tuple(binding for each in found for binding in each.bindings)
