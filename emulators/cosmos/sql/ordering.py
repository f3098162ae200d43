"""Whether a container's index policy serves an ORDER BY, and the service's words when it does not. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from emulators.cosmos.sql.errors import QueryUnservable
from emulators.cosmos.sql.nodes import Call, Query, path
from emulators.cosmos.sql.vectors import VECTOR_CALLS

NO_COMPOSITE_INDEX = "The order by query does not have a corresponding composite index that it can be served from."
"""Recorded in efcore#16150 and grandnode2#93, as is the next."""
NOT_A_PATH = "Unsupported ORDER BY clause. ORDER BY item expression could not be mapped to a document path."
VECTOR_DIRECTION = "Specifying a sorting order (ASC or DESC) with VectorDistance function is not supported."
SEARCHES = VECTOR_CALLS | {"_FULLTEXTSCORE"}
"""Orders by how well a document matches, which need no path of the index policy."""


def demand_index(query: Query, policy: Mapping[str, Any]) -> None:
    """Return if the policy serves the query's ORDER BY. Raises QueryUnservable as the service would refuse it."""
    if not query.order_by:
        return
    wanted = []
    for key in query.order_by:
        if isinstance(key.expression, Call) and key.expression.function in SEARCHES:
            if key.direction and key.expression.function == "VECTORDISTANCE":
                raise QueryUnservable(VECTOR_DIRECTION)
            return
        found = path(key.expression)
        if found is None or not found[1]:
            raise QueryUnservable(NOT_A_PATH)
        wanted.append((_spelling(found[1]), key.descends))
    if len(wanted) < 2:
        return
    reversed_ = [(each, not descends) for each, descends in wanted]
    for index in policy.get("compositeIndexes", ()):
        offered = [(entry["path"].replace('"', ""), entry.get("order", "ascending") == "descending") for entry in index]
        if offered in (wanted, reversed_):
            return
    raise QueryUnservable(NO_COMPOSITE_INDEX)


def _spelling(steps: tuple[str | int, ...]) -> str:
    return "".join(f"/{step}" if isinstance(step, str) else "/[]" for step in steps)
