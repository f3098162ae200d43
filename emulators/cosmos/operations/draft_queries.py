"""A script's query: a page of results over one logical partition, as the script's transaction sees it.

A partition is small beside a container, and its copy has no indexes: documents are looked at one by one. Rows that
need no sorting are made as far as the page goes; others are made whole for each page.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from itertools import islice

import apsw
import orjson

from emulators.cosmos import charges, limits
from emulators.cosmos.continuation import Position
from emulators.cosmos.evaluation import refusals
from emulators.cosmos.scripts.functions import FunctionCalls
from emulators.cosmos.sql.computed import Definitions
from emulators.cosmos.sql.functions import Context
from emulators.cosmos.sql.statement import Row, Statement, prepare
from emulators.cosmos.sql.values import Value
from emulators.cosmos.store.documents import Scope, scan

_BATCH = 500
"""Documents read at a time; after them the server looks after its other clients. Our choice."""


@dataclass(frozen=True, slots=True)
class Page:
    """Results as JSON, where the next page begins (None after the last), and the charge."""

    results: list[bytes]
    more: Position | None
    charge: float


@dataclass(slots=True)
class DraftQuery:
    """One query on the documents in `scope` of `connection`."""

    connection: apsw.Connection
    scope: Scope
    context: Context
    functions: FunctionCalls
    loaded: int = 0

    async def page(self, text: str, computed: Definitions, start: Position, size: int) -> Page:
        """Up to `size` results from `start` on. Raises Refused."""
        with refusals():
            statement = prepare(text, computed)
            window = statement.window(self.context)
            last = None if window.take is None else window.skip + window.take
            results: list[bytes] = []
            size_bytes, passed, more = 0, start.passed, None
            async with aclosing(self._results(statement, start)) as found:
                async for place, result in found:
                    if last is not None and passed >= last:
                        break
                    if passed >= window.skip:
                        size_bytes += len(result)
                        if len(results) == size or (results and size_bytes > limits.RESPONSE_BYTES_MAX):
                            more = Position(0, *place, passed)
                            break
                        results.append(result)
                    passed += 1
        return Page(results, more, charges.page(self.loaded, size_bytes))

    async def _results(
        self, statement: Statement, start: Position
    ) -> AsyncGenerator[tuple[tuple[int, int], bytes], None]:
        """((position, row) of a document's row, result) from `start` on; the place is nothing in what is made whole."""
        if statement.is_collected:
            collection = statement.collect((), self.context)
            async for _, _, document in self._documents(statement, -1):
                collection.add(document)
            for value in islice(collection.results(), start.passed, None):
                yield (0, 0), orjson.dumps(value)
        elif statement.is_sorted:
            rows: list[Row] = []
            async for _, _, document in self._documents(statement, -1):
                rows.extend(statement.rows(document, self.context))
            rows.sort(key=lambda row: row.sort_key)
            for row in rows[start.passed :]:
                yield (0, 0), orjson.dumps(row.value)
        else:
            async for position, body, document in self._documents(statement, start.position - 1):
                for row in statement.rows(document, self.context):
                    if position != start.position or row.number >= start.rows:
                        yield (position, row.number), body if statement.is_whole_documents else orjson.dumps(row.value)

    async def _documents(self, statement: Statement, after: int) -> AsyncIterator[tuple[int, bytes, Value]]:
        """(position, JSON, value) of the documents beyond a position, their user-defined functions' results known."""
        if statement.container_slot is None:
            await self.functions.know(statement, None, self.context)
            yield 0, b"", None
            return
        while batch := list(scan(self.connection, self.scope, after=after, limit=_BATCH)):
            for position, body in batch:
                document = orjson.loads(body)
                await self.functions.know(statement, document, self.context)
                self.loaded += 1
                yield position, body, document
            after = batch[-1][0]
            await asyncio.sleep(0)
