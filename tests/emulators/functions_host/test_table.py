"""Table input and output bindings on the real Azurite."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from azure.data.tables import TableServiceClient

from local.azurite import StorageAddress
from tests.emulators.functions_host.running import RunningHost, running_host, write_app

INPUT = "learn.microsoft.com azure-functions functions-bindings-storage-table-input"
OUTPUT = "learn.microsoft.com azure-functions functions-bindings-storage-table-output"

APP = """
import azure.functions as func
app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
STORE = {"connection": "Store", "table_name": "Things"}

@app.route(route="one/{pk}/{rk}")
@app.table_input(arg_name="found", partition_key="{pk}", row_key="{rk}", **STORE)
def One(req, found: str):
    return func.HttpResponse(found, mimetype="application/json")

@app.route(route="some/{pk}")
@app.table_input(arg_name="found", partition_key="{pk}", filter="n gt {Query.n}", take=2, **STORE)
async def Some(req, found: str):
    return func.HttpResponse(found, mimetype="application/json")

@app.route(route="put/{pk}", methods=["POST"])
@app.table_output(arg_name="made", partition_key="{pk}", **STORE)
def Put(req: func.HttpRequest, made: func.Out[str]):
    made.set(req.get_body().decode())
    return "put"
"""


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory, azurite: StorageAddress) -> Iterator[RunningHost]:
    """A host that runs APP on Azurite."""
    root = write_app(tmp_path_factory.mktemp("tables"), APP, values={"Store": azurite.connection_string})
    with running_host(root) as started:
        yield started


@pytest.fixture
def tables(azurite: StorageAddress) -> Iterator[TableServiceClient]:
    """The account's tables, with Things in it."""
    with TableServiceClient.from_connection_string(azurite.connection_string) as client:
        client.create_table_if_not_exists("Things")
        yield client


@pytest.mark.documented(f"{OUTPUT}: one entity or an array; the table is created")
def test_entities_are_inserted(host: RunningHost, azurite: StorageAddress) -> None:
    """One and several, with the binding's partition key or their own; one that exists already is a failure."""
    with TableServiceClient.from_connection_string(azurite.connection_string) as client:
        client.delete_table("Things")
        assert host.call("POST", "/api/put/a", json={"RowKey": "1", "n": 1}).text == "put"
        several = [{"RowKey": "2", "n": 2.5}, {"PartitionKey": "b", "RowKey": "3", "flag": True}]
        assert host.call("POST", "/api/put/a", json=several).text == "put"
        table = client.get_table_client("Things")
        assert table.get_entity("a", "2")["n"] == 2.5
        assert table.get_entity("b", "3")["flag"] is True
    assert host.call("POST", "/api/put/a", json={"RowKey": "1", "n": 9}).status_code == 500
    host.until("EntityAlreadyExists")
    assert host.call("POST", "/api/put/a", json={"n": 9}).status_code == 500
    host.until("lacks ['RowKey']")


@pytest.mark.documented(f"{INPUT}: partitionKey, rowKey, filter, take")
def test_entities_are_read(host: RunningHost, tables: TableServiceClient) -> None:
    """A partition's, all of them or by filter, no more than asked, always an array."""
    table = tables.get_table_client("Things")
    for number in range(5):
        table.upsert_entity({"PartitionKey": "r", "RowKey": str(number), "n": number, "name": f"thing {number}"})
    assert [each["n"] for each in host.call("GET", "/api/some/r?n=1").json()] == [2, 3]
    assert host.call("GET", "/api/some/none?n=1").json() == []


@pytest.mark.documented(
    "github.com Azure/azure-functions-python-worker issues 1231 and 1725; its tests/endtoend/test_table_functions.py"
)
def test_a_row_key_does_not_choose_one_entity(host: RunningHost, tables: TableServiceClient) -> None:
    """Python gets the partition as an array, whatever row_key says, and the console says so."""
    table = tables.get_table_client("Things")
    for number in range(2):
        table.upsert_entity({"PartitionKey": "whole", "RowKey": str(number), "name": f"thing {number}"})
    found = host.call("GET", "/api/one/whole/1").json()
    assert [each["name"] for each in found] == ["thing 0", "thing 1"]
    assert host.call("GET", "/api/one/none/1").json() == []
    host.until("'One': rowKey of 'found' has no effect, here and on Azure")
