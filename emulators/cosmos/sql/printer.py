"""Syntax tree to text, in the service's own spelling: what rewritten queries and error messages show.

Every binary expression stands in parentheses, clauses on lines of their own, subqueries are indented, strings are in
double quotes, function names and directions stay as typed (recorded in the service's query plans).
"""

from __future__ import annotations

from collections.abc import Callable

from emulators.cosmos.sql.nodes import (
    ArrayLiteral,
    Between,
    Binary,
    Call,
    Conditional,
    Constant,
    Expression,
    In,
    Index,
    Item,
    Like,
    Logical,
    Name,
    ObjectLiteral,
    Parameter,
    Placeholder,
    Property,
    Query,
    Select,
    SortKey,
    Source,
    Subquery,
    Unary,
)
from emulators.cosmos.sql.values import UNDEFINED, quoted

_INDENT = "    "


def query_text(query: Query) -> str:
    """The text of a query."""
    lines = [_select(query.select)]
    if query.sources:
        lines.append(f"FROM {_source(query.sources[0])}")
        lines.extend(f"JOIN {_source(source)}" for source in query.sources[1:])
    if query.where is not None:
        lines.append(f"WHERE {expression_text(query.where)}")
    if query.group_by:
        lines.append(f"GROUP BY {_list(query.group_by)}")
    if query.rank is not None:
        lines.append(f"ORDER BY RANK {expression_text(query.rank)}")
    if query.order_by:
        lines.append(f"ORDER BY {', '.join(map(_sort_key, query.order_by))}")
    if query.offset is not None and query.limit is not None:
        lines.append(f"OFFSET {expression_text(query.offset)} LIMIT {expression_text(query.limit)}")
    return "\n".join(lines)


def expression_text(node: Expression) -> str:
    """The text of an expression."""
    return _PRINTERS[type(node)](node)


def _select(select: Select) -> str:
    head = "SELECT "
    if select.distinct:
        head += "DISTINCT "
    if select.top is not None:
        head += f"TOP {expression_text(select.top)} "
    if select.kind == "*":
        return head + "*"
    if select.kind == "VALUE":
        return f"{head}VALUE {expression_text(select.items[0].expression)}"
    return head + ", ".join(map(_item, select.items))


def _item(item: Item) -> str:
    text = expression_text(item.expression)
    return text if item.alias is None else f"{text} AS {item.alias}"


def _source(source: Source) -> str:
    origin = expression_text(source.origin)
    if source.iterates:
        return f"{source.alias} IN {origin}"
    return origin if source.alias is None else f"{origin} AS {source.alias}"


def _sort_key(key: SortKey) -> str:
    text = expression_text(key.expression)
    return f"{text} {key.direction}" if key.direction else text


def _list(nodes: tuple[Expression, ...]) -> str:
    return ", ".join(map(expression_text, nodes))


def _constant(node: Constant) -> str:
    value = node.value
    if value is None or value is UNDEFINED:
        return "null" if value is None else "undefined"
    if isinstance(value, bool):
        return "true" if value else "false"
    return quoted(value) if isinstance(value, str) else _number(value)


def _number(value: float) -> str:
    """15 digits where they read back, else 17, as C prints doubles."""
    if isinstance(value, int):
        return str(value)
    if value != value or value in (float("inf"), float("-inf")):
        return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
    short = f"{value:.15g}"
    return short if float(short) == value else f"{value:.17g}"


def _property(node: Property) -> str:
    base = expression_text(node.base)
    return f"{base}[{quoted(node.name)}]" if node.quoted else f"{base}.{node.name}"


def _unary(node: Unary) -> str:
    operand = expression_text(node.operand)
    if isinstance(node.operand, Constant) and node.operator in "+-":
        return node.operator + operand
    return f"({node.operator} {operand})" if node.operator == "NOT" else f"({node.operator}{operand})"


def _logical(node: Logical) -> str:
    text = expression_text(node.operands[0])
    for operand in node.operands[1:]:
        text = f"({text} {node.operator} {expression_text(operand)})"
    return text


def _in(node: In) -> str:
    return f"({expression_text(node.needle)}{' NOT' if node.negated else ''} IN ({_list(node.items)}))"


def _between(node: Between) -> str:
    negation = " NOT" if node.negated else ""
    low, high = expression_text(node.low), expression_text(node.high)
    return f"({expression_text(node.operand)}{negation} BETWEEN {low} AND {high})"


def _like(node: Like) -> str:
    escape = "" if node.escape is None else f" ESCAPE {quoted(node.escape)}"
    negation = " NOT" if node.negated else ""
    return f"({expression_text(node.operand)}{negation} LIKE {expression_text(node.pattern)}{escape})"


def _subquery(node: Subquery) -> str:
    inner = query_text(node.query).replace("\n", f"\n{_INDENT}")
    return f"{node.kind}(\n{_INDENT}{inner}\n)"


_PRINTERS: dict[type, Callable[..., str]] = {
    Constant: _constant,
    Parameter: lambda node: node.name,
    Name: lambda node: node.name,
    Property: _property,
    Index: lambda node: f"{expression_text(node.base)}[{expression_text(node.index)}]",
    Unary: _unary,
    Binary: lambda node: f"({expression_text(node.left)} {node.operator} {expression_text(node.right)})",
    Logical: _logical,
    Conditional: lambda node: (
        f"({expression_text(node.condition)} ? {expression_text(node.then)} : {expression_text(node.otherwise)})"
    ),
    In: _in,
    Between: _between,
    Like: _like,
    Call: lambda node: f"{'udf.' if node.udf else ''}{node.name}({_list(node.arguments)})",
    ArrayLiteral: lambda node: f"[{_list(node.items)}]",
    ObjectLiteral: lambda node: (
        "{" + ", ".join(f"{quoted(name)}: {expression_text(value)}" for name, value in node.members) + "}"
    ),
    Subquery: _subquery,
    Placeholder: lambda node: node.text,
}
