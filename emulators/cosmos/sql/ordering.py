"""Whether a container's index policy serves a query, and the service's words when it does not. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from emulators.cosmos.sql.checks import is_grouped
from emulators.cosmos.sql.compiler import selected
from emulators.cosmos.sql.errors import NO_DOCUMENT_PATH, QueryRefused, QueryUnservable
from emulators.cosmos.sql.index_policy import is_indexed, segments_of
from emulators.cosmos.sql.nodes import Call, Constant, Expression, Index, Path, Property, Query, Subquery, path, walk
from emulators.cosmos.sql.terms import container_alias
from emulators.cosmos.sql.vectors import VECTOR_CALLS

NO_COMPOSITE_INDEX = "The order by query does not have a corresponding composite index that it can be served from."
"""Recorded in efcore#16150 and grandnode2#93, as are the next two."""
EXCLUDED = "The index path corresponding to the specified order-by item is excluded."
NO_SCAN = (
    "An invalid query has been specified with filters against path(s) excluded from indexing. Consider adding allow "
    "scan header in the request."
)
VECTOR_DIRECTION = "Specifying a sorting order (ASC or DESC) with VectorDistance function is not supported."
SEARCHES = VECTOR_CALLS | {"_FULLTEXTSCORE"}
"""Orders by how well a document matches, which need no path of the index policy."""
_ALWAYS_INDEXED = ("id", "_rid", "_ts")


def demand_paths(query: Query) -> None:
    """Return if every key of ORDER BY is a path or a search. Raises QueryRefused."""
    for key in query.order_by:
        if not _searches(key.expression) and not _stored_path(query, path(key.expression)):
            raise QueryRefused([NO_DOCUMENT_PATH])


def _stored_path(query: Query, found: Path | None) -> tuple[str | int, ...]:
    """The steps to something stored that a path stands for, through the subqueries of FROM; empty when to nothing."""
    if found is None:
        return ()
    name, steps = found
    source = next((each for each in query.sources if each.name == name), None)
    if source is None or not isinstance(source.origin, Subquery):
        return steps
    inner = source.origin.query
    if inner.select.distinct or inner.select.kind == "*" or is_grouped(inner):
        return ()
    value = selected(inner.select)
    for step in steps:
        value = Property(value, step) if isinstance(step, str) else Index(value, Constant(step, "number"))
    return _stored_path(inner, path(value))


def _searches(expression: Expression) -> bool:
    return isinstance(expression, Call) and expression.function in SEARCHES


def demand_index(query: Query, policy: Mapping[str, Any]) -> None:
    """Return if the policy serves the query's ORDER BY. Raises QueryRefused, QueryUnservable as the service would."""
    demand_paths(query)
    wanted: list[tuple[list[str], bool]] = []
    for key in query.order_by:
        found = path(key.expression)
        if found is None:
            if key.direction and isinstance(key.expression, Call) and key.expression.function == "VECTORDISTANCE":
                raise QueryUnservable(VECTOR_DIRECTION)
            return
        wanted.append((["[]" if isinstance(step, int) else step for step in found[1]], key.descends))
    if len(wanted) > 1:
        _demand_composite(wanted, policy)
    elif wanted and wanted[0][0][0] not in _ALWAYS_INDEXED and not is_indexed(policy, wanted[0][0]):
        raise QueryUnservable(EXCLUDED)


def _demand_composite(wanted: list[tuple[list[str], bool]], policy: Mapping[str, Any]) -> None:
    reversed_ = [(each, not descends) for each, descends in wanted]
    for index in policy.get("compositeIndexes", ()):
        offered = [(segments_of(entry["path"]), entry.get("order", "ascending") == "descending") for entry in index]
        if offered in (wanted, reversed_):
            return
    raise QueryUnservable(NO_COMPOSITE_INDEX)


def demand_scan(query: Query, policy: Mapping[str, Any], key_paths: Sequence[tuple[str, ...]]) -> None:
    """Return unless the query filters a container that has no index at all. Raises QueryUnservable.

    A path that is excluded from an index is no such case: the service then looks at every document (documented in
    troubleshoot-query-performance).
    """
    alias = container_alias(query)
    if policy.get("indexingMode") != "none" or query.where is None or alias is None:
        return
    for node in walk(query.where):
        found = path(node)
        if found is None or found[0] != alias or not found[1]:
            continue
        if found[1][0] not in _ALWAYS_INDEXED and not any(found[1] == key for key in key_paths):
            raise QueryUnservable(NO_SCAN)
