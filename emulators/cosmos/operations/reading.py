"""How a query's documents are read: all of a scope in their own order, those that an index finds, or along an index.

The language says what can be looked up (`sql.access`) and in which order (`Statement.order`); here the index policy
and the sizes decide. An index is made the first time that it would help.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import apsw

from emulators.cosmos import errors
from emulators.cosmos.continuation import Position
from emulators.cosmos.errors import Refused
from emulators.cosmos.sql.access import Access, accesses
from emulators.cosmos.sql.columns import Column
from emulators.cosmos.sql.index_policy import is_indexed
from emulators.cosmos.sql.pushdown import sieve
from emulators.cosmos.sql.statement import Statement
from emulators.cosmos.sql.values import Value
from emulators.cosmos.store import indexes
from emulators.cosmos.store.catalog import Container
from emulators.cosmos.store.documents import Scope, count_some
from emulators.cosmos.store.files import Store

MATCHES_SORTED_MAX = 1000
"""Documents that are found and then put into their order, each page anew: our choice, a millisecond's work."""
MATCHES_FEW = 50
"""Documents found by an index that no other need be asked to beat: our choice."""
SMALL_SCOPE_DOCUMENTS = 100
"""Documents of a logical partition that are all looked at rather than looked up: our choice."""
WALKED_SHARE_MIN = 8
"""A scope that holds less than one in so many of its container's documents is not found by walking them: our choice."""
WALKED_DOCUMENTS_MIN = 20_000
"""Unless it holds more than these: our choice."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A condition for SQLite, the index to use if one is, and the columns by which documents come if by any."""

    where: str = ""
    bindings: tuple[Any, ...] = ()
    index: str = ""
    columns: tuple[Column, ...] = ()
    walks: bool = False
    """Whether SQLite gives documents in the columns' order, which else they have to be put into."""
    sorts: bool = False
    """Whether it has to sort them for that, because no index has the order."""
    ranked: bool = True
    """Whether the first column's rank takes part in that order: not where the condition pins it."""
    exact: bool = False
    """Whether the condition is all of WHERE."""
    by_position: bool = False
    """Whether the scopes are large parts of their partitions."""


class Planner:
    """Decides for one query over one container."""

    def __init__(
        self, store: Store, container: Container, statement: Statement, parameters: Mapping[str, Value]
    ) -> None:
        self._store = store
        self._container = container
        self._statement = statement
        policy = container.resource.body.get("indexingPolicy", {})
        self._sieve = sieve(statement.selecting, parameters)
        self._accesses = [each for each in accesses(statement.selecting, parameters) if is_indexed(policy, each.steps)]

    async def reading(self, scopes: list[Scope], start: Position) -> Reading:
        """How to read `scopes` from `start` on: an unordered query goes on in the order that its last page had."""
        if self._statement.container_slot is None or not scopes:
            return self._every()
        if self._is_small(scopes):
            return self._put_in_order(self._every(), scopes)
        if start.key is not None and not self._statement.is_sorted:
            return await self._along_range() if len(scopes) == 1 else self._by_range()
        looked_up = await self._looked_up(scopes)
        if looked_up is not None:
            return self._put_in_order(looked_up, scopes)
        if len(scopes) > 1:
            return self._every()
        (scope,) = scopes
        large, along = self._is_large_share(scope), None
        if self._statement.is_sorted and not self._statement.is_collected:
            if large:
                along = await self._along_order()
            elif count_some(self._store.connection, scope, MATCHES_SORTED_MAX + 1) <= MATCHES_SORTED_MAX:
                along = self._put_in_order(self._every(), scopes)
        elif start == Position() and not self._statement.is_collected and self._range is not None and scope.is_whole:
            along = await self._along_range()
            along = along if along.walks else None
        return along or self._every(by_position=large)

    def _every(self, *, by_position: bool = False) -> Reading:
        return Reading(self._sieve.sql, self._sieve.bindings, exact=self._sieve.exact, by_position=by_position)

    def _is_small(self, scopes: list[Scope]) -> bool:
        """Whether the scopes are parts of partitions, and so few documents that looking at all is quickest."""
        if any(scope.is_whole for scope in scopes):
            return False
        left = SMALL_SCOPE_DOCUMENTS + 1
        for scope in scopes:
            left -= count_some(self._store.connection, scope, left)
        return left > 0

    async def _looked_up(self, scopes: list[Scope]) -> Reading | None:
        """By the first index that finds few documents, or that finds many in their own order already."""
        named: list[tuple[Access, str]] = []
        for access in self._accesses:
            name = await self._index((access.column,))
            if name and self._matches(scopes, name, access, MATCHES_FEW + 1) <= MATCHES_FEW:
                return self._found(access, name)
            named += [(access, name)] if name else []
        for access, name in named:
            if self._matches(scopes, name, access, MATCHES_SORTED_MAX + 1) <= MATCHES_SORTED_MAX:
                return self._found(access, name)
        for access, name in named:
            if access.in_order and not self._statement.is_sorted and all(scope.is_whole for scope in scopes):
                return self._found(access, name)
        return None

    def _matches(self, scopes: list[Scope], name: str, access: Access, limit: int) -> int:
        """How many documents an index finds in the scopes' partitions, no further than `limit`."""
        where, bindings = access.where()
        left = limit
        for scope in scopes:
            left -= count_some(self._store.connection, scope, left, index=name, where=where, bindings=bindings)
        return limit - left

    async def _along_order(self) -> Reading | None:
        columns = self._statement.order
        name = await self._index(columns) if columns else ""
        if not name:
            return None
        return Reading(self._sieve.sql, self._sieve.bindings, name, columns, walks=True, exact=self._sieve.exact)

    def _put_in_order(self, reading: Reading, scopes: list[Scope]) -> Reading:
        """The same few documents, sorted by SQLite where it can tell the order of the results: it loads no others."""
        statement = self._statement
        columns = statement.order if statement.is_sorted and not statement.is_collected else ()
        if not columns or not reading.exact or len(scopes) > 1:
            return reading
        return replace(reading, columns=columns, walks=True, sorts=True, ranked=True)

    @property
    def _range(self) -> Access | None:
        """The first range that WHERE demands of a path in the index."""
        return next((access for access in self._accesses if not access.points), None)

    async def _along_range(self) -> Reading:
        """Along the first range: its many documents come by value, so that no page has to sort them."""
        name = await self._index((self._range.column,)) if self._range else ""
        return self._found(self._range, name, walks=True) if self._range and name else self._by_range()

    def _by_range(self) -> Reading:
        """In the same order without its index, or over partitions that were split since: sorted."""
        if self._range is None:
            raise Refused(errors.BAD_CONTINUATION)
        return Reading(self._sieve.sql, self._sieve.bindings, columns=(self._range.column,))

    def _found(self, access: Access, name: str, *, walks: bool = False) -> Reading:
        where, bindings = access.where()
        if self._sieve.sql and not access.whole:
            where, bindings = f"{where} AND ({self._sieve.sql})", [*bindings, *self._sieve.bindings]
        columns = (access.column,) if walks else ()
        exact = access.whole or self._sieve.exact
        return Reading(where, tuple(bindings), name, columns, walks=walks, ranked=False, exact=exact)

    def _is_large_share(self, scope: Scope) -> bool:
        if scope.is_whole:
            return True
        enough = min(
            indexes.documents_made(self._store.connection, self._container.number) // WALKED_SHARE_MIN,
            WALKED_DOCUMENTS_MIN,
        )
        return count_some(self._store.connection, scope, enough + 1) > enough

    async def _index(self, columns: tuple[Column, ...]) -> str:
        """The name of the index over these columns, made now if that is worth it; empty when there is none."""
        first = columns[0].descends
        upwards = tuple(Column(each.steps, each.descends is not first) for each in columns)
        number, connection = self._container.number, self._store.connection
        name = indexes.name_of(number, upwards)
        if indexes.exists(connection, name):
            return name
        if not indexes.worth_making(connection, number):
            return ""

        def make(connection: apsw.Connection) -> None:
            indexes.make(connection, number, upwards)

        await self._store.database.write(make)
        return name
