"""The account under test, an emulator's unless --target=azure says otherwise, and the official SDK's clients for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from azure.cosmos import ContainerProxy, CosmosClient, DatabaseProxy, PartitionKey
from azure.cosmos.partition_key import NonePartitionKeyValue

from emulators.base.clock import Clock
from emulators.base.ids import Ids
from emulators.cosmos.account import WELL_KNOWN_KEY
from emulators.cosmos.application import create
from tests.emulators.cosmos.http import Door
from tests.serving import served
from tests.target.plugin import is_azure
from tests.target.settings import CosmosAccount, cosmos_account


@pytest.fixture(scope="session")
def clock() -> Clock:
    """The emulator's clock; it runs, and a test may turn it forward."""
    return Clock()


@pytest.fixture(scope="session")
def account(clock: Clock, pytestconfig: pytest.Config) -> Iterator[CosmosAccount]:
    """An emulator's, one for the whole run: tests keep apart by their databases. With --target=azure, a real one."""
    if is_azure(pytestconfig):
        yield cosmos_account()
    else:
        with served(lambda: create(clock=clock)) as address:
            yield CosmosAccount(address, WELL_KNOWN_KEY)


@pytest.fixture(scope="session")
def url(account: CosmosAccount) -> str:
    """Where it answers."""
    return account.url


@pytest.fixture(scope="session")
def client(account: CosmosAccount) -> Iterator[CosmosClient]:
    """The official client."""
    with CosmosClient(account.url, account.credential()) as made:
        yield made


@pytest.fixture
def database(client: CosmosClient, account: CosmosAccount, pytestconfig: pytest.Config) -> Iterator[DatabaseProxy]:
    """An empty database; a real account does not keep it."""
    if account.key is None:
        pytest.skip("--target=azure: an identity may not make databases and containers: give AZURE_COSMOS_KEY")
    made = client.create_database(f"db-{Ids().guid()}")
    yield made
    if is_azure(pytestconfig):
        client.delete_database(made.id)


@pytest.fixture
def container(request: pytest.FixtureRequest, account: CosmosAccount, client: CosmosClient) -> ContainerProxy:
    """An empty container with the partition key /pk; for an identity, one that is there already."""
    if account.key is None:
        return emptied(account, client)
    database: DatabaseProxy = request.getfixturevalue("database")
    return database.create_container("items", PartitionKey("/pk"))


def emptied(account: CosmosAccount, client: CosmosClient) -> ContainerProxy:
    """The container that AZURE_COSMOS_DATABASE and AZURE_COSMOS_CONTAINER name, without its items."""
    if not account.database or not account.container:
        pytest.skip("--target=azure: give AZURE_COSMOS_KEY, or AZURE_COSMOS_DATABASE and AZURE_COSMOS_CONTAINER")
    there = client.get_database_client(account.database).get_container_client(account.container)
    for item in list(there.read_all_items()):
        there.delete_item(item, item.get("pk", NonePartitionKeyValue))
    return there


@pytest.fixture
def door(account: CosmosAccount) -> Door:
    """Plain HTTP to the same account."""
    return Door(account.url, account.key)
