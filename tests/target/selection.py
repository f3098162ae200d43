"""Which tests can be asked of Azure: those that reach a service through the fixtures that know both. The rest is
skipped with its reason."""

from __future__ import annotations

from typing import Any

import pytest

COSMOS, EVENT_GRID, JOURNEYS = "tests/emulators/cosmos/", "tests/emulators/eventgrid/", "tests/journeys/"
DOORS = {COSMOS: "account", EVENT_GRID: "emulator", JOURNEYS: "service"}
"""The fixture of each room that leads to Azure when told to; all others that do stand on it."""
UNAVAILABLE = {
    "clock": "turns the emulator's clock",
    "webhook": "needs a webhook that Azure can reach",
    "webhooks": "needs a webhook that Azure can reach",
    "azurite": "needs Azurite",
    "blobs": "needs a store of blobs that it can look into",
}


def reason_to_skip(item: pytest.Item) -> str | None:
    """Why a test says nothing about Azure, or None when it can be run there."""
    room = next((each for each in DOORS if item.nodeid.startswith(each)), None)
    if room is None:
        return "not a test of Azure's services"
    if mark := item.get_closest_marker("needs_emulator"):
        return f"needs the emulator: {mark.args[0]}"
    if item.get_closest_marker("our_choice"):
        return "our own choice, where Azure says nothing"
    info: Any = getattr(item, "_fixtureinfo", None)
    if info is None or DOORS[room] not in info.names_closure:
        return "starts what it tests by itself"
    # What the test itself asks for, not what fixtures ask for: the account's own has a clock, too.
    directly = {*info.argnames, *({"azurite", "blobs"} & set(info.names_closure))}
    return next((reason for name, reason in UNAVAILABLE.items() if name in directly), None)
