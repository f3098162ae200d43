"""The query plan: what a client does to merge the results of several partitions, and which of them it asks."""

from __future__ import annotations

from typing import Any

import orjson

from emulators.base.serving import Response
from emulators.cosmos import charges
from emulators.cosmos.evaluation import asked, computed_properties, context_of, refusals
from emulators.cosmos.partitioning import HIGHEST, UNDEFINED, Component, epk_hex
from emulators.cosmos.sql.functions import Context
from emulators.cosmos.sql.keys import admitted_keys
from emulators.cosmos.sql.plan import make_plan, require_features
from emulators.cosmos.sql.search import search_plan
from emulators.cosmos.sql.statement import Statement, prepare
from emulators.cosmos.sql.values import Undefined, Value
from emulators.cosmos.store.catalog import Container
from emulators.cosmos.wire import Call, answer

PLAN_VERSION = 2
"""partitionedQueryExecutionInfoVersion: clients read any number."""
FEATURES_HEADER = "x-ms-cosmos-supported-query-features"


async def read(call: Call) -> Response:
    """POST docs that asks for a plan. A client that has not announced what the plan needs is refused."""
    container = call.container()
    text, parameters = asked(call)
    announced = frozenset(each.strip() for each in call.header(FEATURES_HEADER).split(",") if each.strip())
    with refusals():
        statement = prepare(text, computed_properties(container))
        document = plan_document(container, statement, context_of(call, parameters, container), announced)
    return answer(call, 200, orjson.dumps(document), charge=charges.METADATA)


def plan_document(
    container: Container, statement: Statement, context: Context, announced: frozenset[str] | None = None
) -> dict[str, Any]:
    """The plan as the service writes it. `announced`: the client's features, None to leave them unchecked."""
    paths = container.partition_key.paths
    keys = _keys(container, statement, context)
    one_key = keys is not None and len(keys) == 1 and len(keys[0]) == len(paths)
    with_ranges = {
        "partitionedQueryExecutionInfoVersion": PLAN_VERSION,
        "queryRanges": _ranges(container, keys),
    }
    if statement.query.rank is not None:
        info, features = search_plan(
            statement.query,
            context.parameters,
            non_streaming=announced is None or "NonStreamingOrderBy" in announced,
            rewrites_order=announced is None or "HybridSearchSkipOrderByRewrite" not in announced,
        )
        require_features(features, announced)
        return {**with_ranges, "hybridSearchQueryInfo": info}
    plan = make_plan(statement.query, context.parameters, one_key=one_key, distances=context.vector_policy)
    require_features(plan.features, announced)
    return {**with_ranges, "queryInfo": plan.query_info()}


def pins_keys(container: Container, statement: Statement, context: Context) -> bool:
    """Whether the filter admits certain partition keys only: then a client need not allow crossing partitions."""
    return _keys(container, statement, context) is not None


def _keys(container: Container, statement: Statement, context: Context) -> list[tuple[Value, ...]] | None:
    """The partition keys, or prefixes of them, that the filter admits; None for all."""
    definition = container.partition_key
    return admitted_keys(
        statement.selecting,
        definition.paths,
        lambda node: statement.fold(node, context),
        prefixes=definition.hierarchical,
    )


def _ranges(container: Container, keys: list[tuple[Value, ...]] | None) -> list[dict[str, Any]]:
    if keys is None:
        return [_range("", epk_hex(HIGHEST), point=False)]
    found = set()
    for key in keys:
        low, high = container.partition_key.interval(tuple(map(_component, key)))
        point = len(key) == len(container.partition_key.paths)
        found.add((epk_hex(low), epk_hex(low if point else high), point))
    return [_range(low, high, point=point) for low, high, point in sorted(found)] or [_range("", "", point=True)]


def _range(low: str, high: str, *, point: bool) -> dict[str, Any]:
    return {"min": low, "max": high, "isMinInclusive": True, "isMaxInclusive": point}


def _component(value: Value) -> Component:
    if isinstance(value, Undefined):
        return UNDEFINED
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
