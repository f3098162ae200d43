"""Listeners: what happens to one that ends."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import cast

import pytest

from emulators.base.clock import Clock
from emulators.functions_host.console import Console
from emulators.functions_host.index import Function
from emulators.functions_host.listeners import Listeners


class Breaking:
    """A listener with a mistake in it."""

    function = cast(Function, SimpleNamespace(name="Broken"))

    async def start(self) -> None:
        """Start at once."""

    async def run(self) -> None:
        """Fail as no listener should."""
        raise ZeroDivisionError("a mistake of ours")


@pytest.mark.our_choice("a listener that ends by a mistake of the host's is not listed as listening")
async def test_a_listener_that_breaks_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    """The console and the health endpoint name it."""
    clock = Clock()
    listeners = Listeners([Breaking()], clock, Console(clock), lambda: None)
    listeners.start()
    async with asyncio.timeout(5):
        while "Broken" not in listeners.failures:
            await clock.sleep(0)
    assert "ZeroDivisionError: a mistake of ours" in capsys.readouterr().out
    assert not listeners.running
    await listeners.stop()
