"""What SQLite sifts beforehand never hides a document that the query selects."""

from __future__ import annotations

from typing import Any

import apsw
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulators.base.ids import Ids
from emulators.cosmos.sql.functions import Context
from emulators.cosmos.sql.pushdown import condition, sieve
from emulators.cosmos.sql.statement import prepare

pytestmark = pytest.mark.our_choice("an optimisation of ours; the evaluator is the definition")

NAMES = ("a", "b", 'quo"te', "dot.ted", "$", "ünï")
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**60), 2**60),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=4),
    st.sampled_from(["a", "b", "ab", "", "\x00", "1", "é", "\U0001f600"]),
)
VALUES: st.SearchStrategy[Any] = st.deferred(
    lambda: SCALARS | st.lists(VALUES, max_size=2) | st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=2)
)
DOCUMENTS = st.lists(st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=4), max_size=6)
PATHS = st.lists(st.sampled_from(NAMES), min_size=1, max_size=2).map(
    lambda names: "c" + "".join(f"[{orjson.dumps(name).decode()}]" for name in names)
)
OPERATORS = st.sampled_from(["=", "<", "<=", ">", ">="])
COMPARISONS = st.tuples(PATHS, st.sampled_from(["=", "<", "<=", ">", ">=", "!="]), st.booleans())


def sifted(documents: list[dict[str, Any]], where: str, bindings: list[Any]) -> set[int]:
    """The numbers of the documents that SQLite lets through."""
    connection = apsw.Connection(":memory:")
    connection.execute("CREATE TABLE document (number INTEGER, body BLOB)")
    for number, document in enumerate(documents):
        connection.execute("INSERT INTO document VALUES (?, jsonb(?))", (number, orjson.dumps(document)))
    found = connection.execute(f"SELECT number FROM document WHERE {where or 'true'}", bindings).fetchall()
    connection.close()
    return {int(str(number)) for (number,) in found}


@given(DOCUMENTS, st.lists(COMPARISONS, min_size=1, max_size=3), st.lists(SCALARS, min_size=3, max_size=3))
def test_a_document_that_the_query_selects_is_let_through(
    documents: list[dict[str, Any]], comparisons: list[tuple[str, str, bool]], values: list[Any]
) -> None:
    """For any documents, comparisons and values the sieve keeps at least what the evaluator selects."""
    parts = [
        f"{path} {operator} @p{number}" if left else f"@p{number} {operator} {path}"
        for number, (path, operator, left) in enumerate(comparisons)
    ]
    statement = prepare(f"SELECT * FROM c WHERE {' AND '.join(parts)}")
    parameters = {f"@p{number}": value for number, value in enumerate(values)}
    context = Context(parameters, lambda: 0, 0, Ids(1).chance, lambda name, arguments: None, {})
    parsed = [orjson.loads(orjson.dumps(document)) for document in documents]
    selected = {number for number, document in enumerate(parsed) if list(statement.rows(document, context))}
    assert selected <= sifted(documents, *condition(statement.query, parameters))


PREDICATES = st.one_of(
    st.builds(lambda path, operator, number: f"{path} {operator} @p{number}", PATHS, OPERATORS, st.integers(0, 2)),
    st.builds("{} IN (@p0, @p1)".format, PATHS),
    st.builds("IS_DEFINED({})".format, PATHS),
)


@given(DOCUMENTS, st.lists(PREDICATES, min_size=2, max_size=4), st.lists(SCALARS, min_size=3, max_size=3))
def test_an_exact_sieve_lets_through_what_the_query_selects_and_nothing_else(
    documents: list[dict[str, Any]], predicates: list[str], values: list[Any]
) -> None:
    """Where a sieve says that it is exact, counting in SQLite is counting in the evaluator."""
    first, second, *rest = predicates
    statement = prepare(f"SELECT * FROM c WHERE {' AND '.join([f'({first} OR {second})', *rest])}")
    parameters = {f"@p{number}": value for number, value in enumerate(values)}
    context = Context(parameters, lambda: 0, 0, Ids(1).chance, lambda name, arguments: None, {})
    parsed = [orjson.loads(orjson.dumps(document)) for document in documents]
    selected = {number for number, document in enumerate(parsed) if list(statement.rows(document, context))}
    found = sieve(statement.query, parameters)
    let_through = sifted(documents, found.sql, list(found.bindings))
    assert selected == let_through if found.exact else selected <= let_through


def test_the_services_own_filters_are_sifted() -> None:
    """The relay's and the list's filters do reach SQLite: most documents are never parsed."""
    statement = prepare("SELECT TOP 5 * FROM c WHERE c.pending < @before ORDER BY c.pending")
    where, bindings = condition(statement.query, {"@before": "2026-01-02"})
    documents: list[dict[str, Any]] = [{"pending": "2026-01-01"}, {"pending": "2026-01-03"}, {"pending": 1}, {}]
    assert sifted(documents, where, bindings) == {0}
