"""Documents and values that Hypothesis makes, a query run over documents, and SQLite holding them as the store does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any

import apsw
import orjson
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from emulators.base.ids import Ids
from emulators.cosmos.sql.functions import Context
from emulators.cosmos.sql.statement import prepare

UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""A busy machine is no mistake."""
NAMES = ("a", "b", 'quo"te', "dot.ted", "$", "ünï")
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**60), 2**60),
    st.integers(-3, 3),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=4),
    st.sampled_from(["a", "b", "ab", "", "\x00", "1", "é", "\U0001f600", "a%", "[a]"]),
)
VALUES: st.SearchStrategy[Any] = st.deferred(
    lambda: SCALARS | st.lists(VALUES, max_size=2) | st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=2)
)
DOCUMENTS = st.lists(st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=4), max_size=6)
PATHS = st.lists(st.sampled_from(NAMES), min_size=1, max_size=2).map(
    lambda names: "c" + "".join(f"[{orjson.dumps(name).decode()}]" for name in names)
)


NOW_TICKS = 17_289_156_306_668_888
"""2024-10-14T14:20:30.6668888Z, the moment that AGO's reference page supposes."""


def running(parameters: Mapping[str, Any] = MappingProxyType({})) -> Context:
    """What a query runs with: a clock that stands still, no user-defined functions."""

    def no_function(name: str, arguments: list[Any]) -> Any:
        raise AssertionError(f"no query here calls udf.{name}({arguments})")

    return Context(parameters, lambda: NOW_TICKS, NOW_TICKS, Ids(1).chance, no_function, {})


def run(query: str, documents: Sequence[Any], context: Context | None = None) -> list[Any]:
    """All results of a query over documents in memory, in their order."""
    statement, context = prepare(query), context or running()
    documents = documents if statement.container_slot is not None else [None]
    if statement.is_collected:
        values = list(statement.collect(documents, context).results())
    else:
        marked = [
            (row.sort_key, -number if statement.runs_down else number, row.number, row.value)
            for number, document in enumerate(documents)
            for row in statement.rows(document, context)
        ]
        if statement.is_sorted:
            marked.sort(key=lambda mark: mark[:3])
        values = [value for *_, value in marked]
    window = statement.window(context)
    return values[window.skip : None if window.take is None else window.skip + window.take]


@contextmanager
def table_of(documents: Sequence[dict[str, Any]]) -> Iterator[apsw.Connection]:
    """Documents in a table with the columns that the language's SQL names, their positions their numbers."""
    connection = apsw.Connection(":memory:")
    connection.execute("CREATE TABLE document (position INTEGER PRIMARY KEY, body BLOB)")
    for number, document in enumerate(documents):
        connection.execute("INSERT INTO document VALUES (?, jsonb(?))", (number, orjson.dumps(document).decode()))
    try:
        yield connection
    finally:
        connection.close()
