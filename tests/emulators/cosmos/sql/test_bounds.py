"""What one query may hold at once is bounded: a shelf takes the rest, or the query is refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulators.base.clock import stopped_clock
from emulators.cosmos.sql import aggregates, collecting, program
from emulators.cosmos.sql.errors import QueryUnservable
from emulators.cosmos.sql.functions import Context
from emulators.cosmos.sql.statement import prepare
from emulators.cosmos.sql.values import UNDEFINED
from emulators.cosmos.store.shelf import DiskShelf
from tests.emulators.cosmos.sql.generated import DOCUMENTS, UNHURRIED


def results(query: str, documents: Sequence[dict[str, Any]]) -> list[Any]:
    """The results of a query that may use a shelf on disk."""
    clock = stopped_clock()
    context = Context({}, lambda: 0, 0, clock.now, lambda name, arguments: UNDEFINED, {}, shelf=DiskShelf)
    statement = prepare(query)
    if statement.is_collected:
        return list(statement.collect(documents, context).results())
    return [row.value for document in documents for row in statement.rows(document, context)]


@pytest.mark.our_choice("memory is bounded: COLLECTED_VALUES_MAX")
@pytest.mark.parametrize(
    "query",
    [
        "SELECT DISTINCT VALUE n FROM c JOIN (SELECT DISTINCT VALUE n FROM n IN c.numbers) AS n",
        "SELECT VALUE ARRAY(SELECT DISTINCT VALUE n FROM n IN c.numbers) FROM c",
        "SELECT VALUE MAKELIST(n) FROM n IN c.numbers",
    ],
)
def test_a_query_that_would_hold_too_much_is_refused(monkeypatch: pytest.MonkeyPatch, query: str) -> None:
    """Lists and a subquery's distinct values up to the bound are served, one more is refused."""
    for module in (program, aggregates):
        monkeypatch.setattr(module, "COLLECTED_VALUES_MAX", 10)
    assert results(query, [{"numbers": list(range(10))}])
    with pytest.raises(QueryUnservable):
        results(query, [{"numbers": list(range(11))}])


SHELVED = (
    "SELECT DISTINCT VALUE c.a FROM c",
    "SELECT DISTINCT c.a, c.b FROM c",
    "SELECT DISTINCT VALUE c.a FROM c ORDER BY c.b DESC",
    "SELECT c.a, COUNT(1) AS n, MAX(c.b) AS most, MAKELIST(c.b) AS all FROM c GROUP BY c.a",
    "SELECT c.a, c.b, SUM(c.a) AS total FROM c GROUP BY c.a, c.b",
    "SELECT DISTINCT VALUE COUNT(1) FROM c GROUP BY c.a",
)


@pytest.mark.our_choice("what does not fit into memory goes to disk and comes back the same")
@pytest.mark.parametrize("query", SHELVED)
@UNHURRIED
@given(documents=DOCUMENTS, held=st.integers(0, 3))
def test_what_goes_to_a_shelf_comes_back_as_if_it_had_been_held(
    query: str, documents: list[dict[str, Any]], held: int
) -> None:
    """With room for a few values or groups the results are those of a query with room for all."""
    expected = results(query, documents)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(collecting, "VALUES_HELD_MAX", held)
        patch.setattr(collecting, "GROUPS_HELD_MAX", held)
        found = results(query, documents)
    ordered = "c.b" not in query or "ORDER BY" in query  # else groups have no order that a query may count on
    assert found == expected if ordered else sorted(map(repr, found)) == sorted(map(repr, expected))
