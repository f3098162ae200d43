"""The topology that infra/ would make on Azure, in the same terms as topology.toml: for comparing, and for
`python -m local demo --from infra/main.bicep`. It must not know how anything is made."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from local.bicep import BicepRefused, Deployed, Resource, deploy
from local.topology import Container, Subscription, Topology

PARAMETERS: Mapping[str, Any] = {
    "environmentName": "local",
    "location": "local",
    "continuationTokenKey": "local-continuation-token-key",
    "functionsDeployed": True,
}
"""An environment after its first deployment."""

ONLY_ON_AZURE = frozenset(("OrdersTelemetry",))
"""Settings whose values name something that only a deployment has."""

CONTAINERS = "Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers"
DATABASES = "Microsoft.DocumentDB/databaseAccounts/sqlDatabases"
TOPICS = "Microsoft.EventGrid/topics"
SUBSCRIPTIONS = "Microsoft.EventGrid/topics/eventSubscriptions"
BLOB_CONTAINERS = "Microsoft.Storage/storageAccounts/blobServices/containers"
SITES = "Microsoft.Web/sites"


def read_bicep_topology(file: Path, parameters: Mapping[str, Any] = PARAMETERS) -> Topology:
    """What `file` deploys of Cosmos DB and Event Grid, and the order service's own settings. Raises BicepRefused."""
    deployed = deploy(file, parameters)
    (database,) = made(deployed, DATABASES)
    (topic,) = made(deployed, TOPICS)
    subscriptions = tuple(_subscription(each) for each in made(deployed, SUBSCRIPTIONS))
    there = {each.name for each in made(deployed, BLOB_CONTAINERS)}
    needed = tuple(each.dead_letter_container for each in subscriptions)
    if missing := set(needed) - there:
        raise BicepRefused(f"{file}: dead letters go to {min(missing)}, a blob container that nothing makes")
    return Topology(
        database=database.name,
        containers=tuple(_container(each) for each in made(deployed, CONTAINERS)),
        topic=topic.name,
        input_schema=topic.properties["properties"]["inputSchema"],
        subscriptions=subscriptions,
        blob_containers=needed,
        settings={
            name: value
            for site in made(deployed, SITES)
            for name, value in app_settings_of(site).items()
            if name.startswith("Orders") and name not in ONLY_ON_AZURE and isinstance(value, str)
        },
    )


def made(deployed: Deployed, resource_type: str) -> list[Resource]:
    """The resources of one type that a deployment makes, not those that it only refers to."""
    return [each for each in deployed.resources if each.type == resource_type and not each.existing]


def app_settings_of(site: Resource) -> dict[str, Any]:
    """A function app's settings; a value may be unknown."""
    listed = site.properties["properties"]["siteConfig"]["appSettings"]
    return {each["name"]: each["value"] for each in listed}


def _container(resource: Resource) -> Container:
    inner = resource.properties["properties"]["resource"]
    (path,) = inner["partitionKey"]["paths"]
    return Container(resource.name, path, inner.get("indexingPolicy"), inner.get("defaultTtl"))


def _subscription(resource: Resource) -> Subscription:
    inner = resource.properties["properties"]
    destination, policy = inner["destination"], inner["retryPolicy"]
    if destination["endpointType"] != "AzureFunction":
        raise BicepRefused(f"the event subscription {resource.name} goes to {destination['endpointType']}")
    letters = inner["deadLetterWithResourceIdentity"]["deadLetterDestination"]
    return Subscription(
        resource.name,
        destination["properties"]["resourceId"].rpartition("/functions/")[2],
        letters["properties"]["blobContainerName"],
        policy["maxDeliveryAttempts"],
        policy["eventTimeToLiveInMinutes"],
        inner["eventDeliverySchema"],
        inner.get("filter", {}),
    )
