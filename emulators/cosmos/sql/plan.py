"""The plan by which a client merges several partitions' results: what it has to do, and the text it sends to each.

Shapes and spellings are those of the service's recorded query plans. Pure: partition keys are `keys.py`, their hash
space the caller's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from emulators.cosmos.sql.checks import aggregates_of, gathered_source, is_aggregate, is_grouped
from emulators.cosmos.sql.compiler import item_names, selected
from emulators.cosmos.sql.errors import COMPOSED_AGGREGATES, GATHERED_SOURCE, QueryUnservable
from emulators.cosmos.sql.nodes import (
    ArrayLiteral,
    Call,
    Constant,
    Expression,
    Item,
    Logical,
    Name,
    ObjectLiteral,
    Parameter,
    Placeholder,
    Property,
    Query,
    Select,
)
from emulators.cosmos.sql.ordering import demand_paths
from emulators.cosmos.sql.printer import expression_text, query_text
from emulators.cosmos.sql.values import Value
from emulators.cosmos.sql.vectors import NO_VECTORS, VectorPolicy, is_vector_call, runs_down

ORDER_BY_FILTER = Placeholder("({documentdb-formattableorderbyquery-filter})")
"""Where the client puts the condition by which it goes on after a row."""
AGGREGATE_NAMES = {
    "AVG": "Average",
    "COUNT": "Count",
    "COUNTIF": "CountIf",
    "MAKELIST": "MakeList",
    "MAKESET": "MakeSet",
    "MAX": "Max",
    "MIN": "Min",
    "SUM": "Sum",
}


@dataclass(slots=True)
class Plan:
    """`queryInfo`, and the client features without which it cannot be carried out."""

    has_select_value: bool
    distinct: str = "None"
    top: int | None = None
    offset: int | None = None
    limit: int | None = None
    orders: list[str] = field(default_factory=list)
    order_expressions: list[str] = field(default_factory=list)
    group_expressions: list[str] = field(default_factory=list)
    group_aliases: list[str] = field(default_factory=list)
    alias_aggregates: dict[str, str | None] = field(default_factory=dict)
    aggregates: list[str] = field(default_factory=list)
    rewritten: str = ""
    distinct_count: str | None = None
    """The name that the count of distinct rows has, empty for VALUE; None where they are not counted."""
    has_non_streaming_order_by: bool = False
    features: set[str] = field(default_factory=set)

    def query_info(self) -> dict[str, Any]:
        """As the service writes it."""
        return {
            "distinctType": self.distinct,
            "top": self.top,
            "offset": self.offset,
            "limit": self.limit,
            "orderBy": self.orders,
            "orderByExpressions": self.order_expressions,
            "groupByExpressions": self.group_expressions,
            "groupByAliases": self.group_aliases,
            "aggregates": self.aggregates,
            "groupByAliasToAggregateType": self.alias_aggregates,
            "rewrittenQuery": self.rewritten,
            "hasSelectValue": self.has_select_value,
            "dCountInfo": None if self.distinct_count is None else {"dCountAlias": self.distinct_count},
            "hasNonStreamingOrderBy": self.has_non_streaming_order_by,
        }


def make_plan(
    query: Query, parameters: Mapping[str, Value], *, one_key: bool, distances: VectorPolicy = NO_VECTORS
) -> Plan:
    """The plan of a checked query. `one_key`: it can only find something under one partition key.

    `distances` is the container's vector policy. Raises QueryRefused, QueryUnservable for what the service's planner
    refuses.
    """
    demand_paths(query)
    inner = gathered_source(query)
    if inner is not None and (one_key or is_grouped(query)):
        return _over_gathered(query, inner, parameters, one_key=one_key)
    plan = Plan(has_select_value=query.select.kind == "VALUE")
    grouped = is_grouped(query)
    distinct = query.select.distinct
    whole, rewrites = query, grouped
    if query.select.top is not None and query.sources:
        plan.top = count_of(query.select.top, parameters)
        plan.features.add("Top")
    if query.offset is not None and query.limit is not None and not (one_key and not grouped and not distinct):
        plan.offset, plan.limit = count_of(query.offset, parameters), count_of(query.limit, parameters)
        plan.features.add("OffsetAndLimit")
        whole = replace(whole, offset=_number(0), limit=_number(plan.offset + plan.limit))
        rewrites = True
    if grouped or distinct:
        rewrites |= query.select.top is not None
        whole = replace(whole, select=replace(whole.select, top=None), offset=None, limit=None)
    if grouped:
        whole = _group(plan, whole)
    elif distinct:
        plan.features.add("Distinct")
        plan.distinct = "Unordered"
    if whole.order_by and not grouped:
        whole, rewrites = _order(plan, whole, distances), True
    plan.rewritten = query_text(whole) if rewrites else ""
    return plan


def _over_gathered(query: Query, inner: Query, parameters: Mapping[str, Value], *, one_key: bool) -> Plan:
    """The plan of an aggregate over a subquery with DISTINCT or groups: a client can count distinct values only."""
    value = query.select.kind == "VALUE"
    if one_key:
        return Plan(has_select_value=value)
    if not _counts_all(query) or not inner.select.distinct or is_grouped(inner) or gathered_source(inner):
        raise QueryUnservable(GATHERED_SOURCE)
    plan = make_plan(inner, parameters, one_key=False)
    plan.features.add("DCount")
    plan.has_select_value = value
    plan.distinct_count = "" if value else item_names(query.select.items)[0]
    plan.rewritten = plan.rewritten or query_text(inner)
    return plan


def _counts_all(query: Query) -> bool:
    """Whether a query only counts the rows of its one source."""
    select, (source, *joined) = query.select, query.sources
    clauses = (joined, query.where, query.group_by, query.order_by, query.limit, select.top, select.distinct)
    if any(clauses) or source.iterates or len(select.items) != 1:
        return False
    match select.items[0].expression:
        case Call(udf=False, function="COUNT", arguments=(Constant() | Name(),)):
            return True
    return False


def count_of(node: Constant | Parameter, parameters: Mapping[str, Value]) -> int:
    """The number of TOP, OFFSET or LIMIT. Raises QueryUnservable."""
    value = node.value if isinstance(node, Constant) else parameters.get(node.name)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise QueryUnservable("The count value provided for TOP, OFFSET or LIMIT must be a non-negative integer.")
    return value


def _number(value: int) -> Constant:
    return Constant(value, "number")


def _order(plan: Plan, query: Query, distances: VectorPolicy) -> Query:
    """The text whose rows carry their sort keys beside the payload."""
    keys, root = query.order_by, _root(query)
    plan.features.add("OrderBy" if len(keys) == 1 else "MultipleOrderBy")
    plan.orders = ["Descending" if runs_down(key, distances) else "Ascending" for key in keys]
    if any(is_vector_call(key.expression) for key in keys):
        plan.features.add("NonStreamingOrderBy")
        plan.has_non_streaming_order_by = True
    plan.order_expressions = [expression_text(key.expression) for key in keys]
    select = query.select
    condition: Expression = ORDER_BY_FILTER
    if query.where is not None:
        condition = Logical("AND", (query.where, ORDER_BY_FILTER))
    if select.kind == "VALUE":
        projected = select.items[0].expression
        condition = Logical("AND", (condition, Call("IS_DEFINED", (projected,))))
        if select.distinct and projected == keys[0].expression:
            plan.distinct = "Ordered"
    items = (
        Item(Property(root, "_rid")),
        Item(ArrayLiteral(tuple(as_object(item=key.expression) for key in keys)), "orderByItems"),
        Item(payload_of(query.select, root), "payload"),
    )
    return replace(query, select=Select("LIST", items, top=select.top), where=condition)


def _root(query: Query) -> Name:
    name = query.sources[0].name if query.sources else None
    if name is None:
        raise QueryUnservable("ORDER BY over a FROM clause without an alias cannot be served across partitions.")
    return Name(name)


def payload_of(select: Select, root: Name) -> Expression:
    """What a query selects as one expression, so that other members can stand beside it."""
    return root if select.kind == "*" else selected(select)


def _group(plan: Plan, query: Query) -> Query:
    """The text whose rows are partial aggregates, with the keys of their groups."""
    select = query.select
    if query.group_by:
        plan.features.add("GroupBy")
    plan.group_expressions = [expression_text(key) for key in query.group_by]
    for item in select.items:
        if aggregates_of(item.expression) and not is_aggregate(item.expression):
            raise QueryUnservable(COMPOSED_AGGREGATES)
    if select.kind == "VALUE":
        only = select.items[0].expression
        payload = only
        if is_aggregate(only):
            _feature(plan, only)
            plan.features.add("Aggregate")
            plan.aggregates = [AGGREGATE_NAMES[only.function]]
            payload = ArrayLiteral((_partial(only),))
        if not query.group_by:
            return replace(query, select=Select("VALUE", (Item(payload),)))
    else:
        payload = _grouped_list(plan, select)
    items = [Item(payload, "payload")]
    if query.group_by:
        keys = ArrayLiteral(tuple(as_object(item=key) for key in query.group_by))
        items.insert(0, Item(keys, "groupByItems"))
    return replace(query, select=Select("LIST", tuple(items)))


def _grouped_list(plan: Plan, select: Select) -> ObjectLiteral:
    members: list[tuple[str, Expression]] = []
    plan.group_aliases = item_names(select.items)
    counted = 0
    for name, item in zip(plan.group_aliases, select.items, strict=True):
        expression = item.expression
        if is_aggregate(expression):
            counted += 1
            _feature(plan, expression)
            plan.alias_aggregates[name] = AGGREGATE_NAMES[expression.function]
            members.append((name, _partial(expression)))
        else:
            plan.alias_aggregates[name] = None
            members.append((name, expression))
    if counted:
        plan.features.add("NonValueAggregate")
    if counted > 1:
        plan.features.add("MultipleAggregates")
    return ObjectLiteral(tuple(members))


def _feature(plan: Plan, call: Call) -> None:
    if call.function == "COUNTIF":
        plan.features.add("CountIf")
    if call.function in ("MAKELIST", "MAKESET"):
        plan.features.add("ListAndSetAggregate")


def _partial(call: Call) -> ObjectLiteral:
    """What one partition says of an aggregate so that the client can go on with it."""
    argument = call.arguments
    counted = Call("COUNT", argument)
    match call.function:
        case "AVG":
            return as_object(item=as_object(sum=Call("SUM", argument), count=counted))
        case "MIN":
            return as_object(item=Call("MIN", argument), item2=as_object(min=Call("MIN", argument), count=counted))
        case "MAX":
            return as_object(item=Call("MAX", argument), item2=as_object(max=Call("MAX", argument), count=counted))
    return as_object(item=call)


def as_object(**members: Expression) -> ObjectLiteral:
    """An object literal of these members."""
    return ObjectLiteral(tuple(members.items()))


def require_features(needed: set[str], announced: frozenset[str] | None) -> None:
    """Raises QueryUnservable when a plan needs what the client has not announced; None leaves it unchecked."""
    missing = set() if announced is None else needed - announced
    if "NonValueAggregate" in missing:
        raise QueryUnservable("Cross partition query only supports 'VALUE <AggregateFunc>' for aggregates.")
    if missing:
        raise QueryUnservable(
            "Query contains 1 or more unsupported features. Upgrade your SDK to a version that does support the "
            f"requested features: {', '.join(sorted(missing))}"
        )
