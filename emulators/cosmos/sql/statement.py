"""A query text made ready once: parsed, checked, compiled. Runs over documents that it is handed, one at a time.

Knows neither where documents come from nor how a page of results is cut.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from emulators.cosmos.sql.checks import check, gathered_source
from emulators.cosmos.sql.collecting import Distinct, Groups, in_order
from emulators.cosmos.sql.columns import Column, json_path
from emulators.cosmos.sql.compiler import Compiler, ExpressionCompiler, Scope, is_constant
from emulators.cosmos.sql.computed import Definitions, with_computed
from emulators.cosmos.sql.errors import QueryUnservable
from emulators.cosmos.sql.functions import Context
from emulators.cosmos.sql.limits import COUNT_VALUE_MAX, PARSED_QUERIES_KEPT
from emulators.cosmos.sql.nodes import Expression, Name, Query, Subquery, path, walk
from emulators.cosmos.sql.parser import parse
from emulators.cosmos.sql.program import Evaluator, Frame, Program
from emulators.cosmos.sql.terms import container_alias
from emulators.cosmos.sql.values import UNDEFINED, Value, descending, sort_key
from emulators.cosmos.sql.vectors import is_vector_call


@dataclass(frozen=True, slots=True)
class Row:
    """A result before paging: its place in ORDER BY, which row of its document it is, and its value."""

    sort_key: bytes
    number: int
    value: Value


@dataclass(frozen=True, slots=True)
class Window:
    """Which results of a query are wanted: `skip` of them left out, then at most `take` (None: all)."""

    skip: int
    take: int | None


@dataclass(frozen=True, slots=True)
class Statement:
    """A query ready to run. Immutable, so that one text serves every request."""

    query: Query
    filled: Query
    """The query with computed properties written out."""
    program: Program
    container_slot: int | None
    gathered: Statement | None = None
    """What FROM begins with, where that is groups or distinct values: the rest runs over its results."""

    @property
    def is_sorted(self) -> bool:
        """Whether ORDER BY gives the order of the results."""
        return bool(self.query.order_by)

    @property
    def runs_down(self) -> bool:
        """Whether documents of equal sort keys come in reverse, as they do where the first key descends."""
        return bool(self.program.sort_keys) and self.program.sort_keys[0][1]

    @property
    def order(self) -> tuple[Column, ...]:
        """ORDER BY as columns of an index; empty when a key is more than a path of the document."""
        alias = container_alias(self.filled)
        columns = []
        for key in self.filled.order_by:
            found = path(key.expression)
            if found is None or found[0] != alias or json_path(found[1]) is None:
                return ()
            columns.append(Column(found[1], key.descends))
        return tuple(columns)

    @property
    def is_collected(self) -> bool:
        """Whether results exist only after all documents were seen: groups, aggregates, DISTINCT."""
        return self.program.grouped or self.program.distinct or self.gathered is not None

    @property
    def selecting(self) -> Query:
        """The query whose FROM and WHERE say which documents matter."""
        return self.filled if self.gathered is None else self.gathered.selecting

    @property
    def needs_merging(self) -> bool:
        """Whether results of several partitions cannot simply follow each other."""
        counted = self.query.select.top is not None or self.query.limit is not None
        return self.is_sorted or self.is_collected or counted or self.query.rank is not None

    @property
    def is_search(self) -> bool:
        """Whether only a client can bring the results in order: by the best match, in one partition or many."""
        return self.query.rank is not None or any(is_vector_call(key.expression) for key in self.query.order_by)

    @property
    def counts_rows(self) -> bool:
        """Whether all that it takes from documents is how many WHERE selects: COUNT(1) and the like."""
        query = self.filled
        if (
            self.gathered
            or len(query.sources) != 1
            or query.group_by
            or not self.program.grouped
            or query.sources[0].iterates
        ):
            return False
        return isinstance(query.sources[0].origin, Name) and not any(
            isinstance(node, Name | Subquery) for item in query.select.items for node in walk(item.expression)
        )

    @property
    def is_whole_documents(self) -> bool:
        """Whether a result is the stored document itself (SELECT * FROM c)."""
        query = self.query  # not `filled`: a subquery in FROM gives no stored documents
        return query.select.kind == "*" and len(query.sources) == 1 and isinstance(query.sources[0].origin, Name)

    def window(self, context: Context) -> Window:
        """TOP, OFFSET and LIMIT, their parameters put in. Raises QueryUnservable for anything but a count."""
        frame = self.frame(context)
        if self.program.top is not None:
            return Window(0, _count(self.program.top, frame, "TOP"))
        if self.program.limit is None or self.program.offset is None:
            return Window(0, None)
        return Window(_count(self.program.offset, frame, "OFFSET"), _count(self.program.limit, frame, "LIMIT"))

    def rows(self, document: Value, context: Context, *, selected: bool = False) -> Iterator[Row]:
        """What one document gives, in the order of its joins. Undefined values are no results.

        `selected`: WHERE is known to hold.
        """
        frame = self.frame(context)
        if self.container_slot is not None:
            frame[self.container_slot] = document
        program = self.program
        context.begin()
        for number, _ in enumerate(program.rows(frame, selected=selected)):
            value = program.project(frame)
            if value is not UNDEFINED:
                yield Row(_sort_keys(program, frame), number, value)

    def collect(self, documents: Iterable[Value], context: Context) -> Collection:
        """Start collecting: feed it documents, then ask for its results."""
        collection = Collection(self, context) if self.gathered is None else Staged(self, self.gathered, context)
        for document in documents:
            collection.add(document)
        return collection

    def fold(self, expression: Expression, context: Context) -> tuple[bool, Value]:
        """(whether an expression is the same for every document and run, its value)."""
        if not is_constant(expression):
            return False, UNDEFINED
        return True, ExpressionCompiler(Compiler(), Scope()).compile(expression)([context])

    def frame(self, context: Context) -> Frame:
        """A frame to run in, nothing bound yet."""
        frame: Frame = [UNDEFINED] * self.program.frame_size
        frame[0] = context
        return frame


class Collection:
    """Groups, aggregates or distinct values in the making."""

    def __init__(self, statement: Statement, context: Context) -> None:
        self._statement = statement
        self._context = context
        self._frame = statement.frame(context)
        self._groups = Groups(statement.program, context.shelf) if statement.program.grouped else None
        self._distinct = Distinct(context.shelf)

    def add(self, document: Value) -> None:
        """Take one document in."""
        for _ in self.feed(document):
            pass

    def feed(self, document: Value) -> Iterator[None]:
        """Take one document in, row by row: it may have very many."""
        statement = self._statement
        if self._groups is None:
            for row in statement.rows(document, self._context):
                self._distinct.add(row.value, row.sort_key)
                yield None
            return
        if statement.container_slot is not None:
            self._frame[statement.container_slot] = document
        self._context.begin()
        for _ in statement.program.rows(self._frame):
            self._groups.add(self._frame)
            yield None

    def add_rows(self, count: int) -> None:
        """Take in so many rows of which nothing but their number matters."""
        assert self._groups is not None
        self._groups.add_alike(self._frame, count)

    def results(self) -> Iterator[Value]:
        """The results in their order: by ORDER BY, else in that of the groups or of the first rows."""
        if self._groups is None:
            return self._distinct.values()
        program = self._statement.program
        values = ((_sort_keys(program, frame), program.project(frame)) for frame in self._groups.finished(self._frame))
        found = ((key, value) for key, value in values if value is not UNDEFINED)
        if program.distinct:
            for key, value in found:
                self._distinct.add(value, key)
            return self._distinct.values()
        if self._statement.is_sorted:
            return in_order(found, self._context.shelf())
        return (value for _, value in found)


class Staged(Collection):
    """A subquery that gathers documents, and the rest of the query over what it gives in the end."""

    def __init__(self, statement: Statement, gathered: Statement, context: Context) -> None:
        super().__init__(statement, context)
        self._gathered = gathered.collect((), context)

    def feed(self, document: Value) -> Iterator[None]:
        """Take one document in, row by row."""
        return self._gathered.feed(document)

    def results(self) -> Iterator[Value]:
        """The results in their order."""
        statement, context = self._statement, self._context
        if statement.program.grouped or statement.program.distinct:
            collection = Collection(statement, context)
            for value in self._gathered.results():
                collection.add(value)
            return collection.results()
        return (row.value for value in self._gathered.results() for row in statement.rows(value, context))


@lru_cache(PARSED_QUERIES_KEPT)
def prepare(text: str, computed: Definitions = ()) -> Statement:
    """The statement of a query text over a container with these computed properties. Raises QueryRefused."""
    query = parse(text)
    check(query)
    return _statement(query, computed)


def _statement(query: Query, computed: Definitions) -> Statement:
    inner = gathered_source(query)
    gathered = None if inner is None else _statement(inner, computed)
    filled = with_computed(query, computed) if gathered is None else _over_results(query)
    compiler = Compiler()
    program = compiler.compile(filled)
    return Statement(query, filled, program, compiler.container_slot, gathered)


def _over_results(query: Query) -> Query:
    """The query with the subquery that FROM begins with in the container's place."""
    first, *rest = query.sources
    return replace(query, sources=(replace(first, origin=Name("")), *rest))


def _sort_keys(program: Program, frame: Frame) -> bytes:
    keys = ((sort_key(evaluate(frame)), downwards) for evaluate, downwards in program.sort_keys)
    return b"".join(descending(key) if downwards else key for key, downwards in keys)


def _count(evaluate: Evaluator, frame: Frame, clause: str) -> int:
    value = evaluate(frame)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= COUNT_VALUE_MAX:
        raise QueryUnservable(f"The count value provided for a {clause} clause must be a non-negative integer.")
    return value
