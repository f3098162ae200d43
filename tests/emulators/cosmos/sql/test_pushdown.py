"""What SQLite sifts beforehand never hides a document that the query selects."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulators.cosmos.sql.access import accesses
from emulators.cosmos.sql.pushdown import sieve
from emulators.cosmos.sql.statement import Statement, prepare
from emulators.cosmos.sql.values import descending, place_of_key
from emulators.cosmos.sql.walks import stretches
from tests.emulators.cosmos.sql.generated import DOCUMENTS, PATHS, SCALARS, UNHURRIED, running, table_of

pytestmark = pytest.mark.our_choice("an optimisation of ours; the evaluator is the definition")

OPERATORS = st.sampled_from(["=", "<", "<=", ">", ">="])
COMPARISONS = st.tuples(PATHS, st.sampled_from(["=", "<", "<=", ">", ">=", "!="]), st.booleans())


def sifted(documents: list[dict[str, Any]], where: str, bindings: list[Any]) -> set[int]:
    """The numbers of the documents that SQLite lets through."""
    with table_of(documents) as connection:
        found = connection.execute(f"SELECT position FROM document WHERE {where or 'true'}", bindings).fetchall()
    return {int(str(number)) for (number,) in found}


@UNHURRIED
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
    context = running(parameters)
    parsed = [orjson.loads(orjson.dumps(document)) for document in documents]
    selected = {number for number, document in enumerate(parsed) if list(statement.rows(document, context))}
    found = sieve(statement.query, parameters)
    assert selected <= sifted(documents, found.sql, list(found.bindings))


@UNHURRIED
@given(
    st.lists(
        st.fixed_dictionaries({}, optional=dict.fromkeys("ab", st.sampled_from([None, True, 1, 2.5, "x", "y", [1]])))
    ),
    OPERATORS,
    st.sampled_from(["c.a {} c.b", "c.a {} c.b AND c.a {} c.a", "c.a + 1 {} c.b", "c.a {} -c.b", "c.a {} (c.b)"]),
)
def test_two_paths_are_compared_whatever_their_types(
    documents: list[dict[str, Any]], operator: str, where: str
) -> None:
    """Of equal or ordered strings, booleans or arrays none is lost, though SQLite compares computed numbers only."""
    statement = prepare(f"SELECT * FROM c WHERE {where.format(operator, operator)}")
    selected = {number for number, document in enumerate(documents) if list(statement.rows(document, running()))}
    found = sieve(statement.query, {})
    assert selected <= sifted(documents, found.sql, list(found.bindings))


PREDICATES = st.one_of(
    st.builds(lambda path, operator, number: f"{path} {operator} @p{number}", PATHS, OPERATORS, st.integers(0, 2)),
    st.builds("{} IN (@p0, @p1)".format, PATHS),
    st.builds(
        "{}IS_{}({})".format,
        st.sampled_from(["", "NOT "]),
        st.sampled_from(["DEFINED", "NULL", "BOOL", "NUMBER", "STRING", "ARRAY", "OBJECT", "PRIMITIVE"]),
        PATHS,
    ),
    st.builds("{} BETWEEN @p0 AND @p1".format, PATHS),
    st.builds("{} != @p0".format, PATHS),
    st.builds("@p1 <> {}".format, PATHS),
    st.builds(
        "{}{}({}, @p2)".format,
        st.sampled_from(["", "NOT "]),
        st.sampled_from(["CONTAINS", "STARTSWITH", "ENDSWITH", "ARRAY_CONTAINS"]),
        PATHS,
    ),
    st.builds("{} LIKE {!r}".format, PATHS, st.sampled_from(["a", "a%", "%b", "%a%", "%", "_", "a%b", "[a]%"])),
    st.builds("{} + {} {} @p0".format, PATHS, PATHS, OPERATORS),
    st.builds("ABS({}) * 2 - @p1 {} -{}".format, PATHS, OPERATORS, PATHS),
    st.builds("FLOOR({}) {} CEILING({})".format, PATHS, OPERATORS, PATHS),
)


@UNHURRIED
@given(DOCUMENTS, st.lists(PREDICATES, min_size=2, max_size=4), st.lists(SCALARS, min_size=3, max_size=3))
def test_an_exact_sieve_lets_through_what_the_query_selects_and_nothing_else(
    documents: list[dict[str, Any]], predicates: list[str], values: list[Any]
) -> None:
    """Where a sieve says that it is exact, counting in SQLite is counting in the evaluator."""
    first, second, *rest = predicates
    statement = prepare(f"SELECT * FROM c WHERE {' AND '.join([f'({first} OR {second})', *rest])}")
    parameters = {f"@p{number}": value for number, value in enumerate(values)}
    context = running(parameters)
    parsed = [orjson.loads(orjson.dumps(document)) for document in documents]
    selected = {number for number, document in enumerate(parsed) if list(statement.rows(document, context))}
    found = sieve(statement.query, parameters)
    let_through = sifted(documents, found.sql, list(found.bindings))
    assert selected == let_through if found.exact else selected <= let_through


WRITTEN = st.text(st.sampled_from('nu0\x00\n\t"\\/*?[]aé\u2028 '), max_size=8)
"""Texts in which JSON escapes much, and in which its escapes look like words."""


@UNHURRIED
@given(st.lists(WRITTEN, min_size=1, max_size=6), WRITTEN.filter(bool), st.sampled_from(["", "NOT "]))
def test_a_word_is_found_where_it_stands_and_not_in_an_escape(texts: list[str], word: str, negation: str) -> None:
    """CONTAINS in SQLite is the evaluator's: beyond a NUL too, for the characters of patterns, for no escape."""
    statement = prepare(f"SELECT * FROM c WHERE {negation}CONTAINS(c.a, @word)")
    found = sieve(statement.query, {"@word": word})
    wanted = {number for number, text in enumerate(texts) if (word in text) is not bool(negation)}
    let_through = sifted([{"a": text} for text in texts], found.sql, list(found.bindings))
    assert wanted == let_through if found.exact else wanted <= let_through


def test_the_services_own_filters_are_sifted() -> None:
    """The relay's and the list's filters do reach SQLite: most documents are never parsed."""
    statement = prepare("SELECT TOP 5 * FROM c WHERE c.pending < @before ORDER BY c.pending")
    found = sieve(statement.query, {"@before": "2026-01-02"})
    documents: list[dict[str, Any]] = [{"pending": "2026-01-01"}, {"pending": "2026-01-03"}, {"pending": 1}, {}]
    assert sifted(documents, found.sql, list(found.bindings)) == {0}


LOOKED_UP = st.one_of(
    st.builds(lambda path, operator, number: f"{path} {operator} @p{number}", PATHS, OPERATORS, st.integers(0, 2)),
    st.builds("{} IN (@p0, @p1)".format, PATHS),
    st.builds("{} BETWEEN @p0 AND @p1".format, PATHS),
    st.builds("STARTSWITH({}, @p2)".format, PATHS),
)


@UNHURRIED
@given(DOCUMENTS, st.lists(LOOKED_UP, min_size=1, max_size=3), st.lists(SCALARS, min_size=3, max_size=3))
def test_what_an_index_finds_holds_all_that_the_query_selects(
    documents: list[dict[str, Any]], predicates: list[str], values: list[Any]
) -> None:
    """Whichever access is chosen, no document that the query selects is missed."""
    statement = prepare(f"SELECT * FROM c WHERE {' AND '.join(predicates)}")
    parameters = {f"@p{number}": value for number, value in enumerate(values)}
    parsed = [orjson.loads(orjson.dumps(document)) for document in documents]
    selected = {number for number, each in enumerate(parsed) if list(statement.rows(each, running(parameters)))}
    for access in accesses(statement.filled, parameters):
        where, bindings = access.where()
        found = sifted(documents, where, bindings)
        assert selected == found if access.whole else selected <= found


def walked(documents: list[dict[str, Any]], statement: Statement, after: tuple[bytes, int] | None) -> list[int]:
    """Positions along the index that ORDER BY asks for, from a row on."""
    columns, bounds, position = statement.order, None, 0
    if after is not None:
        key, position = after
        places = []
        for column in columns:
            place, rest = place_of_key(descending(key) if column.descends else key)
            key = descending(rest) if column.descends else rest
            places.append(place)
        bounds = tuple(places)
    found = []
    with table_of(documents) as connection:
        for stretch in stretches(columns, bounds, position, ranked=True):
            sql = f"SELECT position FROM document WHERE {stretch.where} ORDER BY {stretch.order}"
            found += [int(str(each)) for (each,) in connection.execute(sql, stretch.bindings)]
    return found


DIRECTIONS = st.sampled_from(["", "ASC", "DESC"])


@UNHURRIED
@given(DOCUMENTS, st.lists(st.tuples(PATHS, DIRECTIONS), min_size=1, max_size=3), st.data())
def test_walking_an_index_gives_the_order_of_the_evaluator_from_any_row_on(
    documents: list[dict[str, Any]], keys: list[tuple[str, str]], data: st.DataObject
) -> None:
    """ORDER BY in SQLite and in the evaluator agree to the last tie, and a walk goes on exactly where it ended."""
    statement = prepare(f"SELECT * FROM c ORDER BY {', '.join(f'{path} {direction}' for path, direction in keys)}")
    if not statement.order:  # a name that SQLite cannot quote
        return
    marks = []
    for number, document in enumerate(documents):
        (row,) = statement.rows(orjson.loads(orjson.dumps(document)), running({}))
        marks.append((row.sort_key, -number if statement.runs_down else number))
    marks.sort()
    expected = [abs(number) for _, number in marks]
    assert walked(documents, statement, None) == expected
    if documents:
        at = data.draw(st.integers(0, len(documents) - 1))
        key, number = marks[at]
        assert walked(documents, statement, (key, abs(number))) == expected[at:]
