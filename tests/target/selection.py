"""Which tests can be asked of Azure: those that reach a service through the fixtures that know both. The rest is
skipped with its reason."""

from __future__ import annotations

import pytest

COSMOS, EVENT_GRID, JOURNEYS = "tests/emulators/cosmos/", "tests/emulators/eventgrid/", "tests/journeys/"
DOORS = {
    COSMOS: {"account", "url", "client", "database", "container", "door"},
    EVENT_GRID: {"emulator"},
    JOURNEYS: {"service"},
}
"""Fixtures that lead to Azure when told to."""
UNAVAILABLE = {
    "clock": "turns the emulator's clock",
    "webhook": "needs a webhook that Azure can reach",
    "webhooks": "needs a webhook that Azure can reach",
    "azurite": "needs Azurite",
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
    asked = set(getattr(item, "fixturenames", ()))
    directly = set(_argument_names(item))
    for name, reason in UNAVAILABLE.items():
        if name in directly:
            return reason
    return None if asked & DOORS[room] else "starts what it tests by itself"


def _argument_names(item: pytest.Item) -> tuple[str, ...]:
    """The fixtures that the test itself asks for, not those that fixtures ask for."""
    info = getattr(item, "_fixtureinfo", None)
    return tuple(info.argnames) if info else ()
