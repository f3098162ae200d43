"""Connections by identity: endpoints in `__` settings, tokens from a managed identity, everything over https."""

from __future__ import annotations

from pathlib import Path

import pytest
import requests
from azure.cosmos import CosmosClient, PartitionKey

from emulators.base.tls import certificate_file
from emulators.cosmos.account import WELL_KNOWN_KEY
from local.azurite import ACCOUNT
from tests.emulators.functions_host.running import running_host, write_app
from tests.identity import azurite_with_tokens, emulator, identity_endpoint

APP = """
import azure.functions as func
app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

@app.route(route="all/{id}")
@app.cosmos_db_output(arg_name="item", connection="Shop", database_name="d", container_name="c")
@app.event_grid_output(arg_name="event", connection="Topic")
@app.queue_output(arg_name="message", queue_name="out", connection="Store")
@app.blob_output(arg_name="blob", path="out/{id}", connection="Store")
def All(req: func.HttpRequest, item: func.Out[str], event: func.Out[str], message: func.Out[str],
        blob: func.Out[str]):
    id = req.route_params["id"]
    item.set('{"id": "%s"}' % id)
    event.set('{"id": "1", "subject": "s", "eventType": "T", "eventTime": "2026-11-23T10:00:00Z", '
              '"dataVersion": "1", "data": {}}')
    message.set(id)
    blob.set(id)
    return "done"

@app.cosmos_db_trigger(arg_name="documents", connection="Shop", database_name="d", container_name="c",
                       feed_poll_delay=20, start_from_beginning=True, create_lease_container_if_not_exists=True)
def Changed(documents: str):
    print("changed", documents[:12])
"""


@pytest.mark.documented(
    "learn.microsoft.com azure-functions functions-reference: configure an identity-based connection"
)
@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")  # the Cosmos DB SDK never verifies this machine
def test_every_connection_may_be_an_identity(tmp_path: Path) -> None:
    """Cosmos DB, Event Grid, queues and blobs are reached with tokens; the change feed too."""
    authority = tmp_path / "authority"
    with (
        emulator("cosmos", authority) as cosmos,
        emulator("eventgrid", authority, "--accept-bearer") as grid,
        azurite_with_tokens(authority, tmp_path / "azurite") as storage,
        identity_endpoint() as identity,
        CosmosClient(cosmos, WELL_KNOWN_KEY) as client,
    ):
        database = client.create_database("d")
        container = database.create_container("c", PartitionKey("/id"))
        database.create_container("leases", PartitionKey("/id"))
        topic = make_topic(grid, certificate_file(authority))
        values = {
            "Shop__accountEndpoint": cosmos,
            "Topic__topicEndpointUri": topic,
            "Topic__credential": "managedidentity",
            "Store__blobServiceUri": f"https://127.0.0.1:{storage.blob_port}/{ACCOUNT}",
            "Store__queueServiceUri": f"https://127.0.0.1:{storage.queue_port}/{ACCOUNT}",
            "Store__credential": "managedidentity",
            "Store__clientId": "ab1f708d-50f6-404c-a006-d71b2ac7a606",
        }
        environment = {
            "SSL_CERT_FILE": str(certificate_file(authority)),
            "IDENTITY_ENDPOINT": identity,
            "IDENTITY_HEADER": "secret",
        }
        with running_host(write_app(tmp_path / "app", APP, values=values), environment=environment) as host:
            answer = host.call("GET", "/api/all/7")
            host.until("Executed 'Functions.All' (Succeeded")
            assert answer.text == "done"
            assert not [line for line in host.lines if "Request URL" in line]
            host.until('changed [{"id":"7",')
            assert container.read_item("7", "7")["id"] == "7"


def make_topic(grid: str, authority: Path) -> str:
    """A topic of an emulator over https; its endpoint."""
    path = "/subscriptions/s/resourceGroups/g/providers/Microsoft.EventGrid/topics/topic?api-version=2025-02-15"
    answer = requests.put(
        grid + path,
        json={"location": "here", "properties": {}},
        headers={"authorization": "Bearer x"},
        verify=str(authority),
        timeout=10,
    )
    assert answer.ok, answer.text
    return str(answer.json()["properties"]["endpoint"])


@pytest.mark.read_in_sdk(
    "azure-webjobs-sdk-extensions DefaultCosmosDBServiceFactory.cs; EventGridAsyncCollectorFactory.cs"
)
def test_a_section_without_its_endpoint_is_named(tmp_path: Path) -> None:
    """What is missing of an identity's settings is said at the start."""
    values = {"Shop__credential": "managedidentity", "Topic__x": "1", "Store__accountName": "a"}
    with running_host(write_app(tmp_path, APP, values=values)) as host:
        host.until("The 'Changed' function is in error: Connection should have an 'accountEndpoint' property")
