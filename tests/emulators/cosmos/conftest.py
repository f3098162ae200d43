"""An emulator on a free port, and the official SDK's clients for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from azure.cosmos import ContainerProxy, CosmosClient, DatabaseProxy, PartitionKey

from emulators.base.clock import Clock
from emulators.base.ids import Ids
from emulators.cosmos.account import WELL_KNOWN_KEY
from emulators.cosmos.application import create
from tests.emulators.cosmos.http import Door
from tests.serving import served


@pytest.fixture(scope="session")
def clock() -> Clock:
    """The emulator's clock; it runs, and a test may turn it forward."""
    return Clock()


@pytest.fixture(scope="session")
def url(clock: Clock) -> Iterator[str]:
    """Where an emulator answers, one for the whole run: tests keep apart by their databases."""
    with served(lambda: create(clock=clock)) as address:
        yield address


@pytest.fixture(scope="session")
def client(url: str) -> Iterator[CosmosClient]:
    """The official client with the well-known key."""
    with CosmosClient(url, WELL_KNOWN_KEY) as made:
        yield made


@pytest.fixture
def database(client: CosmosClient) -> DatabaseProxy:
    """An empty database."""
    return client.create_database(f"db-{Ids().guid()}")


@pytest.fixture
def container(database: DatabaseProxy) -> ContainerProxy:
    """An empty container with the partition key /pk."""
    return database.create_container("items", PartitionKey("/pk"))


@pytest.fixture
def door(url: str) -> Door:
    """Plain HTTP to the same emulator."""
    return Door(url)
