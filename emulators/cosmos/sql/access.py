"""Which paths a query can be looked up by in an index: equalities, ranges and prefixes that WHERE demands. Pure.

An access is a condition over an index's columns (`columns`) that every document the query selects meets.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from emulators.cosmos.sql.columns import RANKS, Column, Steps, json_path
from emulators.cosmos.sql.limits import PUSHED_TERMS_MAX
from emulators.cosmos.sql.nodes import Between, Binary, Call, Expression, In, Logical, Query, path
from emulators.cosmos.sql.terms import MIRRORED, MISSING, constant_of, container_alias
from emulators.cosmos.sql.values import EXACT_INTEGER_MAX, Value

_LAST_CHARACTER = "\U0010ffff"


@dataclass(frozen=True, slots=True)
class Access:
    """One path, a type rank, and what its value must be there: an SQL condition with `{value}` for the column."""

    steps: Steps
    rank: int
    condition: str = ""
    bindings: tuple[Any, ...] = ()
    points: bool = False
    """Whether it is an equality, or several."""
    exact: bool = True
    """Whether what meets it also meets the predicates that it was made of."""
    whole: bool = False
    """Whether it says all that WHERE says."""

    @property
    def in_order(self) -> bool:
        """Whether an index gives what meets it in the documents' own order: one value does."""
        return self.points and len(self.bindings) <= 1

    @property
    def column(self) -> Column:
        """What the index is sorted by."""
        return Column(self.steps)

    def where(self) -> tuple[str, list[Any]]:
        """The condition over the index's columns and its bindings."""
        rank, value = self.column.keys
        extra = f" AND {self.condition.format(value=value)}" if self.condition else ""
        return f"{rank}=?{extra}", [self.rank, *self.bindings]


def accesses(query: Query, parameters: Mapping[str, Value]) -> list[Access]:
    """The accesses of a query, the most selective kinds first: points, then ranges of two ends, then of one."""
    alias = container_alias(query)
    if alias is None or query.where is None:
        return []
    conjuncts = query.where.operands if _is_and(query.where) else (query.where,)  # type: ignore[union-attr]
    found: dict[tuple[Steps, int], Access] = {}
    all_said = True
    for conjunct in conjuncts:
        parts = list(_accesses(conjunct, alias, parameters))
        all_said = all_said and len(parts) == (2 if isinstance(conjunct, Between) else 1)
        for access in parts:
            key = (access.steps, access.rank)
            found[key] = _both(found[key], access) if key in found else access
    if all_said and len(found) == 1:
        found = {key: replace(access, whole=access.exact) for key, access in found.items()}
    return sorted(found.values(), key=lambda each: (not each.points, -len(each.bindings)))


def _is_and(node: Expression) -> bool:
    return isinstance(node, Logical) and node.operator == "AND"


def _both(one: Access, other: Access) -> Access:
    parts = [each.condition for each in (one, other) if each.condition]
    return Access(
        one.steps,
        one.rank,
        " AND ".join(parts),
        one.bindings + other.bindings,
        points=one.points or other.points,
        exact=one.exact and other.exact,
    )


def _accesses(node: Expression, alias: str, parameters: Mapping[str, Value]) -> Iterator[Access]:
    match node:
        case Binary(operator=operator, left=left, right=right) if operator in MIRRORED:
            yield from _comparison(_steps(left, alias), operator, constant_of(right, parameters))
            yield from _comparison(_steps(right, alias), MIRRORED[operator], constant_of(left, parameters))
        case Between(operand=operand, low=low, high=high, negated=False):
            yield from _comparison(_steps(operand, alias), ">=", constant_of(low, parameters))
            yield from _comparison(_steps(operand, alias), "<=", constant_of(high, parameters))
        case In(needle=needle, items=items, negated=False) if len(items) <= PUSHED_TERMS_MAX:
            yield from _among(_steps(needle, alias), [constant_of(item, parameters) for item in items])
        case Call(udf=False, arguments=(text, prefix)) if node.function == "STARTSWITH":
            wanted = constant_of(prefix, parameters)
            steps = _steps(text, alias)
            if steps is not None and isinstance(wanted, str) and _bound(wanted):
                ends = (wanted, wanted + _LAST_CHARACTER * 4)
                yield Access(steps, RANKS["string"], "{value} BETWEEN ? AND ?", ends, exact=False)


def _steps(node: Expression, alias: str) -> Steps | None:
    found = path(node)
    if found is None or found[0] != alias or json_path(found[1]) is None:
        return None
    return found[1]


def _comparison(steps: Steps | None, operator: str, value: Any) -> Iterator[Access]:
    if steps is None or value is MISSING:
        return
    if value is None or isinstance(value, bool):
        if operator == "=":
            name = "null" if value is None else "true" if value else "false"
            yield Access(steps, RANKS[name], points=True)
    else:
        bound = _bound(value)
        if bound is not None:
            exact = isinstance(bound, str) or abs(bound) < EXACT_INTEGER_MAX
            yield Access(steps, _rank(value), f"{{value}} {operator} ?", (bound,), points=operator == "=", exact=exact)


def _among(steps: Steps | None, values: list[Any]) -> Iterator[Access]:
    bounds = [_bound(value) for value in values]
    if steps is None or not values or any(bound is None for bound in bounds):
        return
    ranks = {_rank(value) for value in values}
    if len(ranks) == 1:
        holes = ",".join("?" * len(bounds))
        exact = all(isinstance(bound, str) or abs(bound) < EXACT_INTEGER_MAX for bound in bounds)
        yield Access(steps, ranks.pop(), f"{{value}} IN ({holes})", tuple(bounds), points=True, exact=exact)


def _rank(value: Any) -> int:
    return RANKS["string"] if isinstance(value, str) else RANKS["number"]


def _bound(value: Any) -> Any:
    """A number or string as SQLite compares it with an index's value; None for what it cannot hold."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    if isinstance(value, str):
        return value if "\x00" not in value and value.isprintable() else None
    try:
        return float(value)
    except OverflowError:
        return None
