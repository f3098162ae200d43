"""A page of a query with ORDER BY RANK within one partition: all scores first, then the documents of the page."""

from __future__ import annotations

from functools import partial

import orjson

from emulators.cosmos.continuation import Position
from emulators.cosmos.operations.pages import Work, documents
from emulators.cosmos.operations.reading import Reading
from emulators.cosmos.sql.functions import Context
from emulators.cosmos.sql.ranking import Ranking
from emulators.cosmos.sql.statement import Row, Statement, Window, prepare
from emulators.cosmos.sql.values import Value
from emulators.cosmos.store.documents import load


async def make_ranked_page(work: Work, start: Position, window: Window) -> Position | None:
    """Fill the page from `start` on. The next page's start, None after the last."""
    ranking = Ranking(work.statement.filled, work.context.parameters)
    work.reading = Reading()  # statistics are of all texts, not of those that WHERE selects
    statistics = prepare(ranking.statistics).collect((), work.context)
    async for _, document in documents(work):
        statistics.add(document)
    scored = prepare(ranking.scores(next(statistics.results())))
    positions: list[int] = []
    scores: list[list[float]] = []
    async for position, document in documents(work):
        for row in await work.functions.evaluate(partial(_rows, scored, document, work.context)):
            positions.append(position)
            scores.append(row.value)
    first = max(start.passed, window.skip)
    end = None if window.take is None else window.skip + window.take
    chosen = [positions[number] for number in ranking.order(scores)[first:end]]
    for passed, position in enumerate(chosen, first):
        body = load(work.call.account.store.connection, [position]).get(position, b"")
        document = orjson.loads(body) if body else None
        for row in (
            await work.functions.evaluate(partial(_rows, work.statement, document, work.context)) if body else ()
        ):
            result = work.written(row, body)
            if not work.has_room(result):
                return Position(passed=passed)
            work.add(result)
    return None


def _rows(statement: Statement, document: Value, context: Context) -> list[Row]:
    return list(statement.rows(document, context))
