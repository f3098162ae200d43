"""Gets at the service's documents behind everybody's back, to make the two sides differ."""

from __future__ import annotations

from azure.cosmos import ContainerProxy, CosmosClient

from emulators.cosmos.account import WELL_KNOWN_KEY
from tests.order_service import Service


def container(service: Service, name: str) -> ContainerProxy:
    """A container of the service, to spoil its documents."""
    client = CosmosClient(service.stack.cosmos, WELL_KNOWN_KEY)
    return client.get_database_client(service.settings["OrdersDatabase"]).get_container_client(name)
