"""Makes what topology.toml says exist, idempotently, through the doors that Azure has too.

Cosmos DB through the official SDK, Event Grid through its ARM surface, blob containers through the storage SDK.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import aiohttp

from emulators.base.control import CONTROL_HEADER
from local.azurite import ACCOUNT
from local.topology import Container, Subscription, Topology
from local.trust import trusted

ARM_VERSION = "2025-02-15"
SUBSCRIPTION_ID = "00000000-0000-0000-0000-000000000000"
RESOURCE_GROUP = "local"
SCOPE = f"/subscriptions/{SUBSCRIPTION_ID}/resourceGroups/{RESOURCE_GROUP}/providers"
POLL_SECONDS = 0.05
"""How often a handshake that is under way is asked about."""


class ProvisioningFailed(Exception):
    """A resource could not be made. The text carries the service's own answer."""


async def provision_cosmos(url: str, key: str, topology: Topology) -> None:
    """The database and its containers, indexing policies included."""
    from azure.core.pipeline.transport import AioHttpTransport
    from azure.cosmos.aio import CosmosClient

    async with CosmosClient(url, key, transport=AioHttpTransport(use_env_settings=False)) as client:
        await create_containers(client, topology)


async def create_containers(client: Any, topology: Topology) -> None:
    """The database and its containers, through a connected `CosmosClient` of `azure.cosmos.aio`."""
    database = await client.create_database_if_not_exists(topology.database)
    await asyncio.gather(*(_create_container(database, container) for container in topology.containers))


async def _create_container(database: Any, container: Container) -> None:
    from azure.cosmos import PartitionKey

    options: dict[str, Any] = {}
    if container.indexing_policy is not None:
        options["indexing_policy"] = dict(container.indexing_policy)
    if container.default_ttl_seconds is not None:
        options["default_ttl"] = container.default_ttl_seconds
    await database.create_container_if_not_exists(container.name, PartitionKey(container.partition_key), **options)


async def provision_storage(connection_string: str, topology: Topology) -> None:
    """The blob containers."""
    from azure.core.exceptions import ResourceExistsError
    from azure.storage.blob.aio import BlobServiceClient

    async with BlobServiceClient.from_connection_string(connection_string) as client:
        for name in topology.blob_containers:
            try:
                await client.create_container(name)
            except ResourceExistsError:
                continue


async def provision_eventgrid(url: str, topology: Topology, *, functions_url: str, webhook_key: str | None) -> None:
    """The topic and its subscriptions; their handshakes may still be under way when this returns."""
    async with _arm_session(url) as session:
        for path, body in eventgrid_resources(topology, functions_url=functions_url, webhook_key=webhook_key):
            await _arm(session, "PUT", path, body)


def eventgrid_resources(
    topology: Topology, *, functions_url: str, webhook_key: str | None
) -> Iterator[tuple[str, dict[str, Any]]]:
    """(path, body) of each PUT that makes the topic and its subscriptions, in order."""
    topic = f"{SCOPE}/Microsoft.EventGrid/topics/{topology.topic}"
    yield topic, {"location": "local", "properties": {"inputSchema": topology.input_schema}}
    for subscription in topology.subscriptions:
        endpoint = f"{functions_url}/runtime/webhooks/eventgrid?functionName={subscription.function}"
        if webhook_key:
            endpoint += f"&code={webhook_key}"
        yield _path(topic, subscription), _subscription(subscription, endpoint)


async def provision_faults(url: str, service: str, topology: Topology) -> None:
    """The service's fault rules. Raises ProvisioningFailed with what is wrong with one."""
    prefix = "/admin/emulator" if service == "functions" else "/_emulator"
    connector = aiohttp.TCPConnector(ssl=trusted(url) or True)
    async with aiohttp.ClientSession(url, connector=connector, headers={CONTROL_HEADER: "1"}) as session:
        for fault in topology.faults:
            if fault.service != service:
                continue
            async with session.post(f"{prefix}/faults", json=dict(fault.rule)) as answer:
                if answer.status != 201:
                    raise ProvisioningFailed(f"fault rule {dict(fault.rule)} of {service}: {await answer.text()}")


async def until_subscribed(url: str, topology: Topology) -> None:
    """Return once every subscription's handshake has succeeded. Raises ProvisioningFailed when one has failed."""
    topic = f"{SCOPE}/Microsoft.EventGrid/topics/{topology.topic}"
    async with _arm_session(url) as session:
        for subscription in topology.subscriptions:
            while True:
                found = await _arm(session, "GET", _path(topic, subscription))
                state = found["properties"]["provisioningState"]
                if state == "Succeeded":
                    break
                if state in ("Failed", "Canceled"):
                    raise ProvisioningFailed(f"the event subscription {subscription.name} is {state}: {found}")
                await asyncio.sleep(POLL_SECONDS)


def _path(topic: str, subscription: Subscription) -> str:
    return f"{topic}/providers/Microsoft.EventGrid/eventSubscriptions/{subscription.name}"


def _subscription(subscription: Subscription, endpoint: str) -> dict[str, Any]:
    return {
        "properties": {
            "destination": {"endpointType": "WebHook", "properties": {"endpointUrl": endpoint}},
            "eventDeliverySchema": subscription.delivery_schema,
            "filter": dict(subscription.filter),
            "retryPolicy": {
                "maxDeliveryAttempts": subscription.delivery_attempts_max,
                "eventTimeToLiveInMinutes": subscription.event_time_to_live_minutes,
            },
            "deadLetterDestination": {
                "endpointType": "StorageBlob",
                "properties": {
                    "resourceId": f"{SCOPE}/Microsoft.Storage/storageAccounts/{ACCOUNT}",
                    "blobContainerName": subscription.dead_letter_container,
                },
            },
        }
    }


def _arm_session(url: str) -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(ssl=trusted(url) or True)
    return aiohttp.ClientSession(url, connector=connector, headers={"authorization": "Bearer local"})


async def _arm(
    session: aiohttp.ClientSession, method: str, path: str, body: dict[str, Any] | None = None
) -> dict[str, Any]:
    async with session.request(method, path, json=body, params={"api-version": ARM_VERSION}) as answer:
        if answer.status not in (200, 201):
            raise ProvisioningFailed(f"{method} {path} was answered {answer.status}: {(await answer.text())[:2000]}")
        document: dict[str, Any] = await answer.json()
        return document
