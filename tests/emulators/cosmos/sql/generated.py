"""Documents, values and paths that Hypothesis makes, and SQLite holding such documents as the store does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import apsw
import orjson
from hypothesis import strategies as st

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
