"""Which indexes serve a query's predicates, and which could: what the service tells as index metrics. Pure.

The rules are read off the service's recorded metrics (the .NET SDK's IndexMetricsParserBaselineTest): a path for each
predicate; the path that ORDER BY walks is not told beside others; equalities and then one range make a composite.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from emulators.cosmos.sql.index_policy import is_indexed, segments_of
from emulators.cosmos.sql.nodes import Between, Binary, Call, Expression, In, Logical, Query, path
from emulators.cosmos.sql.printer import expression_text
from emulators.cosmos.sql.terms import container_alias

_RANGES = frozenset({"<", "<=", ">", ">="})
_COMPARISONS = _RANGES | {"=", "!=", "<>"}
_FUNCTIONS = frozenset({"STARTSWITH", "CONTAINS", "ENDSWITH", "STRINGEQUALS", "IS_DEFINED", "ARRAY_CONTAINS"})
_LAST = ("id",)
"""The path that the service names after all others."""

Steps = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Predicate:
    """Something that an index over one path can decide."""

    text: str
    steps: Steps
    operator: str = ""
    """The comparison, empty for anything else."""

    @property
    def spec(self) -> str:
        """The path as an index specification of one path."""
        return f"{index_path(self.steps)}/?"


@dataclass(slots=True)
class Utilization:
    """Single indexes as predicates, composite ones as their specifications."""

    used: list[Predicate] = field(default_factory=list)
    missing: list[Predicate] = field(default_factory=list)
    used_composites: list[list[str]] = field(default_factory=list)
    missing_composites: list[list[str]] = field(default_factory=list)


def index_path(steps: Steps) -> str:
    """A path as policies and metrics write it: names that are no identifiers in quotes."""
    return "".join("/[]" if isinstance(step, int) else f"/{_name(step)}" for step in steps)


def _name(name: str) -> str:
    return name if name.isidentifier() else json.dumps(name, ensure_ascii=False)


def utilization(query: Query, policy: Mapping[str, Any]) -> Utilization:
    """What the container's index policy does for the query, and what it leaves to be done."""
    told = Utilization()
    predicates = list(_predicates(query))
    for each in predicates:
        (told.used if is_indexed(policy, each.steps) or each.steps == _LAST else told.missing).append(each)
    for steps in _wanted_composites(query, predicates):
        offered = _offered(steps, policy)
        if offered is None:
            told.missing_composites.append([f"{index_path(each)} ASC" for each in steps])
        else:
            told.used_composites.append(offered)
    if len(query.order_by) > 1:
        told.used_composites.append(_order(query))
    elif query.order_by and not told.missing_composites:
        walked = path(query.order_by[0].expression)
        others = [each for each in told.used if walked is None or each.steps != walked[1]]
        told.used = others or told.used
    told.used.sort(key=lambda each: each.steps == _LAST)
    return told


def _predicates(query: Query) -> Iterator[Predicate]:
    alias = container_alias(query)
    if query.where is not None:
        yield from _below(query.where, alias)
    for item in query.select.items:
        if isinstance(item.expression, Call):
            yield from _below(item.expression, alias)


def _below(node: Expression, alias: str | None) -> Iterator[Predicate]:
    """The predicates over paths of the container, in their order."""
    operator = ""
    match node:
        case Logical(operands=operands):
            for operand in operands:
                yield from _below(operand, alias)
            return
        case Binary(operator=operator, left=left, right=right) if operator in _COMPARISONS:
            candidates: Sequence[Expression] = (left, right)
        case In(needle=needle):
            candidates = (needle,)
        case Between(operand=operand):
            candidates, operator = (operand,), "<"
        case Call(arguments=arguments) if node.function in _FUNCTIONS:
            candidates = arguments[:1]
        case _:
            return
    for candidate in candidates:
        found = path(candidate)
        if found is not None and found[0] == alias and found[1]:
            yield Predicate(expression_text(node), found[1], operator)
            return


def _wanted_composites(query: Query, predicates: Sequence[Predicate]) -> list[list[Steps]]:
    """The paths of each composite index by which several predicates would be looked up at once."""
    if not isinstance(query.where, Logical) or query.where.operator != "AND":
        return []
    equal = list(dict.fromkeys(each.steps for each in predicates if each.operator == "="))
    ranges = list(dict.fromkeys(each.steps for each in predicates if each.operator in _RANGES))
    if equal and ranges:
        return [[*equal, each] for each in ranges if each not in equal]
    grouped = [found[1] for key in query.group_by if (found := path(key)) is not None]
    return [equal] if len(equal) > 1 and all(each in grouped for each in equal) else []


def _offered(steps: Sequence[Steps], policy: Mapping[str, Any]) -> list[str] | None:
    """The policy's composite index over these paths, the last of them last; None when it has none."""
    wanted = [[str(step) for step in each] for each in steps]
    for index in policy.get("compositeIndexes", ()):
        paths = [segments_of(entry["path"]) for entry in index]
        if len(paths) == len(wanted) and paths[-1] == wanted[-1] and all(each in paths for each in wanted):
            ways = ("DESC" if entry.get("order") == "descending" else "ASC" for entry in index)
            return [f"{index_path(tuple(each))} {way}" for each, way in zip(paths, ways, strict=True)]
    return None


def _order(query: Query) -> list[str]:
    found = [(path(key.expression), "DESC" if key.descends else "ASC") for key in query.order_by]
    return [f"{index_path(each[1])} {way}" for each, way in found if each is not None]
