"""Expressions and what they are worth, queries and their results. A case is a line of a file; to add one, add a line.

`cases/*.txt`: `expression => value`, the value as JSON or `undefined`. `queries/*.txt`: `query => results` over the
documents that a line `documents: [...]` gave last. `refusals/*.txt`: `query => code words`, the place that is refused
within «…». A line `[mark] source` says where the lines below it are known from.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from emulators.cosmos.sql.errors import QueryRefused
from emulators.cosmos.sql.statement import prepare
from emulators.cosmos.sql.values import UNDEFINED
from tests.emulators.cosmos.sql.generated import run, running

HERE = Path(__file__).parent
SECTION = re.compile(r"\[(seen_on_azure|documented|read_in_sdk|our_choice)\] (.+)")
DOCUMENTS = "documents: "


def lines(folder: str) -> Iterator[tuple[str, str, Any]]:
    """(place, line, its section's mark) of every case in a folder's files, `documents:` lines included."""
    for file in sorted((HERE / folder).glob("*.txt")):
        mark: Any = None
        for number, line in enumerate(file.read_text("utf-8").splitlines(), 1):
            if section := SECTION.fullmatch(line):
                mark = getattr(pytest.mark, section[1])(section[2])
            elif line and not line.startswith("#"):
                yield f"{file.stem} {number}", line, mark


def expressions() -> Iterator[Any]:
    """Each expression with its value."""
    for place, line, mark in lines("cases"):
        expression, _, expected = line.rpartition(" => ")
        yield pytest.param(expression, expected, marks=mark, id=f"{place}: {expression}")


def queries() -> Iterator[Any]:
    """Each query with its documents and results."""
    documents = "[]"
    for place, line, mark in lines("queries"):
        if line.startswith(DOCUMENTS):
            documents = line.removeprefix(DOCUMENTS)
            continue
        query, _, expected = line.rpartition(" => ")
        yield pytest.param(query, documents, expected, marks=mark, id=f"{place}: {query}")


def refusals() -> Iterator[Any]:
    """Each refused query with what is said of it."""
    for place, line, mark in lines("refusals"):
        query, _, expected = line.rpartition(" => ")
        yield pytest.param(query, expected, marks=mark, id=f"{place}: {query}")


@pytest.mark.parametrize(("expression", "expected"), list(expressions()))
def test_an_expression_has_the_value_that_its_source_gives(expression: str, expected: str) -> None:
    """SELECT VALUE of it is that value to the type and digit; undefined is no row at all."""
    rows = [row.value for row in prepare(f"SELECT VALUE {expression}").rows(UNDEFINED, running())]
    wanted = [] if expected == "undefined" else [json.loads(expected)]
    assert json.dumps(rows) == json.dumps(wanted)


@pytest.mark.parametrize(("query", "documents", "expected"), list(queries()))
def test_a_query_has_the_results_that_its_source_gives(query: str, documents: str, expected: str) -> None:
    """The results are those, in that order; a member's place in its object is of no matter."""
    found = run(query, json.loads(documents))
    assert json.dumps(found, sort_keys=True) == json.dumps(json.loads(expected), sort_keys=True)


@pytest.mark.parametrize(("query", "expected"), list(refusals()))
def test_a_refusal_has_the_place_and_words_that_its_source_gives(query: str, expected: str) -> None:
    """One finding: its code, its words, and from where to where it reaches in the text."""
    before, rest = query.split("«")
    inside, after = rest.split("»")
    with pytest.raises(QueryRefused) as refusal:
        prepare(before + inside + after)
    found = [(f"{each.code} {each.message}", each.start, each.end) for each in refusal.value.findings]
    assert found == [(expected, len(before), len(before + inside))]


@pytest.mark.read_in_sdk("azure-cosmos-dotnet-v3: LinqGeneralBaselineTests.TestDistinctTranslation, recorded answers")
def test_findings_come_in_the_order_of_evaluation() -> None:
    """FROM before ORDER BY before SELECT before OFFSET LIMIT, whatever their places in the text."""
    nested = "SELECT TOP 1 VALUE s FROM (SELECT TOP 2 VALUE c FROM c) s ORDER BY s.a OFFSET 0 LIMIT 1"
    with pytest.raises(QueryRefused) as refusal:
        prepare(f"SELECT VALUE BADFUNC(r) FROM ({nested}) r WHERE WORSE(r)")
    codes = [each.code for each in refusal.value.findings]
    assert codes == ["SC2203", "SC2202", "SC2203", "SC2204", "SC2005", "SC2005"]
