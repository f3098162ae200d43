"""Cosmos DB input and output bindings, and the expressions in them, as functions meet them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.cosmos import ContainerProxy, DatabaseProxy, PartitionKey
from azure.cosmos.partition_key import NonePartitionKeyValue

from emulators.base.ids import Ids
from tests.emulators.functions_host.conftest import Cosmos
from tests.emulators.functions_host.running import RunningHost, running_host, write_app

INPUT = "learn.microsoft.com azure-functions functions-bindings-cosmosdb-v2-input"
OUTPUT = "learn.microsoft.com azure-functions functions-bindings-cosmosdb-v2-output"

APP = """
import json
import azure.functions as func
app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
HERE = {"connection": "Shop", "database_name": "%Database%", "container_name": "items"}

def told(documents):
    return json.dumps([None if each is None else {k: v for k, v in each.items() if k[0] != "_"} for each in documents])

@app.route(route="one/{pk}/{id}")
@app.cosmos_db_input(arg_name="found", id="{id}", partition_key="{pk}", **HERE)
def One(req, found: func.DocumentList):
    return told(found)

@app.route(route="keyless/{id}")
@app.cosmos_db_input(arg_name="found", id="{id}", **HERE)
def Keyless(req, found: func.DocumentList):
    return told(found)

@app.route(route="asked")
@app.cosmos_db_input(arg_name="found", sql_query="SELECT * FROM c WHERE c.colour = {Query.colour} ORDER BY c.n", **HERE)
async def Asked(req, found: func.DocumentList):
    return told(found)

@app.route(route="top")
@app.cosmos_db_input(arg_name="found", sql_query="SELECT DISTINCT VALUE c.colour FROM c ORDER BY c.colour DESC "
                     "OFFSET 1 LIMIT 1", **HERE)
async def Top(req, found: str):
    return found

@app.route(route="count/{pk}")
@app.cosmos_db_input(arg_name="found", sql_query="SELECT VALUE COUNT(1) FROM c", partition_key="{pk}", **HERE)
async def Count(req, found: str):
    return found

@app.route(route="count")
@app.cosmos_db_input(arg_name="found", sql_query="SELECT VALUE COUNT(1) FROM c", **HERE)
async def CountAll(req, found: str):
    return found

@app.route(route="all")
@app.cosmos_db_input(arg_name="found", **HERE)
async def All(req, found: func.DocumentList):
    return str(len(found))

@app.route(route="put", methods=["POST"])
@app.cosmos_db_output(arg_name="made", **HERE)
async def Put(req: func.HttpRequest, made: func.Out[func.Document]):
    made.set(func.Document.from_json(req.get_body()))
    return "put"

@app.route(route="put-many", methods=["POST"])
@app.cosmos_db_output(arg_name="made", **HERE)
def PutMany(req: func.HttpRequest, made: func.Out[func.DocumentList]):
    made.set(func.DocumentList([func.Document.from_dict(each) for each in req.get_json()]))
    return "put"

@app.route(route="put-text/{where}", methods=["POST"])
@app.cosmos_db_output(arg_name="made", connection="Shop", database_name="%Database%", container_name="{where}",
                      create_if_not_exists=True, partition_key="/pk", container_throughput=500)
def PutText(req: func.HttpRequest, made: func.Out[str]):
    made.set(req.get_body().decode())
    return "put"

@app.route(route="put-elsewhere", methods=["POST"])
@app.cosmos_db_output(arg_name="made", connection="Shop", database_name="%Database%", container_name="nowhere")
def PutElsewhere(req: func.HttpRequest, made: func.Out[str]):
    made.set(req.get_body().decode())
    return "put"

@app.route(route="generic/{pk}/{id}")
@app.generic_input_binding(arg_name="found", type="cosmosDB", connection="Shop", databaseName="%Database%",
                           containerName="items", id="{id}", partitionKey="{pk}")
@app.generic_output_binding(arg_name="copy", type="cosmosDB", connection="Shop", databaseName="%Database%",
                            containerName="items")
def Generic(req: func.HttpRequest, found: str, copy: func.Out[str]):
    document = json.loads(found)
    copy.set(json.dumps({**document, "id": document["id"] + "-copy"}))
    return "copied"
"""


@pytest.fixture(scope="module")
def database(cosmos: Cosmos) -> DatabaseProxy:
    """One database for this module's host."""
    return cosmos.client.create_database(f"db-{Ids().guid()}")


@pytest.fixture(scope="module")
def items(database: DatabaseProxy) -> ContainerProxy:
    """A container of three ranges with a dozen items."""
    container = database.create_container("items", PartitionKey("/pk"), offer_throughput=18_000)
    for number in range(12):
        colour = ("red", "green", "blue")[number % 3]
        container.create_item({"id": str(number), "pk": f"p{number % 4}", "n": 12 - number, "colour": colour})
    return container


@pytest.fixture(scope="module")
def host(
    tmp_path_factory: pytest.TempPathFactory, cosmos: Cosmos, database: DatabaseProxy, items: ContainerProxy
) -> Iterator[RunningHost]:
    """A host that runs APP on the database."""
    values = {"Shop": cosmos.connection_string, "Database": database.id}
    with running_host(write_app(tmp_path_factory.mktemp("items"), APP, values=values)) as started:
        yield started


def asked(host: RunningHost, path: str) -> Any:
    """What a GET answers."""
    answer = host.call("GET", f"/api/{path}")
    assert answer.status_code == 200, "\n".join(host.lines)
    return answer.json()


@pytest.mark.documented(f"{INPUT}: look up ID from route data")
def test_an_item_by_id_and_partition_key(host: RunningHost) -> None:
    """The item of the route's ids; one that is not there is None."""
    assert asked(host, "one/p3/7") == [{"id": "7", "pk": "p3", "n": 5, "colour": "green"}]
    assert asked(host, "one/p3/none") == [None]
    assert asked(host, "one/p2/7") == [None]


@pytest.mark.read_in_sdk("azure-webjobs-sdk-extensions CosmosDBItemValueBinder.cs: PartitionKey.None")
def test_an_item_by_id_alone(host: RunningHost, items: ContainerProxy) -> None:
    """Without a partition key it is the item that has none; one that has is not found."""
    items.create_item({"id": "keyless", "n": 77})
    assert [each["n"] for each in asked(host, "keyless/keyless")] == [77]
    assert asked(host, "keyless/7") == [None]
    items.delete_item("keyless", NonePartitionKeyValue)


@pytest.mark.documented(f"{INPUT}: SqlQuery with binding expressions")
def test_a_query_gets_its_expressions_as_parameters(host: RunningHost) -> None:
    """Results of all ranges in order; a value that looks like SQL is a value."""
    assert [each["n"] for each in asked(host, "asked?colour=red")] == [3, 6, 9, 12]
    assert asked(host, "asked?colour=red' OR 1=1 --") == []


@pytest.mark.documented(f"{INPUT}: sqlQuery; learn.microsoft.com nosql/query: DISTINCT, OFFSET LIMIT")
def test_order_distinct_offset_and_limit_hold_over_all_ranges(host: RunningHost) -> None:
    """They are those of the whole container, not of a partition."""
    assert asked(host, "top") == ["green"]


@pytest.mark.documented(f"{INPUT}: partitionKey")
def test_a_query_of_one_partition_key_may_aggregate(host: RunningHost) -> None:
    """With a partition key the count is that key's."""
    assert asked(host, "count/p1") == [3]


@pytest.mark.our_choice("merging aggregates is not built, and a wrong number would be worse")
def test_an_aggregate_over_several_ranges_is_refused_by_name(host: RunningHost) -> None:
    """The invocation fails and the log says what to do."""
    assert host.call("GET", "/api/count").status_code == 500
    assert "Give the binding a partitionKey" in host.until("501: this sqlQuery has to be aggregated")


@pytest.mark.read_in_sdk("azure-webjobs-sdk-extensions CosmosDBExtensionConfigProvider.cs: neither id nor sqlQuery")
def test_without_id_and_query_all_items_come(host: RunningHost) -> None:
    """The whole container, page after page."""
    assert asked(host, "all") >= 12


@pytest.mark.documented(f"{OUTPUT}: Document")
def test_an_item_is_upserted(host: RunningHost, items: ContainerProxy) -> None:
    """Twice the same id is one item at its last value."""
    for n in (1, 2):
        assert host.call("POST", "/api/put", json={"id": "new", "pk": "other", "n": n}).text == "put"
    assert items.read_item("new", "other")["n"] == 2


@pytest.mark.documented(f"{OUTPUT}: DocumentList")
def test_a_list_is_upserted(host: RunningHost, items: ContainerProxy) -> None:
    """Each of them, from a sync function."""
    documents = [{"id": str(number), "pk": "listed"} for number in range(3)]
    assert host.call("POST", "/api/put-many", json=documents).text == "put"
    assert len(list(items.query_items("SELECT * FROM c", partition_key="listed"))) == 3


@pytest.mark.documented(f"{OUTPUT}: createIfNotExists, partitionKey, containerThroughput")
def test_a_missing_container_is_created_on_request(host: RunningHost, database: DatabaseProxy) -> None:
    """Its name comes from the route, its key and throughput from the binding; text is read as JSON, an array too."""
    text = json.dumps([{"id": "1", "pk": "a"}, {"id": "2", "pk": "b"}])
    assert host.call("POST", "/api/put-text/fresh", data=text).text == "put"
    fresh = database.get_container_client("fresh")
    assert fresh.read()["partitionKey"]["paths"] == ["/pk"]
    assert fresh.get_throughput().offer_throughput == 500
    assert len(list(fresh.read_all_items())) == 2


@pytest.mark.documented(f"{OUTPUT}: createIfNotExists is false by default")
def test_a_missing_container_fails_the_invocation(host: RunningHost) -> None:
    """The answer is 500 and the log names the 404."""
    assert host.call("POST", "/api/put-elsewhere", data='{"id": "1"}').status_code == 500
    host.until("Response status code does not indicate success: 404")


@pytest.mark.read_in_sdk("azure-functions decorators/function_app.py: generic_input_binding, generic_output_binding")
def test_generic_decorators_bind_alike(host: RunningHost, items: ContainerProxy) -> None:
    """Bindings by type and property names read and write as the named decorators do."""
    assert host.call("GET", "/api/generic/p3/7").text == "copied"
    assert items.read_item("7-copy", "p3")["n"] == 5


@pytest.mark.parametrize(
    ("decorator", "reason"),
    [
        ('@app.cosmos_db_input(arg_name="x", connection="No", database_name="d", container_name="c")', "'No' does not"),
        (
            '@app.cosmos_db_input(arg_name="x", connection="Bad", database_name="d", container_name="c")',
            "please use AccountEndpoint=XXXXXX;AccountKey=XXXXXX;.",
        ),
        (
            '@app.cosmos_db_input(arg_name="x", connection="BadKey", database_name="d", container_name="c")',
            "The setting BadKey is not a Cosmos DB connection string",
        ),
        (
            '@app.cosmos_db_input(arg_name="x", connection="No", database_name="%d%", container_name="c")',
            "'%d%' does not resolve to a value.",
        ),
        (
            (
                '@app.cosmos_db_input_v3(arg_name="x", connection_string_setting="Bad", database_name="d", '
                'collection_name="c")'
            ),
            "version 3 of the Cosmos DB extension",
        ),
        (
            '@app.generic_input_binding(arg_name="x", type="sql", commandText="select 1")',
            "501: the input binding type 'sql' (parameter 'x') is not built into this host.",
        ),
    ],
)
@pytest.mark.read_in_sdk("azure-webjobs-sdk-extensions DefaultCosmosDBServiceFactory.cs; NameResolverExtensions.cs")
def test_a_binding_that_cannot_work_puts_only_its_function_in_error(
    tmp_path: Path, decorator: str, reason: str
) -> None:
    """The reason is named, and the app's other function answers."""
    source = f"""
import azure.functions as func
app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

@app.route(route="good")
async def Good(req):
    return "good"

@app.route(route="bad")
{decorator}
async def Bad(req, x: str):
    return "bad"
"""
    values = {"Bad": "https://here", "BadKey": "AccountEndpoint=https://here/;AccountKey=not base64"}
    with running_host(write_app(tmp_path, source, values=values)) as host:
        assert reason in host.until("The 'Bad' function is in error:")
        assert host.call("GET", "/api/good").text == "good"
