"""What a deployment must never be: open by key, public where it was to be private, or allowed more than it needs."""

from __future__ import annotations

import re
from typing import Any

import pytest

from local.bicep_topology import SITES, made
from tests.infra.deployments import INFRA, VARIANTS, deployment

ACCOUNTS = "Microsoft.DocumentDB/databaseAccounts"
COSMOS_ROLES = "Microsoft.DocumentDB/databaseAccounts/sqlRoleAssignments"
ROLES = "Microsoft.Authorization/roleAssignments"
STORAGE = "Microsoft.Storage/storageAccounts"
TOPICS = "Microsoft.EventGrid/topics"
READER, CONTRIBUTOR = "00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000002"
EVENT_SENDER = "d5a91429-5739-47e2-a06b-3470a27159e7"
BLOB_OWNER, BLOB_CONTRIBUTOR = "b7e6dc6d-f1e8-4753-8033-0f276bb0955b", "ba92f5b4-2d11-453d-a403-e96b0029c9fe"
METRICS_PUBLISHER = "3913510d-42f4-4e42-8a64-420c390055eb"
UNTAGGED = (
    "/sqlDatabases", "/containers", "/sqlRoleAssignments", "/blobServices", "/roleAssignments", "/eventSubscriptions",
    "/basicPublishingCredentialsPolicies", "/virtualNetworkLinks", "/privateDnsZoneGroups", "/subnets",
)  # fmt: skip
"""Resource types that Azure gives no tags."""


def the(variant: str, resource_type: str) -> dict[str, Any]:
    """The properties of the one resource of a type."""
    (found,) = made(deployment(variant), resource_type)
    properties: dict[str, Any] = found.properties["properties"]
    return properties


def granted(variant: str) -> set[tuple[str, str, str]]:
    """Cosmos DB's data-plane grants: (module, role, container or database)."""
    grants = set()
    for each in made(deployment(variant), COSMOS_ROLES):
        inner = each.properties["properties"]
        role = inner["roleDefinitionId"]
        grants.add((each.module, str(role).rpartition("/")[2], str(inner["scope"]).partition("/dbs/")[2]))
    return grants


@pytest.mark.parametrize("variant", VARIANTS)
def test_nothing_is_opened_by_a_key(variant: str) -> None:
    """Cosmos DB, topic and storage refuse them; sites refuse passwords."""
    cosmos = the(variant, ACCOUNTS)
    assert cosmos["disableLocalAuth"] is True
    assert cosmos["disableKeyBasedMetadataWriteAccess"] is True
    assert the(variant, TOPICS)["disableLocalAuth"] is True
    storage = the(variant, STORAGE)
    assert (storage["allowSharedKeyAccess"], storage["allowBlobPublicAccess"]) == (False, False)
    policies = made(deployment(variant), SITES + "/basicPublishingCredentialsPolicies")
    assert len(policies) == 2 * len(made(deployment(variant), SITES))
    assert all(each.properties["properties"]["allow"] is False for each in policies)


def test_no_file_asks_for_a_key() -> None:
    """Neither listKeys nor a connection string with one; secrets are marked as such."""
    for file in INFRA.glob("*.bicep"):
        text = file.read_text(encoding="utf-8")
        assert not re.search(r"listKeys|AccountKey=|SharedAccessKey", text), file
        for name in re.findall(r"^param (\w*(?:Key|Secret|Password))\b", text, re.MULTILINE):
            assert re.search(rf"@secure\(\)\n(?:@.*\n)*param {name}\b", text), f"{file}: {name} is not @secure()"


@pytest.mark.parametrize("variant", VARIANTS)
def test_only_encrypted_connections_are_taken(variant: str) -> None:
    """TLS 1.2 everywhere, https only."""
    assert the(variant, ACCOUNTS)["minimalTlsVersion"] == "Tls12"
    assert the(variant, STORAGE)["minimumTlsVersion"] == "TLS1_2"
    assert the(variant, TOPICS)["minimumTlsVersionAllowed"] == "1.2"
    for site in made(deployment(variant), SITES):
        assert site.properties["properties"]["httpsOnly"] is True
        assert site.properties["properties"]["siteConfig"]["minTlsVersion"] == "1.2"


@pytest.mark.parametrize("variant", ["private", "everything"])
def test_private_networking_closes_what_it_can(variant: str) -> None:
    """No public way to Cosmos DB and the topic, storage for trusted services only, an endpoint for each."""
    assert the(variant, ACCOUNTS)["publicNetworkAccess"] == "Disabled"
    assert the(variant, TOPICS)["publicNetworkAccess"] == "Disabled"
    assert the(variant, STORAGE)["networkAcls"] == {"bypass": "AzureServices", "defaultAction": "Deny"}
    endpoints = made(deployment(variant), "Microsoft.Network/privateEndpoints")
    groups = [each.properties["properties"]["privateLinkServiceConnections"][0] for each in endpoints]
    assert sorted(each["properties"]["groupIds"][0] for each in groups) == ["Sql", "blob", "topic"]
    for site in made(deployment(variant), SITES):
        assert site.properties["properties"]["virtualNetworkSubnetId"]


def test_without_it_there_is_no_network() -> None:
    """Nothing is paid for that nobody asked for."""
    assert not [each for each in deployment("usual").resources if each.type.startswith("Microsoft.Network/")]


def test_one_app_may_do_what_both_sides_do() -> None:
    """Write all four containers, publish; nothing on the account or the database as a whole."""
    assert granted("usual") == {
        ("access", CONTRIBUTOR, f"orders/colls/{name}")
        for name in ("orders-write", "orders-read-1", "orders-read-2", "orders-parked")
    }


def test_of_two_apps_each_may_do_its_own() -> None:
    """Commands write one container; views write theirs and only read the write side; one identity publishes."""
    assert granted("split") == {
        ("access", CONTRIBUTOR, "orders/colls/orders-write"),
        ("access", READER, "orders/colls/orders-write"),
        *(
            ("access", CONTRIBUTOR, f"orders/colls/{name}")
            for name in ("orders-read-1", "orders-read-2", "orders-parked")
        ),
    }
    roles = [
        each.properties["properties"]["roleDefinitionId"].rpartition("/")[2]
        for each in made(deployment("split"), ROLES)
    ]
    assert roles.count(EVENT_SENDER) == 1
    assert set(roles) == {EVENT_SENDER, BLOB_OWNER, BLOB_CONTRIBUTOR, METRICS_PUBLISHER}


def test_an_operators_rights_come_only_when_asked_for() -> None:
    """No principal, no grant; one, the data of the one database."""
    assert not [each for each in deployment("usual").resources if each.module == "operator"]
    assert ("operator", CONTRIBUTOR, "orders") in granted("operated")


@pytest.mark.parametrize("variant", VARIANTS)
def test_everything_is_tagged_with_its_environment(variant: str) -> None:
    """So that azd finds it and a bill can be read; apps also with the service that azd deploys to them."""
    for each in deployment(variant).resources:
        if not each.existing and not each.type.endswith(UNTAGGED):
            assert each.properties["tags"]["azd-env-name"] == "local", each
    services = [each.properties["tags"]["azd-service-name"] for each in made(deployment(variant), SITES)]
    assert services == (["orders", "views"] if len(services) == 2 else ["orders"])


def test_capacity_is_paid_for_in_one_way() -> None:
    """Serverless has no throughput; autoscale gives every container its ceiling."""
    containers = "Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers"
    usual = [each.properties["properties"]["options"] for each in made(deployment("usual"), containers)]
    scaled = [each.properties["properties"]["options"] for each in made(deployment("autoscale"), containers)]
    assert usual == [{}] * 4
    assert scaled == [{"autoscaleSettings": {"maxThroughput": 1000}}] * 4
    assert the("usual", ACCOUNTS)["capabilities"] == [{"name": "EnableServerless"}]
    assert the("autoscale", ACCOUNTS)["capabilities"] == []
    regions = [(each["locationName"], each["failoverPriority"]) for each in the("autoscale", ACCOUNTS)["locations"]]
    assert regions == [("local", 0), ("elsewhere", 1)]


def test_there_is_an_alert_for_each_way_to_lose_sight() -> None:
    """Pending age, projection lag, parked, dead letters, 429s; each tells somebody."""
    rules = [each for each in deployment("usual").resources if each.module == "alerts"]
    alerts = {each.name: each.properties["properties"] for each in rules if "actions" in each.properties["properties"]}
    assert set(alerts) == {
        "orders-pending-age", "orders-projection-lag", "orders-parked", "orders-dead-letters", "orders-throttled",
    }  # fmt: skip
    assert all(each["enabled"] and each["actions"] for each in alerts.values())
    (group,) = [each for each in deployment("operated").resources if each.type == "Microsoft.Insights/actionGroups"]
    assert group.properties["properties"]["emailReceivers"][0]["emailAddress"] == "someone@example.com"


def test_every_file_is_used() -> None:
    """A module that nothing deploys would rot."""
    used = {each.module for each in deployment("everything").resources}
    assert used == {each.stem for each in INFRA.glob("*.bicep")}
