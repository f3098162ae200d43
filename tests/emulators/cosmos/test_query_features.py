"""Queries beside the plain language: computed properties, metrics, vectors, full text, places on a map."""

from __future__ import annotations

import json
import math
from typing import Any
from urllib.parse import unquote

import pytest
from azure.cosmos import ContainerProxy, DatabaseProxy, PartitionKey
from azure.cosmos.exceptions import CosmosHttpResponseError

from tests.emulators.cosmos.http import Door

NOSQL = "learn.microsoft.com/azure/cosmos-db/nosql"


def ask(container: ContainerProxy, text: str, **options: Any) -> list[Any]:
    """All results of a query over all partitions."""
    return list(container.query_items(text, enable_cross_partition_query=True, **options))


@pytest.mark.documented(f"{NOSQL}/query/computed-properties")
def test_a_computed_property_is_found_by_its_name_and_is_no_part_of_the_item(database: DatabaseProxy) -> None:
    """It filters, sorts and is selected under its name; SELECT * does not show it; it wins over a stored one."""
    container = database.create_container(
        "computed",
        PartitionKey("/pk"),
        computed_properties=[{"name": "folded", "query": "SELECT VALUE LOWER(x.name) FROM x"}],
    )
    container.create_item({"id": "1", "pk": "p", "name": "BETA", "folded": "zzz"})
    container.create_item({"id": "2", "pk": "p", "name": "Alpha"})
    assert ask(container, "SELECT c.id, c.folded FROM c WHERE c.folded = 'beta'") == [{"id": "1", "folded": "beta"}]
    assert ask(container, "SELECT VALUE c.id FROM c ORDER BY c.folded") == ["2", "1"]
    assert "folded" not in ask(container, "SELECT * FROM c WHERE c.id = '2'")[0]


@pytest.mark.read_in_sdk("azure-cosmos tests/test_query.py: test_partition_scoped_count_is_index_only")
def test_a_count_loads_no_documents(container: ContainerProxy) -> None:
    """COUNT under a filter that SQLite answers whole reports no document retrieved."""
    for number in range(6):
        container.create_item({"id": str(number), "pk": "p", "even": number % 2 == 0})
    told: list[dict[str, Any]] = []
    found = ask(
        container,
        "SELECT VALUE COUNT(1) FROM c WHERE c.even = true",
        populate_query_metrics=True,
        response_hook=lambda headers, _: told.append(dict(headers)),
    )
    assert found == [3]
    metrics = dict(entry.split("=") for entry in told[-1]["x-ms-documentdb-query-metrics"].split(";"))
    assert metrics["retrievedDocumentCount"] == "0"
    assert metrics["indexUtilizationRatio"] == "1.00"


@pytest.mark.read_in_sdk("azure-cosmos _utils.get_index_metrics_info: base64 of JSON")
def test_index_metrics_name_the_paths_that_a_filter_uses(container: ContainerProxy) -> None:
    """Each predicate over a path is told with the index path that serves it."""
    told: list[dict[str, Any]] = []
    ask(
        container,
        "SELECT * FROM c WHERE c.a.b = 5",
        populate_index_metrics=True,
        response_hook=lambda headers, _: told.append(dict(headers)),
    )
    utilization = told[-1]["x-ms-cosmos-index-utilization"]
    assert [(each["FilterExpression"], each["IndexSpec"]) for each in utilization["UtilizedSingleIndexes"]] == [
        ("(c.a.b = 5)", "/a/b/?")
    ]


@pytest.mark.read_in_sdk("@azure/cosmos FeedResponse.indexMetrics: URL-encoded JSON, asked for by a header of its own")
def test_index_metrics_come_in_the_second_form_too(door: Door, container: ContainerProxy) -> None:
    """Each index is told once, single and composite ones, of those that served the query."""
    headers = {
        "content-type": "application/query+json",
        "x-ms-documentdb-isquery": "true",
        "x-ms-documentdb-partitionkey": '["x"]',
        "x-ms-cosmos-populateindexmetrics-V2": "true",
    }
    asked = {"query": "SELECT * FROM c WHERE c.a = 5 OR c.a = 6"}
    answer = door.call("POST", f"{container.container_link}/docs", asked, headers)
    told = json.loads(unquote(answer.headers["x-ms-cosmos-index-utilization"]))
    assert told == {
        "UtilizedIndexes": {"SingleIndexes": [{"IndexSpec": "/pk/?"}, {"IndexSpec": "/a/?"}], "CompositeIndexes": []},
        "PotentialIndexes": {"SingleIndexes": [], "CompositeIndexes": []},
    }


@pytest.mark.read_in_sdk("@azure/cosmos HybridQueryExecutionContext: a component told as ordered is merged as ordered")
def test_a_ranked_query_without_order_items_names_no_order(door: Door, container: ContainerProxy) -> None:
    """A client that fuses rankings itself is not told of an order; one that wants items, or has one ranking, is."""
    single, ordered = "FullTextScore(c.a, 'x')", [True, ["Descending"]]
    fused = f"RRF({single}, FullTextScore(c.b, 'y'))"
    skipping, features = ", HybridSearchSkipOrderByRewrite", "HybridSearch, NonStreamingOrderBy, OrderBy, Top"
    for rank, skips, told in ((fused, skipping, [False, []]), (fused, "", ordered), (single, skipping, ordered)):
        ranked = f"SELECT TOP 3 c.id FROM c ORDER BY RANK {rank}"
        headers = {
            "x-ms-cosmos-is-query-plan-request": "True",
            "x-ms-cosmos-supported-query-features": features + skips,
        }
        plan = door.call("POST", f"{container.container_link}/docs", {"query": ranked}, headers).json()
        for component in plan["hybridSearchQueryInfo"]["componentQueryInfos"]:
            assert [component["hasNonStreamingOrderBy"], component["orderBy"]] == told


@pytest.fixture
def shapes(database: DatabaseProxy) -> ContainerProxy:
    """Items with a vector and a text, over a Euclidean policy."""
    container = database.create_container(
        "shapes",
        PartitionKey("/pk"),
        vector_embedding_policy={
            "vectorEmbeddings": [
                {"path": "/at", "dataType": "float32", "distanceFunction": "euclidean", "dimensions": 2}
            ]
        },
    )
    texts = ("the red fox", "a red red bicycle", "nothing here", "foxes and bicycles", "red fox on a red bicycle")
    for number, text in enumerate(texts):
        container.create_item({"id": str(number), "pk": "p", "at": [number, 0], "text": text})
    return container


@pytest.mark.documented(f"{NOSQL}/query/vectordistance")
def test_the_nearest_vectors_come_first_by_the_containers_distance(shapes: ContainerProxy) -> None:
    """Euclidean runs upwards; a call's own option wins over the policy."""
    nearest = ask(
        shapes, "SELECT TOP 2 c.id, VectorDistance(c.at, [3, 0]) AS d FROM c ORDER BY VectorDistance(c.at, [3, 0])"
    )
    assert nearest[0] == {"id": "3", "d": 0}
    assert {each["d"] for each in nearest[1:]} == {1}
    options = "false, {'distanceFunction': 'dotproduct'}"
    assert ask(shapes, f"SELECT VALUE VectorDistance(c.at, [2, 1], {options}) FROM c WHERE c.id = '4'") == [8]


@pytest.mark.documented(f"{NOSQL}/query/vectordistance: no ASC or DESC; a vector of another length is undefined")
def test_a_vector_order_takes_no_direction(shapes: ContainerProxy) -> None:
    """ASC and DESC are refused in the service's words; lengths that differ give undefined."""
    with pytest.raises(CosmosHttpResponseError, match="with VectorDistance function is not supported"):
        ask(shapes, "SELECT TOP 2 * FROM c ORDER BY VectorDistance(c.at, [3, 0]) DESC")
    assert ask(shapes, "SELECT VALUE VectorDistance(c.at, [1]) FROM c") == []


@pytest.mark.documented(f"{NOSQL}/query/fulltextcontains")
def test_full_text_finds_words_and_phrases(shapes: ContainerProxy) -> None:
    """Words count, not pieces of them, in any case; a phrase is consecutive words."""
    assert ask(shapes, "SELECT VALUE c.id FROM c WHERE FullTextContains(c.text, 'FOX')") == ["0", "4"]
    assert ask(shapes, "SELECT VALUE c.id FROM c WHERE FullTextContains(c.text, 'red bicycle')") == ["1", "4"]
    assert ask(shapes, "SELECT VALUE c.id FROM c WHERE FullTextContainsAll(c.text, 'red', 'fox')") == ["0", "4"]
    assert ask(shapes, "SELECT VALUE c.id FROM c WHERE FullTextContainsAny(c.text, 'nothing', 'foxes')") == ["2", "3"]


@pytest.mark.read_in_sdk("azure-cosmos _hybrid_search_aggregator: statistics, components, fusion")
def test_hybrid_search_ranks_by_all_its_scores(shapes: ContainerProxy) -> None:
    """The SDK fuses both rankings: what is best in both is first; weights may be parameters."""
    ranked = "FullTextScore(c.text, 'red', 'bicycle'), VectorDistance(c.at, [4, 0])"
    assert ask(shapes, f"SELECT TOP 2 c.id FROM c ORDER BY RANK RRF({ranked})")[0] == {"id": "4"}
    weights: list[dict[str, object]] = [{"name": "@weights", "value": [1, 0.5]}]
    weighted = ask(shapes, f"SELECT TOP 2 c.id FROM c ORDER BY RANK RRF({ranked}, @weights)", parameters=weights)
    assert weighted[0] == {"id": "4"}


@pytest.mark.documented("the query reference's own samples for ST_DISTANCE, ST_WITHIN and ST_ISVALIDDETAILED")
def test_distances_on_the_earth_are_those_of_the_reference(container: ContainerProxy) -> None:
    """A distance of the query reference to within a metre in ten thousand kilometres; bad latitudes are named."""
    office = {"type": "Point", "coordinates": [-96.84368664765994, 46.81297794314663]}
    container.create_item({"id": "1", "pk": "p", "location": office})
    here = json.dumps({"type": "Point", "coordinates": [-122.11758113953535, 47.66901087006131]})
    (metres,) = ask(container, f"SELECT VALUE ST_DISTANCE(c.location, {here}) FROM c")
    assert math.isclose(metres, 1907438.421299902, rel_tol=1e-7)
    square = "{'type': 'Polygon', 'coordinates': [[[-100, 40], [-90, 40], [-90, 50], [-100, 50], [-100, 40]]]}"
    assert ask(container, f"SELECT VALUE ST_WITHIN(c.location, {square}) FROM c") == [True]
    wrong = "{'type': 'Point', 'coordinates': [10, 95]}"
    assert ask(container, f"SELECT VALUE ST_ISVALIDDETAILED({wrong})") == [
        {"valid": False, "reason": "Latitude values must be between -90 and 90 degrees."}
    ]
    assert ask(container, "SELECT ST_DISTANCE(1, 2) AS d") == [{}]


ADVISED = [
    ("SELECT * FROM c WHERE ARRAY_CONTAINS(c.tags, {'name': 'a'}, true)", "QA1000"),
    ("SELECT DISTINCT VALUE t FROM c JOIN t IN c.tags", "QA1001"),
    ("SELECT * FROM c WHERE CONTAINS(c.name, 'a')", "QA1002"),
    ("SELECT * FROM c WHERE STARTSWITH(c.name, 'a', true)", "QA1003"),
    ("SELECT * FROM c WHERE StringEquals(c.name, 'a', true)", "QA1003"),
    ("SELECT * FROM c WHERE ENDSWITH(c.name, 'a', true)", "QA1004"),
    ("SELECT LOWER(c.name) AS n FROM c GROUP BY LOWER(c.name)", "QA1005"),
    ("SELECT * FROM c WHERE UPPER(c.name) = 'A'", "QA1006"),
    ("SELECT * FROM c WHERE c.at < GetCurrentDateTime()", "QA1007"),
    ("SELECT * FROM c WHERE c.at < GetCurrentTicks()", "QA1008"),
    ("SELECT * FROM c WHERE c.at < GetCurrentTimestamp()", "QA1009"),
]


@pytest.mark.read_in_sdk("azure-cosmos _query_advisor/query_advice_rules.json and tests/test_query.py")
@pytest.mark.parametrize(("text", "rule"), ADVISED)
def test_advice_names_the_rules_that_a_query_meets(container: ContainerProxy, text: str, rule: str) -> None:
    """Asked for advice, the answer's header names the rule, in the SDK's own words; a plain filter meets none."""
    told: list[str] = []

    def hook(headers: Any, _: object) -> None:
        told.append(headers["x-ms-cosmos-query-advice"])

    list(container.query_items(text, partition_key="p", populate_query_advice=True, response_hook=hook))
    plain = "SELECT * FROM c WHERE c.name = 'a'"
    list(container.query_items(plain, partition_key="p", populate_query_advice=True, response_hook=hook))
    advised, plainly = told
    assert advised.startswith(f"{rule}: ")
    assert "\n" not in advised
    assert plainly == ""


@pytest.mark.seen_on_azure("efcore#16150 and grandnode2#93 quote the refusals")
def test_an_order_that_the_index_policy_excludes_is_refused(database: DatabaseProxy) -> None:
    """ORDER BY needs its path in the index; the most precise entry of the policy decides."""
    policy = {
        "includedPaths": [{"path": "/*"}, {"path": "/hidden/shown/?"}],
        "excludedPaths": [{"path": "/hidden/*"}],
    }
    container = database.create_container("narrow", PartitionKey("/pk"), indexing_policy=policy)
    container.create_item({"id": "1", "pk": "p", "hidden": {"shown": 1, "other": 2}})
    assert ask(container, "SELECT VALUE c.id FROM c ORDER BY c.hidden.shown") == ["1"]
    assert ask(container, "SELECT VALUE c.id FROM c ORDER BY c._ts") == ["1"]
    with pytest.raises(CosmosHttpResponseError, match="order-by item is excluded") as refusal:
        ask(container, "SELECT VALUE c.id FROM c ORDER BY c.hidden.other")
    assert refusal.value.status_code == 400
    assert ask(container, "SELECT VALUE c.id FROM c WHERE c.hidden.other = 2") == ["1"]


@pytest.mark.seen_on_azure("a container of indexing mode none asks for the scan header, by the refusal's words")
def test_a_filter_without_any_index_has_to_allow_a_scan(database: DatabaseProxy) -> None:
    """Id and partition key are always found; any other filter needs enable_scan_in_query."""
    policy = {"indexingMode": "none", "automatic": False}
    container = database.create_container("bare", PartitionKey("/pk"), indexing_policy=policy)
    container.create_item({"id": "1", "pk": "p", "a": 2})
    assert ask(container, "SELECT VALUE c.a FROM c WHERE c.id = '1' AND c.pk = 'p'") == [2]
    with pytest.raises(CosmosHttpResponseError, match="excluded from indexing"):
        ask(container, "SELECT VALUE c.a FROM c WHERE c.a = 2")
    assert ask(container, "SELECT VALUE c.a FROM c WHERE c.a = 2", enable_scan_in_query=True) == [2]


@pytest.mark.read_in_sdk("azure-cosmos tests/test_query_hybrid_search.py: one request with a partition key")
def test_a_search_within_one_partition_is_ranked_by_the_server(shapes: ContainerProxy) -> None:
    """With a partition key one request brings the ranked page: no plan, no statistics asked by the client."""
    requests: list[object] = []
    scores = "RRF(FullTextScore(c.text, 'red'), VectorDistance(c.at, [4, 0]))"
    text = f"SELECT TOP 2 VALUE c.id FROM c ORDER BY RANK {scores}"
    page = shapes.query_items(text, partition_key="p", response_hook=lambda *_: requests.append(1))
    found = [str(each) for each in page]
    assert found[0] == "4"
    assert len(found) == 2
    assert len(requests) == 1
    paged = shapes.query_items(text.replace("TOP 2 ", ""), partition_key="p", max_item_count=2).by_page()
    everything = [str(each) for page in paged for each in page]
    assert everything[:2] == found
    assert len(everything) == len(set(everything)) == 5


@pytest.mark.documented(f"{NOSQL}/query/order-by-rank: its example gives the keywords as an array")
def test_keywords_of_a_score_may_stand_in_an_array(shapes: ContainerProxy) -> None:
    """An array of keywords is the same as the keywords."""
    text = "SELECT VALUE c.id FROM c ORDER BY RANK FullTextScore(c.text, {})"
    ranked = [ask(shapes, f"SELECT TOP 5 {text[7:]}".format(words)) for words in ("'red', 'fox'", "['red', 'fox']")]
    assert ranked[0] == ranked[1]
    assert ranked[0][0] in ("0", "4")
