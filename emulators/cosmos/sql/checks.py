"""What is wrong with a query that parses: unknown functions, wrong counts of arguments, misplaced clauses, grouping.

All findings of a query are told at once, as the service tells them. Names are resolved by `compiler.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeGuard

from emulators.cosmos.sql.aggregates import AGGREGATES
from emulators.cosmos.sql.errors import Finding, QueryRefused, finding
from emulators.cosmos.sql.functions import FUNCTIONS
from emulators.cosmos.sql.nodes import (
    Call,
    Constant,
    Expression,
    Index,
    Name,
    Parameter,
    Property,
    Query,
    Subquery,
    children,
    walk,
)
from emulators.cosmos.sql.printer import expression_text

_SPECIAL_ARITY = {"IIF": (3, 3, "3")}
_RANK_ONLY = {"FULLTEXTSCORE": "SC2240", "RRF": "SC2229"}


def check(query: Query) -> None:
    """Raise QueryRefused with every finding, the earliest first."""
    findings = sorted(_query(query, nested=False), key=lambda each: (each.start, each.end))
    if findings:
        raise QueryRefused(findings)


def _query(query: Query, *, nested: bool) -> Iterator[Finding]:
    select = query.select
    if nested:
        yield from _misplaced(query)
    if select.kind == "*":
        yield from _star(query)
    else:
        yield from _names(query)
    if query.group_by and query.order_by:
        yield finding("SC2105", *query.order_by[0].span)
    for expression in (*_expressions(query), *_ranked(query)):
        yield from _calls(expression)
    yield from _grouping(query)
    if query.rank is not None:
        yield from _rank(query)
    for subquery in _subqueries(query):
        yield from _query(subquery, nested=True)


def _misplaced(query: Query) -> Iterator[Finding]:
    if query.order_by:
        yield finding("SC2202", *query.order_by[0].span)
    if query.select.top is not None:
        yield finding("SC2203", *query.select.top.span)
    if query.offset is not None:
        yield finding("SC2204", *query.offset.span)
    if query.rank is not None:
        yield finding("SC2228", *query.rank.span)


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


def _expressions(query: Query) -> Iterator[Expression]:
    for item in query.select.items:
        yield item.expression
    if query.where is not None:
        yield query.where
    yield from query.group_by
    for key in query.order_by:
        yield key.expression


def _ranked(query: Query) -> Iterator[Expression]:
    """What stands below ORDER BY RANK and is checked like any expression: the arguments of its scores."""
    if query.rank is None:
        return
    scores = query.rank.arguments if query.rank.function == "RRF" else (query.rank,)
    for score in scores:
        if isinstance(score, Call) and score.function == "FULLTEXTSCORE":
            yield from score.arguments
        else:
            yield score


def _subqueries(query: Query) -> Iterator[Query]:
    for source in query.sources:
        for node in walk(source.origin):
            if isinstance(node, Subquery):
                yield node.query
    for expression in _expressions(query):
        for node in walk(expression):
            if isinstance(node, Subquery):
                yield node.query


def _calls(expression: Expression) -> Iterator[Finding]:
    for node in walk(expression):
        if isinstance(node, Call) and not node.udf:
            yield from _call(node)


def _call(node: Call) -> Iterator[Finding]:
    name, count = node.function, len(node.arguments)
    if name in _RANK_ONLY:
        yield finding(_RANK_ONLY[name], *node.span)
    elif name in AGGREGATES:
        if count != 1:
            yield finding("SC2050", *node.span, name=node.name, arity="1")
        elif _aggregates_inside(node.arguments[0]):
            yield finding("SC2101", *node.span)
    elif name in _SPECIAL_ARITY:
        least, most, arity = _SPECIAL_ARITY[name]
        if not least <= count <= most:
            yield finding("SC2050", *node.span, name=node.name, arity=arity)
    elif name not in FUNCTIONS:
        yield finding("SC2005", node.span[0], node.span[0] + len(node.name), name=node.name)
    elif not FUNCTIONS[name].takes(count):
        yield finding("SC2050", *node.span, name=node.name, arity=FUNCTIONS[name].arity)


def _aggregates_inside(argument: Expression) -> bool:
    return any(isinstance(node, Subquery) or is_aggregate(node) for node in walk(argument))


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


def _rank(query: Query) -> Iterator[Finding]:
    assert query.rank is not None
    if len(query.sources) > 1:
        yield finding("SC2224", *query.sources[1].span)
    for source in query.sources[:1]:
        if source.iterates:
            yield finding("SC2223", *source.span)
        elif isinstance(source.origin, Subquery):
            yield finding("SC2225", *source.span)
