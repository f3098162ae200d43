"""An Event Grid emulator on a free port, and webhooks for it to deliver to."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from emulators.eventgrid.application import create
from emulators.eventgrid.auth import DEVELOPMENT_KEY
from tests.emulators.eventgrid.subscriber import Subscriber, subscriber
from tests.serving import served
from tests.target.plugin import is_azure
from tests.target.settings import resource_group

ARM = "/subscriptions/s1/resourceGroups/g1/providers/Microsoft.EventGrid"
VERSION = {"api-version": "2025-02-15"}
BEARER = {"authorization": "Bearer any"}
CONTROL = {"x-emulator-control": "1"}
UNTIL_SECONDS_MAX = 60.0


@dataclass
class Emulator:
    """A running emulator and short words for what tests do with it."""

    url: str

    def arm(self, method: str, path: str, body: object = None) -> requests.Response:
        """An ARM call below the provider."""
        return requests.request(method, self.url + ARM + path, params=VERSION, headers=BEARER, json=body, timeout=30)

    def topic(self, name: str, **properties: object) -> str:
        """Create a topic; the address to publish to."""
        answer = self.arm("PUT", f"/topics/{name}", {"location": "here", "properties": properties})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["properties"]["endpoint"])

    def subscribe(self, topic: str, name: str, url: str, *, ends: str = "Succeeded", **properties: Any) -> None:
        """Subscribe a webhook to a topic, or another source by its path, and wait until its provisioning has ended."""
        inner = {"endpointUrl": url, **properties.pop("webhook", {})}
        properties["destination"] = {"endpointType": "WebHook", "properties": inner}
        source = topic if topic.startswith("/") else f"/topics/{topic}"
        path = f"{source}/providers/Microsoft.EventGrid/eventSubscriptions/{name}"
        answer = self.arm("PUT", path, {"properties": properties})
        assert answer.status_code == 201, answer.text
        self.until(lambda: self.arm("GET", path).json()["properties"]["provisioningState"] == ends)

    def publish(self, endpoint: str, body: object, **headers: str) -> requests.Response:
        """POST with the development key."""
        sent = {"aeg-sas-key": DEVELOPMENT_KEY, "content-type": "application/json", **headers}
        return requests.post(endpoint, json=body, headers=sent, timeout=30)

    def control(self, method: str, path: str, body: object = None) -> Any:
        """A call of a control endpoint."""
        answer = requests.request(method, f"{self.url}/_emulator{path}", headers=CONTROL, json=body, timeout=30)
        assert answer.ok, answer.text
        return answer.json() if answer.content else None

    def advance(self, seconds: float) -> None:
        """Turn the emulator's clock."""
        self.control("POST", "/clock", {"advanceSeconds": seconds})

    def attempts(self) -> list[dict[str, Any]]:
        """The failed attempts of everything in flight."""
        return [each for one in self.control("GET", "/events")["inFlight"] for each in one["attempts"]]

    def totals(self) -> dict[str, int]:
        """The metrics' totals."""
        document: dict[str, int] = self.control("GET", "/metrics.json")["totals"]
        return document

    def until(self, holds: Callable[[], bool]) -> None:
        """Return when `holds()`."""
        deadline = time.monotonic() + UNTIL_SECONDS_MAX
        while not holds():
            assert time.monotonic() < deadline, "it never came to be"
            time.sleep(0.005)


@pytest.fixture
def emulator(pytestconfig: pytest.Config) -> Iterator[Emulator]:
    """An emulator in memory; with --target=azure what stands for the service itself."""
    if is_azure(pytestconfig):
        from tests.emulators.eventgrid.remote import RemoteEventGrid  # it stands on this file

        with closing(RemoteEventGrid(resource_group())) as remote:
            yield remote
    else:
        with served(create) as url:
            yield Emulator(url)


@pytest.fixture
def webhook() -> Iterator[Subscriber]:
    """A webhook that agrees and answers 200."""
    with subscriber() as one:
        yield one


@pytest.fixture
def webhooks() -> Iterator[Callable[[], Subscriber]]:
    """As many webhooks as a test asks for."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(subscriber())


def event(**changes: object) -> dict[str, object]:
    """A valid event of the Event Grid schema."""
    return {
        "id": "1",
        "subject": "orders/update",
        "eventType": "OrderStatusUpdated",
        "eventTime": "2026-11-23T10:00:00Z",
        "dataVersion": "1.0",
        "data": {"orderId": "o-1"},
    } | changes
