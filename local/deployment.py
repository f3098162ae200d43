"""A deployment that is running somewhere else, for `replay`: where its functions answer, and its settings.

Nothing is started or provisioned here. What opens it comes from the environment: function keys never stand on a command
line, where every user of the machine could read them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from local.client import OrderService, Side
from operations.settings import read_settings
from update_order_status import wiring

COMMANDS_KEY, VIEWS_KEY = "ORDERS_FUNCTION_KEY", "VIEWS_FUNCTION_KEY"


@dataclass(frozen=True, slots=True)
class Deployment:
    """Both sides' addresses (one app has both), and what `python -m operations` reads too."""

    commands: Side
    views: Side
    settings: Mapping[str, str]

    @classmethod
    def read(cls, url: str, views_url: str | None, settings: Path | None, environment: Mapping[str, str]) -> Deployment:
        """The deployment at `url`. Raises CommandFailed, SettingsWrong when the settings cannot be read or used."""
        held = read_settings(environment, settings, ())
        wiring.Settings.read(held)
        key = environment.get(COMMANDS_KEY)
        views_key = environment.get(VIEWS_KEY) or (None if views_url else key)
        return cls(Side(url.rstrip("/"), key), Side((views_url or url).rstrip("/"), views_key), held)

    def service(self, connections: int) -> OrderService:
        """A client of it."""
        return OrderService(self.commands.url, key=self.commands.key, views=self.views, connections=connections)
