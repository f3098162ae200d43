"""Tokens to syntax tree: the clauses of a query. Expressions are `expressions.py`; meaning is `checks.py`.

The grammar: SELECT [DISTINCT] [TOP n] … [FROM …] [WHERE …] [GROUP BY …] [ORDER BY …] [OFFSET n LIMIT n].
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from emulators.cosmos.sql.errors import refused
from emulators.cosmos.sql.expressions import ExpressionParser
from emulators.cosmos.sql.limits import COUNT_VALUE_MAX, TREE_DEPTH_MAX
from emulators.cosmos.sql.nodes import (
    Call,
    Clause,
    Constant,
    Expression,
    Index,
    Item,
    Name,
    Parameter,
    Property,
    Query,
    Select,
    SortKey,
    Source,
    Span,
    Subquery,
    deepest,
)


def parse(text: str) -> Query:
    """The tree of a query text. Raises QueryRefused with code and position."""
    parser = Parser(text)
    query = parser.query()
    parser.expect_end()
    if (node := deepest(query, TREE_DEPTH_MAX)) is not None:
        start, end = node.span
        raise refused("SC1002", start, end, near=text[start:end], limit=TREE_DEPTH_MAX)
    return query


class Parser(ExpressionParser):
    """One pass over the tokens, one token of look-ahead."""

    def query(self) -> Query:
        """A SELECT with its clauses, up to whatever ends it."""
        start = self.current.start
        places: dict[Clause, Span] = {}
        select = self._select(places)
        sources = self._sources() if self.take_keyword("FROM") else ()
        where = self.expression() if self.take_keyword("WHERE") else None
        group_by: tuple[Expression, ...] = ()
        if self.take_keyword("GROUP"):
            self.expect_keyword("BY")
            group_by = self.expressions()
        with self._placed(places, "ORDER BY"):
            rank, order_by = self._order_by()
        with self._placed(places, "OFFSET LIMIT"):
            offset, limit = self._offset_limit()
        span = (start, self.previous_end)
        return Query(select, sources, where, group_by, order_by, rank, offset, limit, places=places, span=span)

    @contextmanager
    def _placed(self, places: dict[Clause, Span], clause: Clause) -> Iterator[None]:
        """Note where the clause stands that is read inside."""
        start = self.current.start
        yield
        places[clause] = (start, self.previous_end)

    def _select(self, places: dict[Clause, Span]) -> Select:
        start = self.current.start
        self.expect_keyword("SELECT")
        distinct = self.take_keyword("DISTINCT")
        with self._placed(places, "TOP"):
            top = self._count("SC2060") if self.take_keyword("TOP") else None
        if self.at_symbol("*"):
            star = self.advance()
            return Select("*", (), distinct, top, span=(star.start, star.end))
        if self.take_keyword("VALUE"):
            expression = self.expression()
            item = Item(expression, span=expression.span)
            return Select("VALUE", (item,), distinct, top, span=(start, self.previous_end))
        items = [self._item()]
        while self.take_symbol(","):
            items.append(self._item())
        return Select("LIST", tuple(items), distinct, top, span=(start, self.previous_end))

    def _item(self) -> Item:
        start = self.current.start
        expression = self.expression()
        alias = None
        if self.take_keyword("AS") or self.at_name():
            alias = self.expect_name()
        return Item(expression, alias, span=(start, self.previous_end))

    def _sources(self) -> tuple[Source, ...]:
        sources = [self._source()]
        while self.take_keyword("JOIN"):
            sources.append(self._source())
        return tuple(sources)

    def _source(self) -> Source:
        start = self.current.start
        if self.at_symbol("("):
            nested = self.subquery("")
            return Source(nested, self._alias(), span=(start, self.previous_end))
        if self.at_name() and self.next_is_keyword("IN"):
            alias = self.expect_name()
            self.advance()
            origin = self.subquery("") if self.at_symbol("(") else self._collection()
            return Source(origin, alias, iterates=True, span=(start, self.previous_end))
        return Source(self._collection(), self._alias(), span=(start, self.previous_end))

    def _alias(self) -> str | None:
        if self.take_keyword("AS") or self.at_name():
            return self.expect_name()
        return None

    def _collection(self) -> Name | Property | Index:
        token = self.current
        node: Name | Property | Index = Name(self.expect_name(), span=(token.start, token.end))
        while (step := self.path_step(node)) is not None:
            node = step
        return node

    def _order_by(self) -> tuple[Call | None, tuple[SortKey, ...]]:
        if not self.take_keyword("ORDER"):
            return None, ()
        self.expect_keyword("BY")
        if self.at_keyword("RANK") and self.next_is_name():
            self.advance()
            return self._rank(), ()
        keys = [self._sort_key()]
        while self.take_symbol(","):
            keys.append(self._sort_key())
        return None, tuple(keys)

    def _rank(self) -> Call:
        start = self.current.start
        function = self.expression()
        if not isinstance(function, Call):
            raise self.refusal("SC2221", start, self.previous_end)
        if self.at_keyword("ASC") or self.at_keyword("DESC"):
            raise self.unservable("Specifying a sort order (ASC or DESC) in the ORDER BY RANK clause is not allowed.")
        return function

    def _sort_key(self) -> SortKey:
        start = self.current.start
        expression = self.expression()
        if self.take_keyword("DESC"):
            return SortKey(expression, "DESC", span=(start, self.previous_end))
        if self.take_keyword("ASC"):
            return SortKey(expression, "ASC", span=(start, self.previous_end))
        return SortKey(expression, span=(start, self.previous_end))

    def _offset_limit(self) -> tuple[Constant | Parameter | None, Constant | Parameter | None]:
        if not self.take_keyword("OFFSET"):
            return None, None
        offset = self._count("SC2062")
        self.expect_keyword("LIMIT")
        return offset, self._count("SC2061")

    def _count(self, too_large: str) -> Constant | Parameter:
        """The number of TOP, OFFSET or LIMIT: no sign, no expression."""
        token = self.advance() if self.current.kind in ("number", "parameter") else None
        if token is None:
            raise self.syntax_error()
        if token.kind == "parameter":
            return Parameter(token.value, span=(token.start, token.end))
        if not isinstance(token.value, int):
            raise self.refusal("SC2060" if too_large == "SC2060" else "SC1001", token.start, token.end, near=token.text)
        if token.value > COUNT_VALUE_MAX:
            raise self.refusal(too_large, token.start, token.end)
        return Constant(token.value, "number", span=(token.start, token.end))

    def subquery(self, kind: str) -> Subquery:
        """(SELECT …), the keyword before it (EXISTS …) already read."""
        start = self.current.start
        self.expect_symbol("(")
        with self.deeper():
            query = self.query()
        self.expect_symbol(")")
        return Subquery(kind, query, span=(start, self.previous_end))  # type: ignore[arg-type]
