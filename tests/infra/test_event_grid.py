"""The Bicep's Event Grid resources, body for body, to the emulator: it refuses what ARM would refuse."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from emulators.eventgrid.application import create
from emulators.eventgrid.storage import DEVELOPMENT_ACCOUNT
from local.bicep import GROUP_ID, Resource
from local.bicep_topology import SUBSCRIPTIONS, TOPICS, made
from tests.infra.deployments import deployment
from tests.serving import served


@pytest.fixture
def emulator() -> Iterator[str]:
    """Where an emulator answers."""
    with served(create) as url:
        yield url


def put(url: str, path: str, resource: Resource) -> dict[str, Any]:
    """A resource's body, sent to its ARM id; what is shown then."""
    body = {name: value for name, value in resource.properties.items() if name != "name"}
    account = f"{GROUP_ID}/providers/Microsoft.Storage/storageAccounts/{DEVELOPMENT_ACCOUNT}"
    answer = requests.put(
        url + path,
        params={"api-version": "2025-02-15"},
        headers={"authorization": "Bearer any"},
        json=_with_storage(body, account),
        timeout=30,
    )
    assert answer.status_code in (200, 201), answer.text
    shown: dict[str, Any] = answer.json()["properties"]
    return shown


def _with_storage(node: Any, account: str) -> Any:
    """The same body with the one storage account that the emulator has."""
    if isinstance(node, dict):
        return {name: _with_storage(each, account) for name, each in node.items()}
    return account if isinstance(node, str) and "/Microsoft.Storage/storageAccounts/" in node else node


def test_the_emulator_takes_the_bodies_as_they_are(emulator: str) -> None:
    """Topic and subscription; what is shown back says the same."""
    (topic,) = made(deployment("usual"), TOPICS)
    (subscription,) = made(deployment("usual"), SUBSCRIPTIONS)
    shown = put(emulator, topic.id, topic)
    assert (shown["inputSchema"], shown["disableLocalAuth"]) == ("EventGridSchema", True)
    shown = put(
        emulator, f"{topic.id}/providers/Microsoft.EventGrid/eventSubscriptions/{subscription.name}", subscription
    )
    assert shown["retryPolicy"] == {"maxDeliveryAttempts": 30, "eventTimeToLiveInMinutes": 1440}
    assert shown["destination"]["endpointType"] == "AzureFunction"
    letters = shown["deadLetterWithResourceIdentity"]["deadLetterDestination"]
    assert letters["properties"]["blobContainerName"] == "dead-letters"
