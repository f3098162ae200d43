"""What is wrong with a query that parses: unknown functions, wrong counts of arguments, misplaced clauses, grouping.

All findings of a query are told at once, as the service tells them. Names are resolved by `compiler.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeGuard

from emulators.cosmos.sql.aggregates import AGGREGATES
from emulators.cosmos.sql.errors import Finding, QueryRefused, finding
from emulators.cosmos.sql.functions import FUNCTIONS
from emulators.cosmos.sql.limits import JOINS_MAX, SEARCH_LIST_MAX, SEARCH_LIST_MIN, UDF_CALLS_MAX
from emulators.cosmos.sql.nodes import (
    ArrayLiteral,
    Call,
    Constant,
    Expression,
    Index,
    Name,
    ObjectLiteral,
    Parameter,
    Property,
    Query,
    Subquery,
    Unary,
    children,
    walk,
)
from emulators.cosmos.sql.printer import expression_text
from emulators.cosmos.sql.values import json_text

_SPECIAL_ARITY = {"IIF": (3, 3, "3")}
SCORES = ("FULLTEXTSCORE", "VECTORDISTANCE")
"""The functions that ORDER BY RANK takes, alone or several in RRF."""
FULL_TEXT_ARGUMENTS_MIN = 2
SEARCH_LIST_OPTION = "searchListSizeMultiplier"


def check(query: Query) -> None:
    """Raise QueryRefused with every finding, in the order in which the service tells them: FROM before SELECT."""
    findings = list(_query(query, nested=False)) or list(_too_many(query))
    if findings:
        raise QueryRefused(findings)


def _query(query: Query, *, nested: bool) -> Iterator[Finding]:
    if query.rank is not None:
        yield from _ranked_sources(query)
    for source in query.sources:
        yield from _expression(source.origin, nested=nested)
    for expression in _conditions(query):
        yield from _expression(expression, nested=nested)
    if query.group_by:
        for key in query.order_by:
            for stray in _strays(key.expression, set(query.group_by)):
                yield finding("SC2105", *stray.span, name=expression_text(stray))
    if nested and query.order_by:
        yield finding("SC2202", *query.places["ORDER BY"])
    if query.rank is not None:
        yield from _rank(query, query.rank, nested=nested)
    yield from _select(query, nested=nested)
    if nested and query.offset is not None:
        yield finding("SC2204", *query.places["OFFSET LIMIT"])


def _conditions(query: Query) -> Iterator[Expression]:
    if query.where is not None:
        yield query.where
    yield from query.group_by
    for key in query.order_by:
        yield key.expression


def _select(query: Query, *, nested: bool) -> Iterator[Finding]:
    if nested and query.select.top is not None:
        yield finding("SC2203", *query.places["TOP"])
    yield from _star(query) if query.select.kind == "*" else _names(query)
    for item in query.select.items:
        yield from _expression(item.expression, nested=nested)
    yield from _grouping(query)


def _too_many(query: Query) -> Iterator[Finding]:
    """What counts over the whole text, nested queries included."""
    queries = list(_queries(query))
    joins = [source for each in queries for source in each.sources[1:]]
    if len(joins) > JOINS_MAX:
        yield finding("SC3002", *joins[JOINS_MAX].span, limit=JOINS_MAX)
    calls = [node for each in queries for node in _nodes(each) if isinstance(node, Call) and node.udf]
    if len(calls) > UDF_CALLS_MAX:
        yield finding("SC3005", *calls[UDF_CALLS_MAX].span, limit=UDF_CALLS_MAX)


def _star(query: Query) -> Iterator[Finding]:
    if not query.sources:
        yield finding("SC2040", *query.select.span)
    elif query.group_by:
        yield finding("SC2041", *query.select.span)
    elif len(query.sources) > 1:
        yield finding("SC2042", *query.select.span)


def _names(query: Query) -> Iterator[Finding]:
    if query.select.kind != "LIST":
        return
    taken: set[str] = set()
    for item in query.select.items:
        name = item.name
        if name is not None and name in taken:
            yield finding("SC2012", *item.span, name=name)
        if name is not None:
            taken.add(name)


def _nodes(query: Query) -> Iterator[Expression]:
    """Every node of a query's own expressions."""
    ranked = () if query.rank is None else (query.rank,)
    selected = (item.expression for item in query.select.items)
    for expression in (*(source.origin for source in query.sources), *_conditions(query), *ranked, *selected):
        yield from walk(expression)


def _queries(query: Query) -> Iterator[Query]:
    """A query and all that it nests."""
    yield query
    for node in _nodes(query):
        if isinstance(node, Subquery):
            yield from _queries(node.query)


def _expression(node: Expression, *, nested: bool) -> Iterator[Finding]:
    """What is wrong with an expression: its operands first, then the whole. `nested`: it stands in a subquery."""
    if isinstance(node, Subquery):
        yield from _query(node.query, nested=True)
    for operand in children(node):
        yield from _expression(operand, nested=nested)
    if isinstance(node, Index) and any(isinstance(each, Name | Subquery) for each in walk(node.index)):
        yield finding("SC2990", *node.span, feature="member indexer")
    if isinstance(node, Call) and not node.udf:
        yield from _call(node, nested=nested)


def _call(node: Call, *, nested: bool) -> Iterator[Finding]:
    name, count = node.function, len(node.arguments)
    if name == "FULLTEXTSCORE":
        yield finding("SC2240", *node.span)
    elif name in AGGREGATES:
        if count != 1:
            yield finding("SC2050", *node.span, name=node.name, arity="1")
        elif any(is_aggregate(each) or (isinstance(each, Subquery) and not nested) for each in walk(node.arguments[0])):
            yield finding("SC2101", *node.span)
    elif name in _SPECIAL_ARITY:
        least, most, arity = _SPECIAL_ARITY[name]
        if not least <= count <= most:
            yield finding("SC2050", *node.span, name=node.name, arity=arity)
    elif name not in FUNCTIONS:
        yield finding("SC2005", node.span[0], node.span[0] + len(node.name), name=node.name)
    elif not FUNCTIONS[name].takes(count):
        yield finding("SC2050", *node.span, name=node.name, arity=FUNCTIONS[name].arity)
    elif name == "VECTORDISTANCE":
        yield from _vector_options(node)


def _vector_options(node: Call) -> Iterator[Finding]:
    for option in node.arguments[3:]:
        members = dict(option.members) if isinstance(option, ObjectLiteral) else {}
        value = literal_number(members.get(SEARCH_LIST_OPTION))
        if value is not None and not SEARCH_LIST_MIN <= value <= SEARCH_LIST_MAX:
            range_ = {"least": SEARCH_LIST_MIN, "most": SEARCH_LIST_MAX}
            yield finding("SC2213", *option.span, option=SEARCH_LIST_OPTION, value=json_text(value), **range_)


def literal_number(node: Expression | None) -> float | None:
    """The number that an expression is by its letters, its sign included; None for anything else."""
    match node:
        case Constant(value=int() | float() as value, kind="number"):
            return value
        case Unary(operator="-" | "+" as sign, operand=operand):
            size = literal_number(operand)
            return size if size is None or sign == "+" else -size
    return None


def is_aggregate(node: Expression) -> TypeGuard[Call]:
    """Whether a node is the call of an aggregate."""
    return isinstance(node, Call) and not node.udf and node.function in AGGREGATES


def aggregates_of(expression: Expression) -> list[Call]:
    """The aggregate calls in an expression."""
    return [node for node in walk(expression) if is_aggregate(node)]


def is_grouped(query: Query) -> bool:
    """Whether rows are gathered into groups: by GROUP BY, or all into one by an aggregate."""
    return bool(query.group_by) or any(aggregates_of(item.expression) for item in query.select.items)


def gathered_source(query: Query) -> Query | None:
    """The subquery that FROM begins with, where its rows exist only once all documents were seen."""
    origin = query.sources[0].origin if query.sources else None
    if not isinstance(origin, Subquery):
        return None
    inner = origin.query
    gathers = inner.select.distinct or is_grouped(inner) or gathered_source(inner) is not None
    return inner if gathers else None


def _grouping(query: Query) -> Iterator[Finding]:
    if not is_grouped(query):
        return
    keys = set(query.group_by)
    for item in query.select.items:
        for stray in _strays(item.expression, keys):
            yield finding("SC2102", *stray.span, name=expression_text(stray))


def _strays(node: Expression, keys: set[Expression]) -> Iterator[Expression]:
    """The paths below `node` that are neither a group's key nor inside an aggregate."""
    if node in keys or isinstance(node, Constant | Parameter | Subquery):
        return
    if is_aggregate(node):
        return
    if isinstance(node, Name | Property | Index):
        base: Expression = node
        while isinstance(base, Property | Index):
            base = base.base
            if base in keys:
                return
        if isinstance(base, Name):
            yield node
            return
    for child in children(node):
        yield from _strays(child, keys)


def _ranked_sources(query: Query) -> Iterator[Finding]:
    """What FROM may not have beside ORDER BY RANK."""
    if len(query.sources) > 1:
        yield finding("SC2224", query.sources[0].span[0], query.sources[-1].span[1])
    for source in query.sources:
        if source.iterates:
            yield finding("SC2223", *source.span)
        elif isinstance(source.origin, Subquery):
            yield finding("SC2225", *source.origin.span)


def _rank(query: Query, rank: Call, *, nested: bool) -> Iterator[Finding]:
    place = query.places["ORDER BY"]
    if nested:
        yield finding("SC2228", *place)
    given, weights = scores_and_weights(rank)
    scores = [each for each in given if _is_score(each)]
    if len(scores) < (2 if rank.function == "RRF" else 1) or scores != given:
        yield finding("SC2221", *place)
        return
    if isinstance(weights, ArrayLiteral):
        numbers = [literal_number(each) for each in weights.items]
        if None in numbers or len(numbers) != len(scores):
            yield finding("SC2229", *place)
    for score in scores:
        if score.function == "FULLTEXTSCORE" and len(score.arguments) < FULL_TEXT_ARGUMENTS_MIN:
            arity = f"at least {FULL_TEXT_ARGUMENTS_MIN}"
            yield finding("SC2050", *score.span, name=score.name, arity=arity)
        for argument in score.arguments:
            yield from _expression(argument, nested=nested)


def _is_score(node: Expression) -> TypeGuard[Call]:
    return isinstance(node, Call) and not node.udf and node.function in SCORES


def scores_and_weights(rank: Call) -> tuple[list[Expression], ArrayLiteral | Parameter | None]:
    """What ORDER BY RANK ranks by, and the array or parameter that says how much each score weighs."""
    if rank.function != "RRF":
        return [rank], None
    scores = list(rank.arguments)
    if scores and isinstance(scores[-1], ArrayLiteral | Parameter):
        weights = scores.pop()
        return scores, weights  # type: ignore[return-value]
    return scores, None
