"""What the fixtures hand out: emulators with clocks, faults and topics; Azurite that says what it lacks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from azure.core.credentials import AzureKeyCredential
from azure.cosmos import CosmosClient, PartitionKey
from azure.cosmos.exceptions import CosmosHttpResponseError, CosmosResourceNotFoundError
from azure.eventgrid import EventGridEvent, EventGridPublisherClient

from emulators.pytest_plugin import servers
from emulators.pytest_plugin.azurite import running_azurite
from tests.emulators.eventgrid.subscriber import subscriber


@pytest.fixture
def cosmos() -> Iterator[servers.CosmosEmulator]:
    """What the fixture cosmos_emulator is."""
    with servers.cosmos() as emulator:
        yield emulator


def test_a_cosmos_emulator_has_a_clock_faults_and_splits(cosmos: servers.CosmosEmulator) -> None:
    """Time to live, a fault that counts itself, two ranges after a split, nothing after a reset."""
    with CosmosClient.from_connection_string(cosmos.connection_string, retry_total=0) as client:
        items = client.create_database("d").create_container("c", PartitionKey("/id"), default_ttl=10)
        items.create_item({"id": "1"})
        cosmos.advance(11)
        with pytest.raises(CosmosResourceNotFoundError):
            items.read_item("1", "1")
        with cosmos.fault(match={"operation": "docs.create"}, act={"status": 503}) as fault:
            with pytest.raises(CosmosHttpResponseError):
                items.create_item({"id": "2"})
            assert fault.fired >= 1
        items.create_item({"id": "2"})
        assert len(cosmos.split("d", "c")) == 2
        cosmos.reset()
        assert list(client.list_databases()) == []


def test_a_fault_that_cannot_be_obeyed_is_refused(cosmos: servers.CosmosEmulator) -> None:
    """The member is named."""
    with pytest.raises(ValueError, match="act takes an object"):
        cosmos.add_fault(match={}, act={"explode": True})


def test_an_event_grid_emulator_delivers() -> None:
    """A topic, a webhook that consents, an event of the official client."""
    with servers.eventgrid() as grid, subscriber() as webhook:
        endpoint = grid.topic("orders")
        grid.subscribe("orders", "all", webhook.url)
        grid.wait_until_subscribed("orders", "all")
        with EventGridPublisherClient(endpoint, AzureKeyCredential(grid.key)) as client:
            client.send([EventGridEvent("s", "T", {"n": 1}, "1.0")])
        [delivery] = webhook.wait_for(1)
        assert delivery.document[0]["data"] == {"n": 1}


def test_an_azurite_that_is_not_there_is_told_how_to_get(tmp_path: Path) -> None:
    """The message names npm and the setting."""
    with (
        pytest.raises(RuntimeError, match=r"npm install -g azurite.*azurite_command"),
        running_azurite(["no-such-azurite"], tmp_path),
    ):
        pass
