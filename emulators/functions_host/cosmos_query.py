"""A query over a container, merged as Cosmos DB's clients merge: order, distinct, offset, limit and top.

One range, or one partition key, is asked with the text as it is, and may aggregate. Over several ranges the gateway's
plan says how; what would have to be aggregated here is refused by name (501).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import partial
from itertools import islice
from typing import Any

from emulators.functions_host.cosmos_client import CosmosContainer, CosmosRefused, Document
from emulators.functions_host.limits import COSMOS_RESULTS_MAX

NOT_SERVABLE = 1004
"""Sub-status of a query that the gateway leaves to its client: read a plan."""
RANKS = {type(None): 1, bool: 2, int: 3, float: 3, str: 4, list: 5, dict: 6}
"""Order of types in Cosmos DB; a value that is not there at all comes first."""
UNORDERED = frozenset({1, 5, 6})
"""Ranks whose values are not compared any further here: null, arrays, objects."""


class QueryNotBuilt(Exception):
    """A query that needs more merging than is built. The text says what to do."""


async def run_query(
    container: CosmosContainer, text: str, parameters: list[Document], partition_key: list[Any] | None
) -> list[Any]:
    """All results. Raises CosmosRefused, and QueryNotBuilt for aggregates over several ranges."""
    if partition_key is not None:
        headers = {"x-ms-documentdb-partitionkey": json.dumps(partition_key)}
        return await _collect(container, text, parameters, headers)
    try:
        everywhere = {"x-ms-documentdb-query-enablecrosspartition": "True"}
        return await _collect(container, text, parameters, everywhere)
    except CosmosRefused as refused:
        if refused.substatus != NOT_SERVABLE:
            raise
    ranges = [each["id"] for each in await container.ranges()]
    if len(ranges) == 1:
        return await _collect(container, text, parameters, _within(ranges[0]))
    try:
        plan = (await container.plan(text, parameters))["queryInfo"]
    except CosmosRefused as refused:
        raise QueryNotBuilt(
            "501: this sqlQuery has to be aggregated over several physical partitions, which is not built into this "
            f"host. Give the binding a partitionKey. ({refused})"
        ) from refused
    rewritten = plan.get("rewrittenQuery") or text
    # The rewritten text of an ORDER BY filters by where a client has come; we begin, so every item passes.
    rewritten = rewritten.replace("{documentdb-formattableorderbyquery-filter}", "true")
    parts = [await _collect(container, rewritten, parameters, _within(each)) for each in ranges]
    return merge(parts, plan)


def merge(parts: Iterable[list[Any]], plan: Document) -> list[Any]:
    """The results of several ranges as one. Pure."""
    found = [each for part in parts for each in part]
    order = list(enumerate(plan.get("orderBy") or []))
    for index, direction in reversed(order):  # a stable sort by each column, the first one last
        found.sort(key=partial(_rank, index), reverse=direction.lower() == "descending")
    if order:
        found = [each["payload"] for each in found]
    if (plan.get("distinctType") or "None") != "None":
        found = list({json.dumps(each, sort_keys=True): each for each in reversed(found)}.values())[::-1]
    start = plan.get("offset") or 0
    size = min(value for value in (plan.get("limit"), plan.get("top"), len(found)) if value is not None)
    return list(islice(found, start, start + size))


def _within(range_id: str) -> dict[str, str]:
    return {"x-ms-documentdb-partitionkeyrangeid": range_id}


async def _collect(
    container: CosmosContainer, text: str, parameters: list[Document], headers: dict[str, str]
) -> list[Any]:
    found = []
    async for each in container.query(text, parameters, headers):
        found.append(each)
        if len(found) > COSMOS_RESULTS_MAX:
            raise QueryNotBuilt(f"A Cosmos DB input binding reads at most {COSMOS_RESULTS_MAX} items: add a filter.")
    return found


def _rank(column: int, row: Document) -> tuple[int, Any]:
    item = row["orderByItems"][column]
    if "item" not in item:
        return (0, 0)
    value = item["item"]
    rank = RANKS[type(value)]
    return (rank, 0 if rank in UNORDERED else value)
