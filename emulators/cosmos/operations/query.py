"""Queries over a container's items: which documents, one page of results, and a continuation that cannot be forged.

The language is `emulators.cosmos.sql`'s; here are the request, the partitions, the page and the answer.
"""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from emulators.base.serving import Response
from emulators.cosmos import charges, errors, limits
from emulators.cosmos.continuation import Position, read_position, write_position
from emulators.cosmos.errors import Refused
from emulators.cosmos.evaluation import asked, computed_properties, context_of, functions_of, refusals
from emulators.cosmos.operations import query_metrics
from emulators.cosmos.operations.feed import documents_envelope
from emulators.cosmos.operations.pages import Work, make_page
from emulators.cosmos.operations.plans import pins_keys, plan_document
from emulators.cosmos.operations.ranked import make_ranked_page
from emulators.cosmos.operations.reading import Planner
from emulators.cosmos.scopes import scopes_of
from emulators.cosmos.scripts.functions import FunctionCalls
from emulators.cosmos.sql.functions import Context
from emulators.cosmos.sql.ordering import demand_index, demand_scan
from emulators.cosmos.sql.statement import Statement, prepare
from emulators.cosmos.sql.values import Value
from emulators.cosmos.store.catalog import Container
from emulators.cosmos.store.documents import Scope
from emulators.cosmos.wire import Call, answer, container_headers


async def execute(call: Call) -> Response:
    """POST docs with a query: one page."""
    container = call.container()
    text, parameters = asked(call)
    async with functions_of(call, container, text) as functions:
        with refusals():
            return await _execute(call, container, text, parameters, functions)


async def _execute(
    call: Call, container: Container, text: str, parameters: Mapping[str, Value], functions: FunctionCalls
) -> Response:
    began = call.account.clock.now()
    statement = prepare(text, computed_properties(container))
    context = context_of(call, parameters, container, functions.call)
    policy = container.resource.body.get("indexingPolicy", {})
    policy = policy if isinstance(policy, dict) else {}
    demand_index(statement.query, policy)
    if not call.flag("x-ms-documentdb-query-enable-scan"):
        demand_scan(statement.selecting, policy, container.partition_key.paths)
    scopes = _scopes(call, container, statement, context)
    query_key = (container.resource.rid, text, parameters)
    token = call.header("x-ms-continuation")
    start = read_position(call.account.key, query_key, token) if token else Position()
    window = statement.window(context)
    planner = Planner(call.account.store, container, statement, parameters)
    reading = await planner.reading(scopes, start)
    size = call.page_size(limits.PAGE_ITEMS_MAX)
    work = Work(call, container, statement, context, functions, scopes, reading, size, began)
    more = await (make_page if statement.query.rank is None else make_ranked_page)(work, start, window)
    headers = container_headers(call, container, scopes[0].range if len(scopes) == 1 else None)
    await call.account.store.database.settled()
    headers["x-ms-item-count"] = str(len(work.results))
    if more is not None:
        headers["x-ms-continuation"] = write_position(call.account.key, query_key, more)
    headers.update(_diagnostics(work, call.account.clock.now() - began))
    charge = charges.page(work.loaded, work.results_bytes)
    return answer(call, 200, documents_envelope(container, work.results), charge=charge, headers=headers)


def _diagnostics(work: Work, seconds: float) -> dict[str, str]:
    """Headers that tell of the query's work, where the request asks for them."""
    call, told = work.call, {}
    if call.flag("x-ms-documentdb-populatequerymetrics"):
        told[query_metrics.METRICS_HEADER] = query_metrics.metrics(
            seconds=seconds,
            loaded=work.loaded,
            loaded_bytes=work.loaded_bytes,
            given=len(work.results),
            given_bytes=work.results_bytes,
        )
    if call.flag("x-ms-cosmos-populateindexmetrics"):
        keyed = bool(call.partition_key_or_prefix())
        told[query_metrics.INDEX_HEADER] = query_metrics.index_utilization(
            work.container, work.statement.query, keyed=keyed
        )
    if call.flag("x-ms-cosmos-populatequeryadvice") and not call.header("x-ms-continuation"):
        told[query_metrics.ADVICE_HEADER] = query_metrics.query_advice(work.statement.query)
    return told


def _scopes(call: Call, container: Container, statement: Statement, context: Context) -> list[Scope]:
    scopes = scopes_of(call, container)
    keyed = call.partition_key_or_prefix()
    if keyed or call.header("x-ms-documentdb-partitionkeyrangeid") or call.header("x-ms-start-epk"):
        return scopes
    if not call.flag("x-ms-documentdb-query-enablecrosspartition") and not pins_keys(container, statement, context):
        raise Refused(errors.CROSS_PARTITION_DISABLED)
    if statement.is_search or (len(scopes) > 1 and statement.needs_merging):
        raise _not_servable(container, statement, context)
    return scopes


def _not_servable(container: Container, statement: Statement, context: Context) -> Refused:
    """The answer that makes a client ask for the plan and do the merging."""
    told = orjson.dumps(plan_document(container, statement, context)).decode()
    return Refused(errors.CROSS_PARTITION_NOT_SERVABLE, extra={"additionalErrorInfo": told})
