"""The order service as it is deployed: its own function_app.py on the Functions host, over served emulators.

Without Azurite: keys are kept in files, and the relay is run through the host's admin door instead of by its timer.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import requests
from azure.functions.decorators.function_app import Function

import function_app
from emulators.base.control import CONTROL_HEADER
from emulators.base.ids import Ids
from emulators.cosmos.account import WELL_KNOWN_KEY
from emulators.cosmos.application import create as create_cosmos
from emulators.eventgrid.application import create as create_eventgrid
from emulators.eventgrid.auth import DEVELOPMENT_KEY
from local.provision import provision_cosmos, provision_eventgrid, until_subscribed
from local.topology import Topology, read_topology
from tests.emulators.functions_host.running import RunningHost, running_host
from tests.serving import served

ROOT = Path(__file__).parent.parent
FUNCTION_KEY = "the-key-of-all-functions"
MASTER_KEY = "the-master-key"
WEBHOOK_KEY = "the-key-of-the-webhook"
HTTP_SECONDS_MAX = 30


@cache
def app_functions() -> tuple[Function, ...]:
    """The app's functions as azure-functions indexes them; it refuses to do so twice."""
    return tuple(function_app.app.get_functions())


@dataclass(frozen=True, slots=True)
class ServedApp:
    """Where the app and what stands around it answer."""

    host: RunningHost
    cosmos: str
    eventgrid: str

    @property
    def api(self) -> str:
        """What the functions' routes begin with."""
        return f"{self.host.url}/api"

    def command(self, order_id: str, status: str, **headers: str) -> requests.Response:
        """POST /api/UpdateOrderStatus; header names with underscores for dashes."""
        return requests.post(
            f"{self.api}/UpdateOrderStatus",
            json={"orderId": order_id, "status": status},
            headers={
                "x-functions-key": FUNCTION_KEY,
                **{name.replace("_", "-"): text for name, text in headers.items()},
            },
            timeout=HTTP_SECONDS_MAX,
        )

    def get(self, path: str, **parameters: str) -> requests.Response:
        """GET /api/<path>."""
        headers = {"x-functions-key": FUNCTION_KEY}
        return requests.get(f"{self.api}/{path}", parameters, headers=headers, timeout=HTTP_SECONDS_MAX)

    def relay(self) -> None:
        """Run the relay as its timer would."""
        answer = requests.post(
            f"{self.host.url}/admin/functions/PublishPendingOrderEvents",
            json={"input": ""},
            headers={"x-functions-key": MASTER_KEY},
            timeout=HTTP_SECONDS_MAX,
        )
        assert answer.status_code == 202, answer.text

    def post_event(self, event: Mapping[str, object]) -> None:
        """Deliver an event as Event Grid would."""
        answer = requests.post(
            f"{self.host.url}/runtime/webhooks/EventGrid",
            json=[{**event, "topic": "t", "eventTime": "2026-01-01T00:00:00Z", "metadataVersion": "1"}],
            params={"functionName": "UpdateOrderStatusReadModel", "code": WEBHOOK_KEY},
            headers={"aeg-event-type": "Notification"},
            timeout=HTTP_SECONDS_MAX,
        )
        assert answer.status_code == 202, answer.text

    def fault(self, url: str, act: Mapping[str, object], match: Mapping[str, str], **rule: object) -> None:
        """Put a fault rule in force at one of the emulators."""
        document = {"match": match, "act": act, **rule}
        answer = requests.post(f"{url}/_emulator/faults", json=document, headers={CONTROL_HEADER: "1"}, timeout=10)
        assert answer.status_code == 201, answer.text


@contextmanager
def served_app(folder: Path, **settings: str) -> Iterator[ServedApp]:
    """The app, provisioned and subscribed; `settings` override."""
    topology = read_topology()
    secrets = folder / "secrets"
    secrets.mkdir(parents=True)
    (secrets / "host.json").write_text(json.dumps(_secrets()), encoding="utf-8")
    with served(create_cosmos) as cosmos, served(create_eventgrid) as eventgrid:
        environment = {
            "CosmosDBConnection": f"AccountEndpoint={cosmos}/;AccountKey={WELL_KNOWN_KEY}",
            "EventGridTopicEndpoint": f"{eventgrid}/{topology.topic}/api/events",
            "EventGridTopicKey": DEVELOPMENT_KEY,
            "OrdersRelayGraceSeconds": "0",
            "OrdersRelaySchedule": "0 0 0 1 1 *",  # once a year: tests run it when they want it
            "AzureWebJobsSecretStorageType": "files",
            "FUNCTIONS_SECRETS_PATH": str(secrets),
            "AzureFunctionsWebHost__hostid": f"orders-{Ids().guid()[:8]}",
            **settings,
        }
        asyncio.run(provision_cosmos(cosmos, WELL_KNOWN_KEY, topology))
        with running_host(ROOT, "--enableAuth", environment=environment) as host:
            asyncio.run(_subscribe(eventgrid, topology, host.url))
            yield ServedApp(host, cosmos, eventgrid)


async def _subscribe(eventgrid: str, topology: Topology, url: str) -> None:
    await provision_eventgrid(eventgrid, topology, functions_url=url, webhook_key=WEBHOOK_KEY)
    await until_subscribed(eventgrid, topology)


def _secrets() -> dict[str, object]:
    def key(name: str, value: str) -> dict[str, object]:
        return {"name": name, "value": value, "encrypted": False}

    return {
        "masterKey": key("master", MASTER_KEY),
        "functionKeys": [key("default", FUNCTION_KEY)],
        "systemKeys": [key("eventgrid_extension", WEBHOOK_KEY)],
    }
