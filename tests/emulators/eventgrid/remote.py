"""Event Grid on Azure, for `--target=azure`: topics are made by the control plane in the resource group that the
environment names, published to with their own keys, and deleted. What only the emulator has is skipped by name."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NoReturn

import pytest
import requests

from emulators.base.ids import Ids
from tests.emulators.eventgrid.conftest import VERSION, Emulator
from tests.target.settings import ResourceGroup, token

PROVISIONING_SECONDS_MAX = 300
POLL_SECONDS = 2


class RemoteEventGrid(Emulator):
    """Looks like the emulator to those tests that only make topics and publish."""

    def __init__(self, group: ResourceGroup) -> None:
        super().__init__(url="")
        self._group, self._keys = group, dict[str, str]()
        self._topics: list[str] = []

    def topic(self, name: str, **properties: object) -> str:
        """Create a topic, whose name is unique in its region; the address to publish to."""
        path = f"/topics/{name}-{Ids().guid()[:8]}"
        self._topics.append(path)
        body = {"location": self._group.location, "properties": properties}
        made = self._call("PUT", path, body)
        deadline = time.monotonic() + PROVISIONING_SECONDS_MAX
        while made["properties"]["provisioningState"] != "Succeeded":
            assert time.monotonic() < deadline, made
            time.sleep(POLL_SECONDS)
            made = self._call("GET", path)
        endpoint = str(made["properties"]["endpoint"])
        self._keys[endpoint] = self._call("POST", f"{path}/listKeys")["key1"]
        return endpoint

    def publish(self, endpoint: str, body: object, **headers: str) -> requests.Response:
        """POST with the topic's key; an address may be spelt in another way than it was told."""
        key = next(key for known, key in self._keys.items() if endpoint.lower().startswith(known.lower()))
        sent = {"aeg-sas-key": key, "content-type": "application/json", **headers}
        return requests.post(endpoint, json=body, headers=sent, timeout=30)

    def close(self) -> None:
        """Delete what was made."""
        for path in self._topics:
            self._call("DELETE", path)

    def arm(self, method: str, path: str, body: object = None) -> NoReturn:
        """Paths in tests name resources that are nobody's here."""
        self._only_there("names its resources itself")

    def subscribe(self, topic: str, name: str, url: str, *, ends: str = "Succeeded", **properties: Any) -> NoReturn:
        """A webhook of this machine is nothing that Azure reaches."""
        self._only_there("needs a webhook that Azure can reach")

    def control(self, method: str, path: str, body: object = None) -> NoReturn:
        """Azure has no control endpoints."""
        self._only_there("asks the emulator's control endpoints")

    def until(self, holds: Callable[[], bool]) -> NoReturn:
        """Waits for what only the emulator tells."""
        self._only_there("waits for what only the emulator tells")

    def _only_there(self, reason: str) -> NoReturn:
        pytest.skip(f"--target=azure: {reason}")

    def _call(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        scope = self._group.resource_manager.rstrip("/") + "/.default"
        headers = {"authorization": f"Bearer {token(scope)}"}
        answer = requests.request(
            method, self._group.url + path, params=VERSION, headers=headers, json=body, timeout=60
        )
        assert answer.ok, answer.text
        found: dict[str, Any] = answer.json() if answer.content else {}
        return found
