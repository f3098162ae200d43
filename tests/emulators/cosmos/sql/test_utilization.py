"""Index metrics and advice, beside what the service's recorded answers say of queries like these."""

from __future__ import annotations

from typing import Any

import pytest

from emulators.cosmos.sql.advice import advice
from emulators.cosmos.sql.statement import prepare
from emulators.cosmos.sql.utilization import utilization

RECORDED = "azure-cosmos-dotnet-v3: IndexMetricsParserBaselineTest, recorded answers"
A_WITH_B_AND_D = [["/a ASC", "/b ASC"], ["/a ASC", "/d ASC"]]
EVERYTHING = {"indexingMode": "consistent", "includedPaths": [{"path": "/*"}]}


def told(query: str, policy: dict[str, Any]) -> tuple[list[str], list[str], list[list[str]], list[list[str]]]:
    """(used, missing single indexes, used, missing composite ones) as index specifications."""
    found = utilization(prepare(query).query, policy)
    used, missing = ([each.spec for each in part] for part in (found.used, found.missing))
    return used, missing, found.used_composites, found.missing_composites


@pytest.mark.read_in_sdk(RECORDED)
@pytest.mark.parametrize(
    ("clauses", "used", "wanted"),
    [
        ("WHERE c.id = 'x'", ["/id/?"], []),
        ("WHERE c.id = 'x' AND c.a = 1", ["/a/?", "/id/?"], []),
        ("WHERE c.id = 'x' AND c.a > 1", ["/a/?", "/id/?"], [["/id ASC", "/a ASC"]]),
        ("WHERE c.id > 'x' AND c.a > 1", ["/a/?", "/id/?"], []),
        ("WHERE c.a = 1 AND c.b > 1 AND c.d < 1", ["/a/?", "/b/?", "/d/?"], A_WITH_B_AND_D),
        ("WHERE c.id = 'x' ORDER BY c.id", ["/id/?"], []),
        ("WHERE c.id = 'x' AND c.a = 1 ORDER BY c.id", ["/a/?"], []),
        ("WHERE c.id = 'x' AND c.a > 1 ORDER BY c.id", ["/a/?", "/id/?"], [["/id ASC", "/a ASC"]]),
        ("WHERE c.id > 'x' AND c.a > 1 ORDER BY c.id", ["/a/?"], []),
        ("WHERE c.id = 'x' AND c.a = 1 GROUP BY c.id", ["/a/?", "/id/?"], []),
        ("WHERE c.id = 'x' AND c.a = 1 GROUP BY c.id, c.a", ["/a/?", "/id/?"], [["/id ASC", "/a ASC"]]),
        ("WHERE c['a b'] = 1 AND c['ünï'].d IN (1)", ['/"a b"/?', "/ünï/d/?"], []),
        ("""WHERE STARTSWITH(c['say "hi"'], 'x')""", ['/"say \\"hi\\""/?'], []),
    ],
)
def test_predicates_name_their_indexes_and_equalities_with_a_range_want_a_composite(
    clauses: str, used: list[str], wanted: list[list[str]]
) -> None:
    """Paths in the order of the predicates, that of the id last."""
    assert told(f"SELECT VALUE COUNT(1) FROM c {clauses}", EVERYTHING) == (used, [], [], wanted)


@pytest.mark.read_in_sdk(RECORDED)
def test_a_function_that_is_only_selected_uses_its_index() -> None:
    """STARTSWITH in SELECT VALUE is told like one in WHERE."""
    assert told("SELECT VALUE STARTSWITH(c.a, 'x') FROM c", EVERYTHING)[0] == ["/a/?"]


@pytest.mark.documented("learn.microsoft.com/azure/cosmos-db/nosql/index-metrics: utilized and potential indexes")
def test_what_the_policy_lacks_is_potential_and_what_it_has_is_utilized() -> None:
    """A path that it excludes could be indexed; a composite index that it lists is used in its own directions."""
    composite = [{"path": "/a", "order": "descending"}, {"path": "/b", "order": "ascending"}]
    policy = EVERYTHING | {"excludedPaths": [{"path": "/b/?"}], "compositeIndexes": [composite]}
    found = told("SELECT * FROM c WHERE c.a = 1 AND c.b > 2", policy)
    assert found == (["/a/?"], ["/b/?"], [["/a DESC", "/b ASC"]], [])


@pytest.mark.read_in_sdk("azure-cosmos-dotnet-v3: QueryAdvisorBaselineTest, recorded advice")
@pytest.mark.parametrize(
    ("query", "rules"),
    [
        ("SELECT VALUE c.id FROM c WHERE CONTAINS(c.name, 'x')", ["QA1002"]),
        ("SELECT GetCurrentTicks() FROM c WHERE GetCurrentTimestamp() > 1", ["QA1009", "QA1008"]),
        ("SELECT VALUE c.id FROM c WHERE StringEquals(c.name, 'x', false)", []),
        ("SELECT VALUE c.id FROM c WHERE c.id = 'x'", []),
    ],
)
def test_advice_follows_the_clauses(query: str, rules: list[str]) -> None:
    """What WHERE meets comes before what SELECT meets."""
    assert advice(prepare(query).query) == rules
