"""The services that triggers and bindings reach: a Cosmos DB emulator, met as an app meets it, and its databases."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests
from azure.cosmos import ContainerProxy, CosmosClient, DatabaseProxy, PartitionKey

from emulators.base.clock import Clock
from emulators.base.ids import Ids
from emulators.cosmos.account import WELL_KNOWN_KEY
from emulators.cosmos.application import create
from tests.serving import served


@dataclass(frozen=True)
class Cosmos:
    """A running Cosmos DB emulator."""

    url: str
    client: CosmosClient
    clock: Clock

    @property
    def connection_string(self) -> str:
        """What a connection setting takes."""
        return f"AccountEndpoint={self.url}/;AccountKey={WELL_KNOWN_KEY};"

    def control(self, path: str, body: dict[str, Any]) -> Any:
        """A call of a control endpoint."""
        answer = requests.post(
            f"{self.url}/_emulator{path}", json=body, headers={"x-emulator-control": "1"}, timeout=30
        )
        assert answer.ok, answer.text
        return answer.json()


@pytest.fixture(scope="session")
def cosmos() -> Iterator[Cosmos]:
    """An emulator for the whole run: tests keep apart by their databases."""
    clock = Clock()
    with served(lambda: create(clock=clock)) as url, CosmosClient(url, WELL_KNOWN_KEY) as client:
        yield Cosmos(url, client, clock)


@pytest.fixture
def database(cosmos: Cosmos) -> DatabaseProxy:
    """An empty database."""
    return cosmos.client.create_database(f"db-{Ids().guid()}")


@pytest.fixture
def items(database: DatabaseProxy) -> ContainerProxy:
    """An empty container with the partition key /pk."""
    return database.create_container("items", PartitionKey("/pk"))
