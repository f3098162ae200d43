"""Both sides of the order service behind plain HTTP, wherever they are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import requests

from emulators.base.ids import Ids
from tests.served_app import FUNCTION_KEY, served_app
from tests.target.plugin import is_azure
from tests.target.settings import Service, service

HTTP_SECONDS_MAX = 60
WAIT_MILLISECONDS = "9000"


@dataclass(frozen=True, slots=True)
class Caller:
    """A consumer of the service's contract, and orders that nobody else has."""

    at: Service
    run: str

    def order(self, name: str) -> str:
        """An order's id that is new in this run."""
        return f"journey-{self.run}-{name}"

    def command(self, order_id: str, status: str, **headers: str) -> requests.Response:
        """POST /api/UpdateOrderStatus; header names with underscores for dashes."""
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        return requests.post(
            f"{self.at.commands}/api/UpdateOrderStatus",
            json={"orderId": order_id, "status": status},
            headers={"x-functions-key": self.at.commands_key or "", **named},
            timeout=HTTP_SECONDS_MAX,
        )

    def commands(self, *commands: tuple[str, str]) -> requests.Response:
        """POST /api/UpdateOrderStatuses."""
        return requests.post(
            f"{self.at.commands}/api/UpdateOrderStatuses",
            json={"commands": [{"orderId": order_id, "status": status} for order_id, status in commands]},
            headers={"x-functions-key": self.at.commands_key or ""},
            timeout=HTTP_SECONDS_MAX,
        )

    def query(self, path: str, headers: dict[str, str] | None = None, **parameters: str) -> requests.Response:
        """GET /api/<path>."""
        sent = {"x-functions-key": self.at.views_key or "", **(headers or {})}
        return requests.get(f"{self.at.views}/api/{path}", parameters, headers=sent, timeout=HTTP_SECONDS_MAX)

    def seen(self, order_id: str, version: int) -> requests.Response:
        """GET /api/orders/<order_id> once the read side has that version."""
        return self.query(f"orders/{order_id}", minVersion=str(version), waitMs=WAIT_MILLISECONDS)


@pytest.fixture(scope="session")
def deployed(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Where the service is: started here on the emulators, unless it is on Azure."""
    if is_azure(pytestconfig):
        yield service()
        return
    with served_app(tmp_path_factory.mktemp("journeys")) as app:
        yield Service(app.host.url, app.host.url, FUNCTION_KEY, FUNCTION_KEY)


@pytest.fixture(name="service")
def caller(deployed: Service) -> Caller:
    """A caller with orders of its own."""
    return Caller(deployed, Ids().guid()[:8])
