"""Queries over a container's items: which documents, one page of results, and a continuation that cannot be forged.

The language is `emulators.cosmos.sql`'s; here are the request, the partitions, the page and the answer.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from emulators.base.serving import Response
from emulators.cosmos import charges, errors, limits
from emulators.cosmos.continuation import Position, read_position, write_position
from emulators.cosmos.errors import Refused
from emulators.cosmos.evaluation import asked, computed_properties, context_of, refusals
from emulators.cosmos.operations import query_metrics
from emulators.cosmos.operations.feed import documents_envelope
from emulators.cosmos.operations.plans import pins_keys, plan_document
from emulators.cosmos.scopes import Place, scopes_of, split_since, unread
from emulators.cosmos.sessions import check_session
from emulators.cosmos.sql.functions import Context
from emulators.cosmos.sql.ordering import demand_index
from emulators.cosmos.sql.pushdown import Sieve, condition, sieve
from emulators.cosmos.sql.statement import Row, Statement, Window, prepare
from emulators.cosmos.sql.values import Value
from emulators.cosmos.store.catalog import Container
from emulators.cosmos.store.documents import Scope, scan, select
from emulators.cosmos.wire import Call, answer, container_headers

DOCUMENTS_PER_TURN = 500
"""After so many documents the server looks after its other clients. Our choice."""


@dataclass(slots=True)
class Work:
    """One page in the making."""

    call: Call
    container: Container
    statement: Statement
    context: Context
    scopes: list[Scope]
    size: int
    loaded: int = 0
    loaded_bytes: int = 0
    results: list[bytes] = field(default_factory=list)
    results_bytes: int = 0

    def has_room(self, result: bytes) -> bool:
        """Whether the page takes one more result: by count, and by bytes unless it would be the first."""
        if len(self.results) >= self.size:
            return False
        return not self.results or self.results_bytes + len(result) <= limits.RESPONSE_BYTES_MAX

    def add(self, result: bytes) -> None:
        """Put a result on the page."""
        self.results.append(result)
        self.results_bytes += len(result)


async def execute(call: Call) -> Response:
    """POST docs with a query: one page."""
    container = call.container()
    text, parameters = asked(call)
    with refusals():
        return await _execute(call, container, text, parameters)


async def _execute(call: Call, container: Container, text: str, parameters: Mapping[str, Value]) -> Response:
    began = call.account.clock.now()
    statement = prepare(text, computed_properties(container))
    context = context_of(call, parameters, container)
    policy = container.resource.body.get("indexingPolicy", {})
    demand_index(statement.query, policy if isinstance(policy, dict) else {})
    scopes = _scopes(call, container, statement, context)
    work = Work(call, container, statement, context, scopes, call.page_size(limits.PAGE_ITEMS_MAX))
    query_key = (container.resource.rid, text, parameters)
    token = call.header("x-ms-continuation")
    start = read_position(call.account.key, query_key, token) if token else Position()
    window = statement.window(context)
    if statement.is_collected:
        more = await _collected(work, start, window)
    elif statement.is_sorted:
        more = await _sorted(work, start, window)
    else:
        more = await _streamed(work, start, window)
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
    return told


async def _streamed(work: Work, start: Position, window: Window) -> Position | None:
    """Results in the order of the documents, each page going on where the last ended."""
    passed = start.passed
    wanted = None if window.take is None else window.skip + window.take
    async for scope, position, body, document in _documents(work, start):
        for row in work.statement.rows(document, work.context):
            if position == start.position and row.number < start.rows:
                continue
            if wanted is not None and passed >= wanted:
                return None
            if passed < window.skip:
                passed += 1
                continue
            result = body if work.statement.is_whole_documents else _json(row.value)
            if not work.has_room(result):
                split = split_since(work.container, _place(start))
                return Position(scope.range.id, position, row.number, passed, split=split)
            work.add(result)
            passed += 1
    return None


async def _sorted(work: Work, start: Position, window: Window) -> Position | None:
    """Results by ORDER BY: the smallest beyond the last page's end, in memory bounded by the page."""
    to_skip = max(window.skip - start.passed, 0)
    left = None if window.take is None else window.skip + window.take - max(start.passed, window.skip)
    keep = to_skip + work.size + 1
    beyond = (start.key, start.position, start.rows) if start.key is not None else None
    nearest: list[tuple[tuple[bytes, int, int], Row, bytes]] = []
    async for _, position, body, document in _documents(work, Position()):
        for row in work.statement.rows(document, work.context):
            mark = (row.sort_key, position, row.number)
            if beyond is None or mark > beyond:
                nearest.append((mark, row, body))
        if len(nearest) > 4 * keep + DOCUMENTS_PER_TURN:
            nearest = heapq.nsmallest(keep, nearest, key=lambda each: each[0])
    nearest = heapq.nsmallest(keep, nearest, key=lambda each: each[0])[to_skip:]
    passed = start.passed + to_skip
    last = beyond
    for mark, row, body in nearest:
        if left is not None and len(work.results) >= left:
            return None
        result = body if work.statement.is_whole_documents else _json(row.value)
        if not work.has_room(result):
            assert last is not None
            return Position(-1, last[1], last[2], passed, last[0])
        work.add(result)
        passed += 1
        last = mark
    return None


async def _collected(work: Work, start: Position, window: Window) -> Position | None:
    """Groups, aggregates and distinct values: computed whole for each page, then cut."""
    collection = work.statement.collect((), work.context)
    sifted = sieve(work.statement.filled, work.context.parameters)
    if work.statement.counts_rows and sifted.exact:
        collection.add_rows(_count(work, sifted))
    else:
        async for _, _, _, document in _documents(work, Position()):
            collection.add(document)
    results = collection.results()
    end = len(results) if window.take is None else min(window.skip + window.take, len(results))
    for number in range(max(start.passed, window.skip), end):
        result = _json(results[number])
        if not work.has_room(result):
            return Position(passed=number)
        work.add(result)
    return None


def _count(work: Work, sifted: Sieve) -> int:
    """How many documents a sieve lets through, none of them loaded."""
    connection = work.call.account.store.connection
    total = 0
    for scope in work.scopes:
        check_session(work.call, work.container, scope.range)
        total += select(connection, scope, "count(*)", where=sifted.sql, bindings=sifted.bindings).get
    return total


async def _documents(work: Work, start: Position) -> AsyncIterator[tuple[Scope, int, bytes, Value]]:
    """(scope, position, JSON, value) of the documents that may matter, from the start position's own on."""
    if work.statement.container_slot is None:
        for scope in work.scopes[:1]:
            yield scope, 0, b"", None
        return
    connection = work.call.account.store.connection
    where, bindings = condition(work.statement.filled, work.context.parameters)
    for scope, reached in unread(work.container, work.scopes, _place(start)):
        check_session(work.call, work.container, scope.range)
        after = reached
        while True:
            batch = list(scan(connection, scope, after=after, limit=DOCUMENTS_PER_TURN, where=where, bindings=bindings))
            for position, body in batch:
                work.loaded += 1
                work.loaded_bytes += len(body)
                yield scope, position, body, orjson.loads(body)
            if len(batch) < DOCUMENTS_PER_TURN:
                break
            after = batch[-1][0]
            await asyncio.sleep(0)
            _demand_unsplit(work)


def _place(start: Position) -> Place | None:
    """The place before the position's own document; None for the beginning."""
    return Place(start.range_id, start.position - 1, start.split) if start.range_id >= 0 else None


def _demand_unsplit(work: Work) -> None:
    """Return if the partitions are still those that the query began with. Raises Refused: documents have moved."""
    container = work.call.account.store.catalog.container_by_rid(work.container.resource.rid)
    if container is None:
        raise Refused(errors.NOT_FOUND)
    if not all(container.range_by_id(scope.range.id) for scope in work.scopes):
        raise Refused(errors.RANGE_GONE)


def _scopes(call: Call, container: Container, statement: Statement, context: Context) -> list[Scope]:
    scopes = scopes_of(call, container)
    if statement.query.rank is not None:
        raise _not_servable(container, statement, context)
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


def _json(value: Any) -> bytes:
    return orjson.dumps(value)
