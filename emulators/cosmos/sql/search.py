"""Plans of searches: ORDER BY RANK, where a client ranks by several scores and needs statistics of all texts first.

Shapes and spellings are those of the service's recorded plans; the placeholders are filled in by the client.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from emulators.cosmos.sql.checks import literal_number, scores_and_weights
from emulators.cosmos.sql.errors import refused
from emulators.cosmos.sql.limits import COMPONENT_RESULTS_MIN, COUNT_VALUE_MAX
from emulators.cosmos.sql.nodes import (
    ArrayLiteral,
    Binary,
    Call,
    Constant,
    Expression,
    Item,
    Logical,
    Name,
    Parameter,
    Placeholder,
    Property,
    Query,
    Select,
    SortKey,
    path,
)
from emulators.cosmos.sql.plan import ORDER_BY_FILTER, Plan, as_object, count_of, payload_of
from emulators.cosmos.sql.printer import expression_text, query_text
from emulators.cosmos.sql.values import Value, is_number

HOLE = "documentdb-formattablehybridsearchquery"
"""How the places begin that statistics are filled into."""
_WORST_TEXT, _WORST_VECTOR = "-1", "-1.79769e+308"


@dataclass(frozen=True, slots=True)
class Component:
    """One score to rank by."""

    score: Call
    weight: float | None
    is_text: bool

    def shown(self, *, turned: bool) -> Expression:
        """The score with something in place of a missing one; `turned`: so that always more is better."""
        if self.weight is not None and self.weight < 0:
            score = Binary("??", self.score, Placeholder("1.79769e+308"))
            return Binary("*", Placeholder("-1"), score) if turned else score
        return Binary("??", self.score, Placeholder(_WORST_TEXT if self.is_text else _WORST_VECTOR))

    @property
    def sort_key(self) -> SortKey:
        """By which a partition brings its best first."""
        if self.weight is not None and self.weight < 0:
            return SortKey(self.score, "ASC")
        return SortKey(self.score, "DESC" if self.is_text else "")


def search_plan(
    query: Query, parameters: Mapping[str, Value], *, non_streaming: bool, rewrites_order: bool
) -> tuple[dict[str, Any], set[str]]:
    """(`hybridSearchQueryInfo`, the client features it needs) of a query with ORDER BY RANK. Raises QueryUnservable."""
    assert query.rank is not None
    components, weights = components_of(query.rank, parameters)
    skip = None if query.offset is None else count_of(query.offset, parameters)
    taken = query.limit or query.select.top
    take = None if taken is None else count_of(taken, parameters)
    # Of several scores the client makes its own order; one score's rows it takes in the order that it is told.
    rewrites = rewrites_order or len(components) == 1
    asked = [
        _component_query(query, components, each, skip, take, non_streaming=non_streaming, rewrites=rewrites)
        for each in components
    ]
    info = {
        "globalStatisticsQuery": statistics_text(query, components),
        "componentQueryInfos": asked,
        "componentWithoutPayloadQueryInfos": [],
        "projectionQueryInfo": None,
        "componentWeights": [abs(each) for each in weights],
        "skip": skip,
        "take": take,
        "requiresGlobalStatistics": any(each.is_text for each in components),
    }
    features = {"HybridSearch"} | ({"WeightedRankFusion"} if weights else set())
    return info, features


def components_of(rank: Call, parameters: Mapping[str, Value]) -> tuple[list[Component], list[float]]:
    """The scores to rank by and their weights, none when all weigh the same. Raises QueryRefused, QueryUnservable."""
    scores, given = scores_and_weights(rank)
    weights = [] if given is None else _weights(given, parameters)
    if weights and len(weights) != len(scores):
        raise refused("SC2229", *rank.span)
    components: list[Component] = []
    texts = 0
    for number, argument in enumerate(scores):
        assert isinstance(argument, Call)  # as `checks` has found
        weight = weights[number] if weights else None
        is_text = argument.function == "FULLTEXTSCORE"
        components.append(
            Component(_text_score(argument, texts) if is_text else _vector_score(argument), weight, is_text)
        )
        texts += is_text
    return components, weights


def _weights(node: ArrayLiteral | Parameter, parameters: Mapping[str, Value]) -> list[float]:
    given: Value = parameters.get(node.name) if isinstance(node, Parameter) else list(map(literal_number, node.items))
    if not isinstance(given, list) or not all(map(is_number, given)):
        raise refused("SC2229", *node.span)
    return [float(each) for each in given]


def _text_score(call: Call, number: int) -> Call:
    if path(call.arguments[0]) is None:
        raise refused("SC2050", *call.span, name=call.name, arity="at least 2")
    field, *terms = call.arguments
    if len(terms) == 1 and isinstance(terms[0], ArrayLiteral):  # as the ORDER BY RANK reference writes it
        terms = list(terms[0].items)
    holes = ("totaldocumentcount", f"totalwordcount-{number}", f"hitcountsarray-{number}")
    return Call(
        "_FullTextScore", (field, ArrayLiteral(tuple(terms)), *(Placeholder(f"{{{HOLE}-{hole}}}") for hole in holes))
    )


def _vector_score(call: Call) -> Call:
    return Call("_VectorScore", call.arguments)


def statistics_text(query: Query, components: list[Component]) -> str:
    """The text whose rows say how many documents there are, how many words, and how many hold each term."""
    entries = []
    for component in components:
        if component.is_text:
            field, terms = component.score.arguments[:2]
            assert isinstance(terms, ArrayLiteral)
            hits = tuple(Call("COUNTIF", (Call("FullTextContains", (field, term)),)) for term in terms.items)
            words = Call("SUM", (Call("_FullTextWordCount", (field,)),))
            entries.append(as_object(totalWordCount=words, hitCounts=ArrayLiteral(hits)))
    items = (
        Item(Call("COUNT", (Constant(1, "number"),)), "documentCount"),
        Item(ArrayLiteral(tuple(entries)), "fullTextStatistics"),
    )
    return query_text(Query(Select("LIST", items), query.sources))


def _component_query(
    query: Query,
    components: list[Component],
    component: Component,
    skip: int | None,
    take: int | None,
    *,
    non_streaming: bool,
    rewrites: bool,
) -> dict[str, Any]:
    """One partition's part in one score, as a `queryInfo`."""
    # Without order items there is nothing to merge by: a client that is told of an order would merge all the same.
    plan = Plan(has_select_value=False, has_non_streaming_order_by=non_streaming and rewrites)
    root = Name(query.sources[0].name or "")
    scores = ArrayLiteral(tuple(each.shown(turned=not rewrites) for each in components))
    rows = None if take is None else max((skip or 0) + take, COMPONENT_RESULTS_MIN // 2) * 2
    most = None if rows is None else Constant(rows % (COUNT_VALUE_MAX + 1), "number")  # cut to 32 bits, as recorded
    top = most if query.limit is None else None
    told_top = None if rows is None or top is None else Constant(rows, "number")  # and TOP's text is not
    rid = Item(Property(root, "_rid"))
    where = query.where
    if rewrites:
        key = component.sort_key
        plan.orders = ["Ascending" if key.direction == "ASC" else "Descending"]
        plan.order_expressions = [expression_text(key.expression)]
        plan.top = top.value if top else None
        plan.offset = 0 if most and not top else None
        plan.limit = most.value if most and not top else None
        payload = as_object(payload=payload_of(query.select, root), componentScores=scores)
        order_items = ArrayLiteral((as_object(item=key.expression),))
        items = (rid, Item(order_items, "orderByItems"), Item(payload, "payload"))
        where = ORDER_BY_FILTER if where is None else Logical("AND", (where, ORDER_BY_FILTER))
    else:
        items = (rid, Item(payload_of(query.select, root), "payload"), Item(scores, "componentScores"))
    text = replace(
        query,
        select=Select("LIST", items, top=told_top),
        where=where,
        rank=None,
        order_by=(component.sort_key,),
        offset=None if most is None or top else Constant(0, "number"),
        limit=None if top else most,
    )
    plan.rewritten = query_text(text)
    return plan.query_info()
