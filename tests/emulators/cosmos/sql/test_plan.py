"""Query plans: what is told to the client, the text for each partition, the partition keys that a filter admits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from emulators.cosmos.sql.errors import QueryUnservable
from emulators.cosmos.sql.functions import Context
from emulators.cosmos.sql.keys import admitted_keys
from emulators.cosmos.sql.plan import make_plan
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
