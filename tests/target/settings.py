"""Where the real services are: read from the environment. Without a key it is azure-identity's turn."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest

RESOURCE_MANAGER = "https://management.azure.com"


@dataclass(frozen=True, slots=True)
class CosmosAccount:
    """A Cosmos DB account. Without a key, the one container that an identity may empty and fill."""

    url: str
    key: str | None
    database: str | None = None
    container: str | None = None

    def given_key(self) -> str:
        """The key, for what is to be opened with one; skips the test when there is none."""
        return self.key or pytest.skip("--target=azure: AZURE_COSMOS_KEY is not set")

    def credential(self) -> Any:
        """What the synchronous client takes."""
        return self.key or default_credential()


@dataclass(frozen=True, slots=True)
class ResourceGroup:
    """Where topics may be made, and by which control plane."""

    resource_manager: str
    subscription: str
    name: str
    location: str

    @property
    def url(self) -> str:
        """Below this is the Event Grid provider."""
        path = f"/subscriptions/{self.subscription}/resourceGroups/{self.name}/providers/Microsoft.EventGrid"
        return self.resource_manager.rstrip("/") + path


@dataclass(frozen=True, slots=True)
class Service:
    """The order service: where each side answers and the function key that it wants."""

    commands: str
    views: str
    commands_key: str | None
    views_key: str | None


def cosmos_account(environment: Mapping[str, str] = os.environ) -> CosmosAccount:
    """AZURE_COSMOS_ENDPOINT, and AZURE_COSMOS_KEY or AZURE_COSMOS_DATABASE and AZURE_COSMOS_CONTAINER."""
    return CosmosAccount(
        _needed(environment, "AZURE_COSMOS_ENDPOINT").rstrip("/"),
        environment.get("AZURE_COSMOS_KEY"),
        environment.get("AZURE_COSMOS_DATABASE"),
        environment.get("AZURE_COSMOS_CONTAINER"),
    )


def resource_group(environment: Mapping[str, str] = os.environ) -> ResourceGroup:
    """AZURE_SUBSCRIPTION_ID, AZURE_RESOURCE_GROUP, AZURE_LOCATION; AZURE_RESOURCE_MANAGER for another cloud's."""
    return ResourceGroup(
        environment.get("AZURE_RESOURCE_MANAGER", RESOURCE_MANAGER),
        _needed(environment, "AZURE_SUBSCRIPTION_ID"),
        _needed(environment, "AZURE_RESOURCE_GROUP"),
        _needed(environment, "AZURE_LOCATION"),
    )


def service(environment: Mapping[str, str] = os.environ) -> Service:
    """SERVICE_ORDERS_URI, SERVICE_VIEWS_URI, ORDERS_FUNCTION_KEY, VIEWS_FUNCTION_KEY."""
    commands = _needed(environment, "SERVICE_ORDERS_URI").rstrip("/")
    views = environment.get("SERVICE_VIEWS_URI", commands).rstrip("/")
    key = environment.get("ORDERS_FUNCTION_KEY")
    return Service(commands, views, key, environment.get("VIEWS_FUNCTION_KEY") or (key if views == commands else None))


def token(scope: str) -> str:
    """A bearer token of whoever runs the tests."""
    return str(default_credential().get_token(scope).token)


@cache
def default_credential() -> Any:
    """The identity of `az login`, of the machine, or of a service principal in the environment."""
    from azure.identity import DefaultAzureCredential

    return DefaultAzureCredential()


def _needed(environment: Mapping[str, str], name: str) -> str:
    if value := environment.get(name):
        return value
    pytest.skip(f"--target=azure: {name} is not set")
