"""Query plans: what is told to the client, the text for each partition, the partition keys that a filter admits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from emulators.cosmos.sql.errors import QueryRefused, QueryUnservable
from emulators.cosmos.sql.functions import Context
from emulators.cosmos.sql.keys import admitted_keys
from emulators.cosmos.sql.plan import make_plan
from emulators.cosmos.sql.search import search_plan
from emulators.cosmos.sql.statement import Statement, prepare
from emulators.cosmos.sql.values import UNDEFINED, Value

CASES = [json.loads(line) for line in Path(__file__).with_name("plans.jsonl").read_text("utf-8").splitlines()]
RECORDED = "the .NET SDK's baselines of the service's planner (QueryPlanBaselineTests): shapes and spellings"


def context(parameters: dict[str, Value]) -> Context:
    """A context whose clock stands still."""

    def no_function(name: str, arguments: list[Value]) -> Value:
        raise AssertionError(f"udf.{name} is called by no plan")

    return Context(parameters, lambda: 0, 0, lambda: 0.5, no_function, {})


def keys(
    statement: Statement, *paths: str, prefixes: bool = False, **parameters: Value
) -> list[tuple[Value, ...]] | None:
    """The partition keys that a statement admits."""
    known = context({f"@{name}": value for name, value in parameters.items()})
    steps = [tuple(path.split(".")) for path in paths]
    return admitted_keys(statement.query, steps, lambda node: statement.fold(node, known), prefixes=prefixes)


@pytest.mark.seen_on_azure(RECORDED)
@pytest.mark.parametrize("case", CASES, ids=[case["query"] for case in CASES])
def test_a_plan_is_what_the_service_recorded(case: dict[str, Any]) -> None:
    """The rewritten text to the letter, and what the case says of queryInfo."""
    statement = prepare(case["query"])
    found = keys(statement, "pk")
    one_key = found is not None and len(found) == 1
    if "refused" in case:
        with pytest.raises(QueryUnservable, match=case["refused"]):
            make_plan(statement.query, {}, one_key=one_key)
        return
    info = make_plan(statement.query, {}, one_key=one_key).query_info()
    assert info["rewrittenQuery"] == case["rewritten"]
    assert {name: info[name] for name in case["info"]} == case["info"]


@pytest.mark.seen_on_azure("the .NET SDK's baselines of the service's planner: queryRanges")
@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("c.pk = 5", [(5,)]),
        ("'a' = c.pk", [("a",)]),
        ("c.pk = null OR c.pk = true", [(None,), (True,)]),
        ("c.pk IN (1, 2)", [(1,), (2,)]),
        ("c.pk IN ([], {'x': 1})", [(UNDEFINED,)]),
        ("c.pk = {}", [(UNDEFINED,)]),
        ("c.pk", [(True,)]),
        ("NOT c.pk", [(False,)]),
        ("IS_NULL(c.pk)", [(None,)]),
        ("IS_BOOL(c.pk)", [(False,), (True,)]),
        ("ABS(c.pk) = 1", [(1,), (-1,)]),
        ("c.pk LIKE 'abc'", [("abc",)]),
        ("c.pk LIKE 'a%'", None),
        ("c.pk LIKE '5$%' ESCAPE '$'", [("5%",)]),
        ("c.pk LIKE '5$%%' ESCAPE '$'", None),
        ("c.n = (SELECT VALUE c.m FROM c WHERE c.pk = 1)", [(1,)]),
        ("c.pk = 2 AND c.n > (SELECT VALUE c.m FROM c WHERE c.pk = 1)", []),
        ("c.n = (SELECT VALUE c.m FROM c IN c.tags WHERE c.pk = 1)", None),
        ("c.n = (SELECT VALUE COUNT(1) FROM c WHERE c.pk = 1)", None),
        ("ARRAY_CONTAINS([1, 2], c.pk)", [(1,), (2,)]),
        ("ARRAY_CONTAINS([1, 2], c.pk) AND c.pk = 3", []),
        ("c.pk = 1 AND c.pk = 2", []),
        ("c.pk = 1 + 1 AND c.other = 3", [(2,)]),
        ("c.pk = @given", [("p",)]),
        ("false", []),
        ("true", None),
        ("c.pk > 5", None),
        ("c.pk BETWEEN 1 AND 2", None),
        ("c.pk = 1 OR c.other = 2", None),
        ("c.pk = c.other", None),
        ("IS_NUMBER(c.pk)", None),
        ("c.pk.deeper = 1", None),
        ("EXISTS(SELECT VALUE t FROM t IN c.tags WHERE c.pk = 1)", None),
    ],
)
def test_a_filter_admits_the_partition_keys_that_the_planner_reads_from_it(
    where: str, expected: list[tuple[Value, ...]] | None
) -> None:
    """Equalities and what amounts to them give points, contradictions nothing, all else everything."""
    assert keys(prepare(f"SELECT * FROM c WHERE {where}"), "pk", given="p") == expected


@pytest.mark.seen_on_azure("the .NET SDK's baselines: all paths of a key are needed; no FROM needs no partition")
def test_a_key_of_several_paths_is_known_by_all_of_them_or_by_a_prefix_where_hierarchical() -> None:
    """Pairs stay pairs under OR; a prefix counts only where keys are hierarchical."""
    pairs = prepare("SELECT * FROM c WHERE (c.a.b = 2 AND c.d = 4) OR (c.a.b = '2' AND c.d = '4')")
    assert keys(pairs, "a.b", "d") == [(2, 4), ("2", "4")]
    prefix = prepare("SELECT * FROM c WHERE c.a.b = 2")
    assert keys(prefix, "a.b", "d") is None
    assert keys(prefix, "a.b", "d", prefixes=True) == [(2,)]
    assert keys(prepare("SELECT 5"), "a") == []


@pytest.mark.documented("learn.microsoft.com/cosmos-db/query/distinct: COUNT over a DISTINCT subquery, in some SDKs")
@pytest.mark.parametrize(
    ("query", "alias", "value"),
    [
        ("SELECT VALUE COUNT(1) FROM (SELECT DISTINCT c.a FROM c)", "", True),
        ("SELECT COUNT(1) FROM (SELECT DISTINCT c.a FROM c) AS s", "$1", False),
        ("SELECT COUNT(s) AS n FROM (SELECT DISTINCT c.a FROM c) AS s", "n", False),
    ],
)
def test_distinct_values_are_counted_by_the_client(query: str, alias: str, value: bool) -> None:
    """Each partition gives its distinct rows; the client drops the repeated ones and counts the rest."""
    plan = make_plan(prepare(query).query, {}, one_key=False)
    info = plan.query_info()
    assert (info["distinctType"], info["dCountInfo"]) == ("Unordered", {"dCountAlias": alias})
    assert (info["rewrittenQuery"], info["hasSelectValue"]) == ("SELECT DISTINCT c.a\nFROM c", value)
    assert plan.features == {"DCount", "Distinct"}


@pytest.mark.documented("learn.microsoft.com/cosmos-db/query/group-by: no aggregates over a subquery with GROUP BY")
@pytest.mark.parametrize(
    "query",
    [
        "SELECT COUNT(s) FROM (SELECT AVG(c.n) FROM c GROUP BY c.a) AS s",
        "SELECT VALUE SUM(s.a) FROM (SELECT DISTINCT c.a FROM c) AS s",
    ],
)
def test_no_other_aggregate_over_a_gathering_subquery_crosses_partitions(query: str) -> None:
    """It is refused over several partitions and needs no plan under one key."""
    with pytest.raises(QueryUnservable, match="subquery with GROUP BY or DISTINCT"):
        make_plan(prepare(query).query, {}, one_key=False)
    assert make_plan(prepare(query).query, {}, one_key=True).query_info()["rewrittenQuery"] == ""


@pytest.mark.read_in_sdk("azure-cosmos-dotnet-v3: LinqGeneralBaselineTests.TestSubquery, run over such a subquery")
def test_rows_of_a_distinct_subquery_are_told_as_they_come() -> None:
    """Without an aggregate the plan lets the text run as it is."""
    plan = make_plan(prepare("SELECT VALUE s.a FROM (SELECT DISTINCT VALUE c FROM c) AS s").query, {}, one_key=False)
    assert (plan.distinct, plan.rewritten, plan.features) == ("None", "", set())


@pytest.mark.seen_on_azure(RECORDED)
@pytest.mark.parametrize(
    "ordered",
    [
        "c ORDER BY UPPER(c.a)",
        "c ORDER BY c.a + 1",
        "c ORDER BY c",
        "c ORDER BY 1",
        "c JOIN (SELECT VALUE COUNT(1) FROM t IN c.tags) AS n ORDER BY n",
        "c JOIN (SELECT DISTINCT VALUE t FROM t IN c.tags) AS n ORDER BY n.a",
        "(SELECT VALUE {n: ARRAY_LENGTH(c.tags)} FROM c) AS s ORDER BY s.n",
        "(SELECT c.a, COUNT(1) AS n FROM c GROUP BY c.a) AS s ORDER BY s.n",
        "(SELECT VALUE {n: s.n} FROM (SELECT c.a + 1 AS n FROM c) AS s) AS t ORDER BY t.n",
    ],
)
def test_a_sort_key_must_be_a_stored_path(ordered: str) -> None:
    """Anything else is refused with the code 2206, a number, and without a place."""
    statement = prepare(f"SELECT VALUE 1 FROM {ordered}")
    with pytest.raises(QueryRefused, match="could not be mapped to a document path") as refusal:
        make_plan(statement.query, {}, one_key=False)
    assert [(each.code, each.start) for each in refusal.value.findings] == [(2206, None)]


@pytest.mark.read_in_sdk("azure-cosmos-dotnet-v3: LinqGeneralBaselineTests.TestThenByTranslation, planned")
@pytest.mark.parametrize(
    "ordered",
    [
        "c JOIN t IN c.tags ORDER BY t.n",
        "(SELECT VALUE {n: c.a} FROM c) AS s ORDER BY s.n",
        "(SELECT c.a.b AS n FROM c) AS s ORDER BY s.n",
        "(SELECT VALUE s FROM (SELECT VALUE c.a FROM c) AS s) AS t ORDER BY t.n",
        "c ORDER BY {n: c.a}['n']",
    ],
)
def test_a_sort_key_may_be_a_path_through_subqueries(ordered: str) -> None:
    """What a subquery only passes on is still the documents' own."""
    plan = make_plan(prepare(f"SELECT VALUE 1 FROM {ordered}").query, {}, one_key=False)
    assert plan.orders == ["Ascending"]


@pytest.mark.read_in_sdk(
    "azure-sdk-for-rust: gateway_query_plan_comparison: the order of groups is the rewritten text's"
)
def test_groups_are_put_in_order_by_the_partitions() -> None:
    """The plan names no order to merge by; a key that is no key of the groups is refused."""
    query = "SELECT c.a, COUNT(1) AS n FROM c GROUP BY c.a, c.b ORDER BY c.b DESC"
    plan = make_plan(prepare(query).query, {}, one_key=False)
    assert (plan.orders, plan.rewritten.splitlines()[-1]) == ([], "ORDER BY c.b DESC")
    assert "OrderBy" not in plan.features
    with pytest.raises(QueryRefused, match=r"'c.d' is invalid in the ORDER BY clause"):
        prepare("SELECT c.a FROM c GROUP BY c.a ORDER BY c.d")


@pytest.mark.seen_on_azure(RECORDED)
def test_syntax_is_read_to_the_end_before_functions_are_counted() -> None:
    """A text with too many user-defined functions and a stray comma is told of the comma."""
    calls = ", ".join(f"udf.f(c.n{number})" for number in range(12))
    for text, code in ((f"SELECT {calls}, FROM c", "SC1001"), (f"SELECT {calls} FROM c", "SC3005")):
        with pytest.raises(QueryRefused) as refusal:
            prepare(text)
        assert [each.code for each in refusal.value.findings] == [code]


@pytest.mark.seen_on_azure("the .NET SDK's recorded hybrid plans (QueryPlanRetrieverTests)")
@pytest.mark.parametrize(
    ("rewrites", "shown"), [(True, "({} ?? 1.79769e+308)"), (False, "(-1 * ({} ?? 1.79769e+308))")]
)
def test_a_negative_weight_turns_a_score_only_where_the_client_does_not_sort(rewrites: bool, shown: str) -> None:
    """Without the rewriting of ORDER BY the score itself is turned, so that more is better."""
    query = prepare(
        "SELECT TOP 5 * FROM c ORDER BY RANK RRF(VectorDistance(c.v, [1]), VectorDistance(c.w, [2]), [1, -2])"
    )
    info, _ = search_plan(query.query, {}, non_streaming=True, rewrites_order=rewrites)
    texts = [each["rewrittenQuery"] for each in info["componentQueryInfos"]]
    assert all(shown.format("_VectorScore(c.w, [2])") in text for text in texts)
