"""The syntax tree: what a query says, nothing of what it means. Every node knows where in the text it stands.

Nodes compare and hash by what they say, not by where they stand: GROUP BY finds its keys in the select list so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Span = tuple[int, int]
"""Where a node stands: 0-based character offsets, the end exclusive."""
Clause = Literal["TOP", "ORDER BY", "OFFSET LIMIT"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """Anything with a place in the text."""

    span: Span = field(default=(0, 0), compare=False)


@dataclass(frozen=True, slots=True)
class Constant(Node):
    """null, undefined, true, a number or a string."""

    value: Any
    kind: str
    """The value's type: 1 and true are equal in Python, not in the language."""


@dataclass(frozen=True, slots=True)
class Parameter(Node):
    """@name, whose value comes with the request."""

    name: str


@dataclass(frozen=True, slots=True)
class Name(Node):
    """An identifier: an alias of the FROM clause, or the container."""

    name: str


@dataclass(frozen=True, slots=True)
class Property(Node):
    """base.name, or base["name"] when `quoted`."""

    base: Expression
    name: str
    quoted: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class Index(Node):
    """base[index] with anything but a string literal."""

    base: Expression
    index: Expression


@dataclass(frozen=True, slots=True)
class Unary(Node):
    """+ - ~ NOT."""

    operator: Literal["+", "-", "~", "NOT"]
    operand: Expression


@dataclass(frozen=True, slots=True)
class Binary(Node):
    """An operator of two operands other than AND and OR."""

    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Logical(Node):
    """A chain of AND or of OR, flat so that long chains stay shallow."""

    operator: Literal["AND", "OR"]
    operands: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Conditional(Node):
    """condition ? then : otherwise."""

    condition: Expression
    then: Expression
    otherwise: Expression


@dataclass(frozen=True, slots=True)
class In(Node):
    """needle [NOT] IN (items)."""

    needle: Expression
    items: tuple[Expression, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Between(Node):
    """operand [NOT] BETWEEN low AND high."""

    operand: Expression
    low: Expression
    high: Expression
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Like(Node):
    """operand [NOT] LIKE pattern [ESCAPE escape]."""

    operand: Expression
    pattern: Expression
    escape: str | None = None
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Call(Node):
    """A system function, an aggregate, or a user-defined function (`udf`). `name` is as typed."""

    name: str
    arguments: tuple[Expression, ...]
    udf: bool = False

    @property
    def function(self) -> str:
        """The name by which functions are known: without regard to case."""
        return self.name.upper()


@dataclass(frozen=True, slots=True)
class ArrayLiteral(Node):
    """[items]."""

    items: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class ObjectLiteral(Node):
    """{members}."""

    members: tuple[tuple[str, Expression], ...]


@dataclass(frozen=True, slots=True)
class Subquery(Node):
    """(SELECT …) as a scalar, or under EXISTS, ARRAY, ALL, FIRST, LAST."""

    kind: Literal["", "EXISTS", "ARRAY", "ALL", "FIRST", "LAST"]
    query: Query


@dataclass(frozen=True, slots=True)
class Placeholder(Node):
    """{documentdb-formattable…}: a hole that the planner leaves in a rewritten text for the client to fill."""

    text: str


Expression = (
    Constant | Parameter | Name | Property | Index | Unary | Binary | Logical | Conditional | In | Between | Like | Call
    | ArrayLiteral | ObjectLiteral | Subquery | Placeholder
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Item(Node):
    """One entry of a select list."""

    expression: Expression
    alias: str | None = None

    @property
    def name(self) -> str | None:
        """What the result calls it: the alias, or the last step of the path."""
        if self.alias is not None or not isinstance(self.expression, Name | Property):
            return self.alias
        return self.expression.name


@dataclass(frozen=True, slots=True)
class Select(Node):
    """SELECT [DISTINCT] [TOP n] and * | VALUE expression | items."""

    kind: Literal["*", "VALUE", "LIST"]
    items: tuple[Item, ...] = ()
    distinct: bool = False
    top: Constant | Parameter | None = None


@dataclass(frozen=True, slots=True)
class Source(Node):
    """One input set: a path (of the container or of an alias) or a subquery, iterated by `alias IN` or bound whole."""

    origin: Name | Property | Index | Subquery
    alias: str | None = None
    iterates: bool = False

    @property
    def name(self) -> str | None:
        """What the rest of the query calls it: the alias, or the last step of the path."""
        if self.alias is not None or not isinstance(self.origin, Name | Property):
            return self.alias
        return self.origin.name


@dataclass(frozen=True, slots=True)
class SortKey(Node):
    """One key of ORDER BY. `direction` is as typed, empty when absent."""

    expression: Expression
    direction: Literal["", "ASC", "DESC"] = ""

    @property
    def descends(self) -> bool:
        """Whether the key runs downwards."""
        return self.direction == "DESC"


@dataclass(frozen=True, slots=True)
class Query(Node):
    """A whole SELECT, outermost or nested. `sources` is FROM and then each JOIN."""

    select: Select
    sources: tuple[Source, ...] = ()
    where: Expression | None = None
    group_by: tuple[Expression, ...] = ()
    order_by: tuple[SortKey, ...] = ()
    rank: Call | None = None
    """ORDER BY RANK function."""
    offset: Constant | Parameter | None = None
    limit: Constant | Parameter | None = None
    places: Mapping[Clause, Span] = field(default_factory=dict, compare=False, kw_only=True)
    """Where its clauses stand, for the refusals of a whole clause."""


def children(node: Node) -> Iterator[Expression]:  # noqa: C901 - one arm for each kind of node
    """The direct operands of an expression, left to right. A subquery has none: it is a scope of its own."""
    match node:
        case Property(base=base):
            yield base
        case Index(base=base, index=index):
            yield base
            yield index
        case Unary(operand=operand):
            yield operand
        case Binary(left=left, right=right):
            yield left
            yield right
        case Logical(operands=operands):
            yield from operands
        case Conditional(condition=condition, then=then, otherwise=otherwise):
            yield condition
            yield then
            yield otherwise
        case In(needle=needle, items=items):
            yield needle
            yield from items
        case Between(operand=operand, low=low, high=high):
            yield operand
            yield low
            yield high
        case Like(operand=operand, pattern=pattern):
            yield operand
            yield pattern
        case Call(arguments=arguments):
            yield from arguments
        case ArrayLiteral(items=items):
            yield from items
        case ObjectLiteral(members=members):
            for _, each in members:
                yield each


def walk(node: Expression) -> Iterator[Expression]:
    """`node` and everything below it, not entering subqueries."""
    yield node
    for child in children(node):
        yield from walk(child)


def deepest(query: Query, levels_max: int) -> Node | None:
    """A node that lies further down than that many levels, None when there is none. Goes down without recursion."""
    level: list[Node] = [query]
    for _ in range(levels_max + 1):
        level = [below for node in level for below in _below(node)]
        if not level:
            return None
    return level[0]


def _below(node: Node) -> Iterator[Node]:
    if isinstance(node, Subquery):
        yield node.query
    elif isinstance(node, Query):
        yield from (item.expression for item in node.select.items)
        yield from (source.origin for source in node.sources)
        yield from (each for each in (node.where, node.rank) if each is not None)
        yield from node.group_by
        yield from (key.expression for key in node.order_by)
    else:
        yield from children(node)


Path = tuple[str, tuple[str | int, ...]]
"""What a path begins with, and its steps."""


def path(node: Expression) -> Path | None:
    """(root name, steps) when `node` is a plain path such as c.a["b"][0], else None.

    A member taken from an object literal is what the literal says of it: {"x": c.a}["x"] is c.a.
    """
    steps: list[str | int] = []
    while True:
        match node:
            case Name(name=name):
                return name, tuple(reversed(steps))
            case Property(base=ObjectLiteral(members=members), name=name):
                given = [value for each, value in members if each == name]
                if not given:
                    return None
                node = given[-1]
            case Property(base=base, name=name):
                steps.append(name)
                node = base
            case Index(base=base, index=Constant(value=int() as position, kind="number")):
                steps.append(position)
                node = base
            case _:
                return None
