"""The engine agrees with a naive evaluator written from the documentation, and so does what it hands to SQLite."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulators.cosmos.sql.access import accesses
from emulators.cosmos.sql.pushdown import sieve
from emulators.cosmos.sql.statement import prepare
from tests.emulators.cosmos.sql.generated import UNHURRIED, run, table_of
from tests.emulators.cosmos.sql.naive import MISSING, Asked, Expression, results, text_of

pytestmark = pytest.mark.documented("learn.microsoft.com/azure/cosmos-db/nosql/query, as tests/…/naive.py tells it")

NAMES = ("a", "b", "n")
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from([0.5, -1.5, 2.0]),
    st.sampled_from(["", "a", "ab", "b"]),
)
VALUES: st.SearchStrategy[Any] = st.deferred(
    lambda: SCALARS | st.lists(VALUES, max_size=3) | st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=3)
)
DOCUMENTS = st.lists(st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=3), max_size=6)
PATHS: st.SearchStrategy[Expression] = st.builds(
    lambda names: ("path", "c", *names), st.lists(st.sampled_from(NAMES), min_size=1, max_size=2)
)
CONSTANTS: st.SearchStrategy[Expression] = st.builds(lambda value: ("value", value), SCALARS | st.just(MISSING))
COMPARISONS = st.sampled_from(["=", "!=", "<", "<=", ">", ">="])
CHECKS = st.sampled_from(["IS_DEFINED", "IS_NULL", "IS_BOOL", "IS_NUMBER", "IS_STRING", "IS_ARRAY", "IS_OBJECT"])
SEARCHES = st.sampled_from(["CONTAINS", "STARTSWITH", "ENDSWITH", "ARRAY_CONTAINS"])


def expressions(leaves: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    """Expressions over these leaves."""

    def above(inner: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
        return st.one_of(
            st.tuples(COMPARISONS, inner, inner),
            st.tuples(st.sampled_from(["AND", "OR", "??", "+", "-", "*", "||"]), inner, inner),
            st.tuples(st.just("not"), inner),
            st.tuples(CHECKS, inner),
            st.tuples(SEARCHES, inner, inner),
            st.tuples(st.just("ARRAY_LENGTH"), inner),
            st.tuples(st.just("in"), inner, inner, inner),
            st.tuples(st.just("if"), inner, inner, inner),
            st.tuples(st.just("array"), inner, inner),
            st.builds(lambda one, other: ("object", ("x", one), ("y", other)), inner, inner),
        )

    return st.recursive(leaves, above, max_leaves=6)


SIMPLE = st.one_of(
    st.tuples(COMPARISONS, PATHS, CONSTANTS),
    st.tuples(COMPARISONS, CONSTANTS, PATHS),
    st.tuples(SEARCHES, PATHS, CONSTANTS),
    st.tuples(CHECKS, PATHS),
    st.tuples(st.just("in"), PATHS, CONSTANTS, CONSTANTS),
)
FILTERS = st.one_of(
    SIMPLE,
    st.builds(lambda one, other: ("AND", one, other), SIMPLE, SIMPLE),
    st.builds(lambda one, other: ("OR", one, other), SIMPLE, SIMPLE),
    st.builds(lambda one: ("not", one), SIMPLE),
    expressions(PATHS | CONSTANTS),
)
ELEMENT: st.SearchStrategy[Expression] = st.sampled_from([("path", "t"), ("path", "t", "a"), ("path", "c", "n")])


@st.composite
def questions(draw: st.DrawFn) -> Asked:
    """Queries with any of the clauses."""
    joined = draw(st.none() | PATHS)
    leaves = PATHS | CONSTANTS | ELEMENT if joined else PATHS | CONSTANTS
    return Asked(
        select=draw(expressions(leaves)),
        where=draw(st.none() | FILTERS | (expressions(leaves) if joined else FILTERS)),
        joined=joined,
        order=tuple(draw(st.lists(st.tuples(PATHS, st.booleans()), max_size=2))),
        window=draw(st.none() | st.tuples(st.integers(0, 3), st.integers(0, 5))),
        distinct=draw(st.booleans()),
    )


@UNHURRIED
@given(questions(), DOCUMENTS)
def test_a_query_gives_what_the_naive_evaluator_gives(asked: Asked, documents: list[dict[str, Any]]) -> None:
    """For generated queries and documents: the same values in the same order."""
    if asked.distinct and asked.order:
        asked = replace(asked, order=())  # in which order distinct values come then is our choice
    assert plain(run(text_of(asked), documents)) == plain(results(asked, documents))


@UNHURRIED
@given(FILTERS, DOCUMENTS)
def test_what_sqlite_lets_through_is_what_the_naive_evaluator_selects_or_more(
    where: Expression, documents: list[dict[str, Any]]
) -> None:
    """Sieves miss nothing, exact ones let nothing else through, and accesses of an index hold all that is asked."""
    statement = prepare(text_of(Asked(("path", "c"), where)))
    wanted = {number for number, each in enumerate(documents) if results(Asked(("value", 1), where), [each])}
    sifted = sieve(statement.filled, {})
    conditions = [(sifted.sql or "true", list(sifted.bindings))]
    conditions += [access.where() for access in accesses(statement.filled, {})]
    with table_of(documents) as connection:
        for sql, bindings in conditions:
            found = connection.execute(f"SELECT position FROM document WHERE {sql}", bindings).fetchall()
            assert wanted <= {int(str(number)) for (number,) in found}
        if sifted.exact:
            sql = f"SELECT count(*) FROM document WHERE {sifted.sql or 'true'}"
            assert connection.execute(sql, sifted.bindings).get == len(wanted)


def plain(values: list[Any]) -> str:
    """Values as text by which they compare: 2 and 2.0 are one number, members have no order."""
    return json.dumps(json.loads(json.dumps(values), parse_int=float), sort_keys=True)
