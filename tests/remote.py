"""The order service's surroundings as a deployment has them: nothing takes a key, everything is https, one identity.

Made of the emulators, for what is to work on Azure by settings alone. Only provisioning has keys, as Azure's control
plane has rights of its own.
"""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests
from azure.storage.blob import BlobServiceClient

from emulators.base.tls import certificate_file
from emulators.cosmos.account import WELL_KNOWN_KEY
from local.azurite import ACCOUNT, ACCOUNT_KEY
from local.provision import provision_cosmos
from local.topology import read_topology
from tests.emulators.functions_host.running import RunningHost, running_host
from tests.identity import azurite_with_tokens, emulator, identity_endpoint

ROOT = Path(__file__).parent.parent
ARM = "/subscriptions/s/resourceGroups/g/providers/Microsoft.EventGrid/topics"
DEAD_LETTERS = "dead-letters"
DEPLOYED = (
    "function_app.py",
    "host.json",
    "order_contract",
    "order_events",
    "order_telemetry",
    "update_order_status",
    "update_order_status_read_model",
)
"""What .funcignore leaves of the project, local settings not being part of it."""


@dataclass(frozen=True, slots=True)
class Remote:
    """A deployment's app settings, and the environment in which an identity reaches it."""

    settings: dict[str, str]
    environment: dict[str, str]
    cosmos: str
    eventgrid: str
    authority: Path

    def listed(self, folder: Path) -> Path:
        """The settings as `az functionapp config appsettings list` prints them, in a file."""
        file = folder / "app.json"
        rows = [{"name": name, "slotSetting": False, "value": value} for name, value in self.settings.items()]
        file.write_text(json.dumps(rows), encoding="utf-8")
        return file

    @contextmanager
    def app(self, folder: Path) -> Iterator[RunningHost]:
        """The order service itself, over https and by identity, in a folder that has what a deployment has."""
        for name in DEPLOYED:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copyfile
            copy(ROOT / name, folder / name)
        once_a_year = {"OrdersRelaySchedule": "0 0 0 1 1 *", "FUNCTIONS_WORKER_RUNTIME": "python"}
        with running_host(folder, "--useHttps", environment=self.environment | self.settings | once_a_year) as host:
            yield host

    def subscribe(self, host: RunningHost) -> None:
        """Let events go to the app's projection."""
        endpoint = f"{host.url}/runtime/webhooks/eventgrid?functionName=UpdateOrderStatusReadModel"
        path = f"{ARM}/orders/providers/Microsoft.EventGrid/eventSubscriptions/order-read-model"
        self.arm("PUT", path, {"destination": {"endpointType": "WebHook", "properties": {"endpointUrl": endpoint}}})
        while self.arm("GET", path)["provisioningState"] != "Succeeded":
            continue

    def arm(self, method: str, path: str, properties: object = None) -> dict[str, str]:
        """A call of the control plane; the resource's properties."""
        answer = requests.request(
            method,
            self.eventgrid + path,
            params={"api-version": "2025-02-15"},
            json=None if properties is None else {"location": "here", "properties": properties},
            headers={"authorization": "Bearer any"},
            verify=str(certificate_file(self.authority)),
            timeout=30,
        )
        assert answer.ok, answer.text
        found: dict[str, str] = answer.json()["properties"]
        return found


@contextmanager
def remote(folder: Path) -> Iterator[Remote]:
    """A deployment without its app: stores, topic, storage and an identity, provisioned."""
    authority, topology = folder / "authority", read_topology()
    with ExitStack() as stack:
        identity = stack.enter_context(identity_endpoint())
        cosmos = stack.enter_context(emulator("cosmos", authority))
        eventgrid = stack.enter_context(emulator("eventgrid", authority, "--accept-bearer"))
        storage = stack.enter_context(azurite_with_tokens(authority, folder / "azurite"))
        asyncio.run(provision_cosmos(cosmos, WELL_KNOWN_KEY, topology))
        blobs = f"https://127.0.0.1:{storage.blob_port}/{ACCOUNT}"
        with BlobServiceClient(blobs, ACCOUNT_KEY, connection_verify=str(certificate_file(authority))) as client:
            client.create_container(DEAD_LETTERS)
        settings = {
            "CosmosDBConnection__accountEndpoint": cosmos,
            "OrdersDatabase": topology.database,
            "OrdersWriteContainer": "orders-write",
            "OrdersReadContainer": "orders-read",
            "OrdersParkedContainer": "orders-parked",
            "OrdersContinuationTokenKey": "a-key-of-the-deployments-own",
            "OrdersDeadLetterContainer": DEAD_LETTERS,
            "AzureWebJobsStorage__blobServiceUri": blobs,
            "AzureWebJobsStorage__credential": "managedidentity",
        }
        trust = str(certificate_file(authority))
        environment = {
            "SSL_CERT_FILE": trust,
            "REQUESTS_CA_BUNDLE": trust,
            "EMULATORS_CA_DIR": str(authority),
            "IDENTITY_ENDPOINT": identity,
            "IDENTITY_HEADER": "secret",
        }
        made = Remote(settings, environment, cosmos, eventgrid, authority)
        settings["EventGridTopicEndpoint"] = made.arm("PUT", f"{ARM}/orders", {})["endpoint"]
        yield made
