"""Texts that no one means: every one is refused in the language's own terms, none breaks the parser or takes long."""

from __future__ import annotations

import contextlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulators.cosmos.sql.errors import Finding, QueryRefused, QueryUnbuilt, QueryUnservable
from emulators.cosmos.sql.limits import (
    EXPRESSION_DEPTH_MAX,
    IN_ITEMS_MAX,
    JOINS_MAX,
    LOGICAL_OPERATORS_MAX,
    QUERY_CHARACTERS_MAX,
    STEPS_PER_DOCUMENT_MAX,
    TREE_DEPTH_MAX,
    UDF_CALLS_MAX,
)
from emulators.cosmos.sql.statement import prepare
from tests.emulators.cosmos.sql.generated import UNHURRIED, run, running

pytestmark = pytest.mark.our_choice("an emulator that a text can break is no use to anyone")

WORDS = re.findall(
    r"\S+",
    """
SELECT VALUE DISTINCT TOP FROM c x JOIN IN WHERE GROUP BY ORDER RANK ASC DESC OFFSET LIMIT AND OR NOT BETWEEN LIKE
ESCAPE EXISTS ARRAY ALL FIRST LAST UDF udf true null undefined NaN Infinity * ( ) [ ] { } , . : ? ?? || | & ^ ~ + - / %
= != <> < <= > >= << >> >>> 1 0.5 1e400 0x1F .5 'a' "b" 'a\\u0041' @p COUNT SUM ABS LOWER RegexMatch VectorDistance
FullTextScore RRF ST_DISTANCE IIF -- /* */ \x00 \ud800 é ' " \\ $ # ;
""",
)
SOUP = st.lists(st.sampled_from(WORDS), max_size=30).map(" ".join)
SENTENCES = st.sampled_from([
    "SELECT c.a, COUNT(1) AS n FROM c JOIN x IN c.b WHERE c.a IN (1, 'two', @p) AND NOT IS_DEFINED(c.z) GROUP BY c.a",
    "SELECT TOP 5 VALUE {'a': c.a[0], \"b\": ARRAY(SELECT VALUE x FROM x IN c.b)} FROM c ORDER BY c.a DESC, c.b ASC",
    "SELECT DISTINCT c.a ?? 1 FROM c WHERE c.a LIKE '%x!_' ESCAPE '!' OR c.b BETWEEN 1 AND 2 OFFSET 1 LIMIT 2",
])  # fmt: skip


@st.composite
def mutilated(draw: st.DrawFn) -> str:
    """A sentence of the language with pieces cut out, doubled or put in."""
    text = draw(SENTENCES)
    for _ in range(draw(st.integers(1, 4))):
        start, end = sorted(draw(st.tuples(st.integers(0, len(text)), st.integers(0, len(text)))))
        text = (
            text[:start] + draw(st.sampled_from(["", text[start:end] * 2, *WORDS]) | st.text(max_size=3)) + text[end:]
        )
    return text


@UNHURRIED
@given(SOUP | mutilated() | st.text())
def test_any_text_is_understood_or_refused(text: str) -> None:
    """Whatever it says, it is prepared or refused with findings inside the text; nothing else is raised."""
    findings: list[Finding] | None = None
    with contextlib.suppress(QueryUnservable, QueryUnbuilt):
        try:
            prepare(text)
        except QueryRefused as refused:
            findings = refused.findings
    assert findings != []
    places = [(each.start, each.end) for each in findings or ()]
    assert all(start is not None and end is not None and 0 <= start <= end <= len(text) for start, end in places)


MANY = 20_000
CATASTROPHES = {
    "parentheses": ("SELECT VALUE " + "(" * MANY + "1" + ")" * MANY, EXPRESSION_DEPTH_MAX),
    "brackets": ("SELECT VALUE " + "[" * MANY + "]" * MANY, EXPRESSION_DEPTH_MAX),
    "objects": ("SELECT VALUE " + "{'a':" * MANY + "1" + "}" * MANY, EXPRESSION_DEPTH_MAX),
    "signs": ("SELECT VALUE " + "- " * MANY + "1", EXPRESSION_DEPTH_MAX),
    "negations": ("SELECT VALUE " + "NOT " * MANY + "true", EXPRESSION_DEPTH_MAX),
    "additions": ("SELECT VALUE " + "1 + " * MANY + "1", TREE_DEPTH_MAX),
    "steps": ("SELECT VALUE c" + ".a" * MANY + " FROM c", TREE_DEPTH_MAX),
    "additions in brackets": ("SELECT VALUE " + "(" * 60 + "1" + ("+1" * 200 + ")") * 60, TREE_DEPTH_MAX),
    "conditions": ("SELECT VALUE " + "true ? 1 : " * MANY + "1", EXPRESSION_DEPTH_MAX),
    "subqueries": ("SELECT VALUE " + "(SELECT VALUE " * MANY + "1" + ")" * MANY, EXPRESSION_DEPTH_MAX),
    "calls": ("SELECT VALUE " + "ABS(" * MANY + "1" + ")" * MANY, EXPRESSION_DEPTH_MAX),
    "ands": ("SELECT * FROM c WHERE " + "c.a = 1 AND " * MANY + "true", LOGICAL_OPERATORS_MAX),
    "ors": ("SELECT * FROM c WHERE " + "c.a = 1 OR " * MANY + "true", LOGICAL_OPERATORS_MAX),
    "terms": (f"SELECT * FROM c WHERE c.a IN ({', '.join(['1'] * (IN_ITEMS_MAX + 1))})", IN_ITEMS_MAX),
    "joins": ("SELECT VALUE 1 FROM c" + " JOIN x IN c.a" * (JOINS_MAX + 1), JOINS_MAX),
    "functions": ("SELECT VALUE [" + ", ".join(["udf.f()"] * (UDF_CALLS_MAX + 1)) + "]", UDF_CALLS_MAX),
    "characters": (f"SELECT VALUE '{'x' * QUERY_CHARACTERS_MAX}'", QUERY_CHARACTERS_MAX),
}


@pytest.mark.parametrize("name", CATASTROPHES)
def test_too_much_of_anything_is_refused_by_a_limit_that_it_names(name: str) -> None:
    """Depth, counts and length end at a limit, and the refusal says which."""
    text, limit = CATASTROPHES[name]
    with pytest.raises(QueryRefused, match=str(limit)):
        prepare(text)


NESTED, CHAINED = EXPRESSION_DEPTH_MAX - 3, TREE_DEPTH_MAX - 6
"""What the tests' own texts leave of the limits."""
WITHIN = [
    "(" * NESTED + "1" + ")" * NESTED,
    "[" * NESTED + "]" * NESTED,
    "{'a':" * NESTED + "1" + "}" * NESTED,
    "ABS(" * NESTED + "1" + ")" * NESTED,
    "(SELECT VALUE " * (NESTED // 2) + "1" + ")" * (NESTED // 2),
    "1 + " * CHAINED + "1",
    "(" * 50 + "1" + "+ 1 + 1 + 1 + 1)" * 50,
    "{'a': 1}" + ".a" * CHAINED,
    "IS_DEFINED([" + "1 = 1 AND " * LOGICAL_OPERATORS_MAX + "true])",
]


@pytest.mark.parametrize("expression", WITHIN, ids=lambda text: f"{text[:12]} {len(text)}")
def test_what_is_just_within_a_limit_is_carried_out(expression: str) -> None:
    """The limits lie where the interpreter's own stack is not reached yet, in the parser, the checks and the run."""
    assert len(run(f"SELECT VALUE [{expression}]", [])) == 1
    assert run(f"SELECT VALUE c FROM c WHERE IS_DEFINED(1) OR {expression} = 1 ORDER BY c.a", [1]) == [1]


CROSS_PRODUCTS = [
    "SELECT VALUE 1 FROM c JOIN x IN c.a JOIN y IN c.a JOIN z IN c.a",
    "SELECT VALUE COUNT(1) FROM c JOIN x IN c.a JOIN y IN c.a JOIN z IN c.a",
    "SELECT VALUE 1 FROM c JOIN x IN c.a JOIN y IN c.a JOIN z IN c.a WHERE false",
    "SELECT VALUE (SELECT VALUE COUNT(1) FROM x IN c.a JOIN y IN c.a JOIN z IN c.a) FROM c",
    "SELECT VALUE c FROM c WHERE EXISTS(SELECT VALUE 1 FROM x IN c.a JOIN y IN c.a JOIN z IN c.a WHERE false)",
]


@pytest.mark.parametrize("text", CROSS_PRODUCTS)
def test_a_cross_product_ends_at_a_limit(text: str) -> None:
    """A thousand million rows of one document are not gone through, whether or not any is selected."""
    with pytest.raises(QueryUnservable, match=str(STEPS_PER_DOCUMENT_MAX)):
        run(text, [{"a": list(range(1000))}])


def test_a_pattern_that_others_choke_on_is_answered() -> None:
    """Nested repetitions over a long text take no longer than the text: patterns run in linear time."""
    parameters = {"@text": "a" * 50_000 + "!"}
    assert run("SELECT VALUE RegexMatch(@text, '^(a+)+$')", [], running(parameters)) == [False]
    assert run("SELECT VALUE @text LIKE '%a%a%a%a%a%b'", [], running(parameters)) == [False]


def test_a_pattern_of_perl_that_is_not_run_is_refused_by_name() -> None:
    """Look-around and backreferences exist in the service: they are named, not answered wrongly."""
    for pattern in ("(?=a)", "(?<!a)b", "(a)\\\\1", "a++", "(?>a)", "\\\\Ka"):
        with pytest.raises(QueryUnbuilt, match="RegexMatch"):
            run(f"SELECT VALUE RegexMatch('aa', '{pattern}')", [])
