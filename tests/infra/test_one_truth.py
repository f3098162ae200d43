"""infra/ agrees with local/topology.toml, with the settings that the wirings read, and with the functions there are."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from pydantic import BaseModel

from local.bicep import deploy, parse
from local.bicep_topology import PARAMETERS, SITES, app_settings_of, made, read_bicep_topology
from local.topology import read_topology
from order_telemetry.settings import TelemetrySettings
from order_telemetry.signals import METRICS
from tests.infra.deployments import INFRA, MAIN, ROOT, VARIANTS, deployment
from tests.served_app import app_functions
from update_order_status import wiring as write_wiring
from update_order_status_read_model import wiring as read_wiring

HOST_SETTINGS = {
    "AzureWebJobsStorage__accountName",
    "AzureWebJobsStorage__credential",
    "AzureWebJobsStorage__clientId",
    "APPLICATIONINSIGHTS_CONNECTION_STRING",
    "APPLICATIONINSIGHTS_AUTHENTICATION_STRING",
    "AZURE_CLIENT_ID",
}
"""What the host and the identity library read."""
ONLY_LOCALLY = {"CosmosDBConnection", "EventGridTopicKey"}
"""Keys: on Azure there are none."""
ONLY_ON_AZURE = {"CosmosDBConnection__accountEndpoint", "OrdersTelemetry"}
IN_BINDINGS = {"OrdersRelaySchedule"}
"""What a trigger's own %…% names."""
SIDES = {
    "commands": {"UpdateOrderStatus", "UpdateOrderStatuses", "PublishPendingOrderEvents"},
    "views": {"UpdateOrderStatusReadModel", "GetOrder", "ListOrders", "GetOrderHistory", "GetOrderSummary"},
}
IN_BOTH_APPS = {"GetOpenApi"}


def settings_read() -> set[str]:
    """The app settings that our code reads."""
    models: list[type[BaseModel]] = [write_wiring.Settings, read_wiring.Settings, TelemetrySettings]
    aliases = {field.alias for model in models for field in model.model_fields.values() if field.alias}
    return aliases | IN_BINDINGS


def apps(variant: str) -> dict[str, dict[str, Any]]:
    """Each app's settings by what kind of app it is, its name's second part."""
    return {each.name.split("-")[1]: app_settings_of(each) for each in made(deployment(variant), SITES)}


def test_what_bicep_makes_is_what_local_provisions() -> None:
    """Containers with index policies, topic, subscription, filter, retry, dead letters; the topic's name differs."""
    bicep = read_bicep_topology(MAIN)
    local = read_topology()
    assert bicep.topic.startswith(local.topic + "-")
    assert replace(bicep, topic=local.topic, settings={}) == local


@pytest.mark.parametrize("variant", ["split", "everything"])
def test_a_variant_changes_no_container_and_no_subscription(variant: str) -> None:
    """Only where it is paid for and who is delivered to."""
    usual = read_bicep_topology(MAIN)
    assert read_bicep_topology(MAIN, {**PARAMETERS, **VARIANTS[variant]}) == usual


@pytest.mark.parametrize("variant", VARIANTS)
def test_an_app_has_the_settings_that_our_code_reads(variant: str) -> None:
    """All that have no default, none that nobody reads, no key."""
    for settings in apps(variant).values():
        ours = {name for name in settings if not name.startswith("AzureWebJobs.")} - HOST_SETTINGS
        assert not ours - settings_read()
        assert not ours & ONLY_LOCALLY
        local = json.loads((ROOT / "local.settings.json").read_text(encoding="utf-8"))["Values"]
        expected = {name for name in local if name in settings_read()} - ONLY_LOCALLY
        assert ours == expected | ONLY_ON_AZURE


def test_the_settings_are_usable() -> None:
    """Both wirings take what Bicep works out, with stand-ins for what only Azure knows."""
    for settings in apps("split").values():
        known = {name: value if isinstance(value, str) else "https://example.com" for name, value in settings.items()}
        assert write_wiring.Settings.read(known).topic_key is None
        assert read_wiring.Settings.read(known).connection is None
        assert TelemetrySettings.read(known).exporter == "azuremonitor"


def test_every_function_has_an_app() -> None:
    """Of the two apps, each has its side's functions and disables the other's; one app disables none."""
    existing = {each.get_function_name() for each in app_functions()}
    assert existing - IN_BOTH_APPS == SIDES["commands"] | SIDES["views"]
    assert not _disabled(apps("usual")["orders"])
    split = apps("split")
    assert _disabled(split["orders"]) == SIDES["views"]
    assert _disabled(split["views"]) == SIDES["commands"]


def _disabled(settings: dict[str, Any]) -> set[str]:
    names = (re.fullmatch(r"AzureWebJobs\.(\w+)\.Disabled", name) for name in settings)
    return {each[1] for each in names if each}


def test_the_outputs_are_an_operators_settings() -> None:
    """What `azd env get-values` prints is what `python -m operations` reads."""
    outputs = deployment("operated").outputs
    assert set(outputs) >= settings_read() & {
        "CosmosDBConnection__accountEndpoint",
        "EventGridTopicEndpoint",
        "OrdersDatabase",
        "OrdersWriteContainer",
        "OrdersReadContainer",
        "OrdersParkedContainer",
    }


def test_alerts_ask_for_metrics_that_are_measured() -> None:
    """Every name in a query is one of order_telemetry's."""
    rules = made(deployment("usual"), "Microsoft.Insights/scheduledQueryRules")
    queries = [each.properties["properties"]["criteria"]["allOf"][0]["query"] for each in rules]
    asked = {name for query in queries for name in re.findall(r'name == "([^"]+)"', query)}
    assert len(asked) == len(rules)
    assert asked <= {metric.name for metric in METRICS}


def test_azd_gives_every_parameter() -> None:
    """main.parameters.json names parameters that exist, and all that have no default."""
    declared = parse(MAIN)["parameters"]
    given = json.loads((INFRA / "main.parameters.json").read_text(encoding="utf-8"))["parameters"]
    assert set(given) <= set(declared)
    assert {name for name, each in declared.items() if each["default"] is None} <= set(given)


def test_the_documented_choices_exist() -> None:
    """Each variable of docs/DEPLOY.md's table reaches a parameter, with the default that the table says."""
    given = json.loads((INFRA / "main.parameters.json").read_text(encoding="utf-8"))["parameters"]
    text = " ".join(each["value"] for each in given.values())
    variables = dict(re.findall(r"\$\{(\w+)(?:=(\w+))?\}", text))
    table = re.findall(
        r"^\| `(\w+)` \| `?(\w+)", (ROOT / "docs" / "DEPLOY.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert table
    for name, default in table:
        assert variables[name] in (default, ""), name


def test_the_hook_deploys_what_main_would() -> None:
    """The subscription on its own, with the hook's parameters, is the one inside main.bicep."""
    inside = [each for each in deployment("usual").resources if each.module == "subscription"]
    outputs = deployment("usual").outputs
    parameters = {
        "topicName": outputs["ORDERS_TOPIC_NAME"],
        "functionAppName": outputs["SERVICE_VIEWS_NAME"],
        "storageAccountName": outputs["ORDERS_STORAGE_ACCOUNT"],
        "deadLetterContainerName": outputs["ORDERS_DEAD_LETTER_CONTAINER"],
    }
    assert deploy(INFRA / "subscription.bicep", parameters).resources == inside
    for hook in ("postdeploy.sh", "postdeploy.ps1"):
        text = (INFRA / "hooks" / hook).read_text(encoding="utf-8")
        assert set(re.findall(r"(\w+)=\"?\$(?:env:)?\{?[A-Z]", text)) == set(parameters)
