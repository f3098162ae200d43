"""`python -m operations relay`: what an operator sees of the relay, and how the command ends."""

from __future__ import annotations

import asyncio

import pytest

from operations.__main__ import EXIT_FAILED, EXIT_USAGE, main
from tests.order_service import Service


@pytest.fixture
def environment(service: Service, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The environment, holding the settings of the service."""
    for name, text in service.settings.items():
        monkeypatch.setenv(name, text)
    return monkeypatch


async def relay() -> int:
    """The exit code of the command."""
    return await asyncio.to_thread(main, ["relay"])


@pytest.mark.usefixtures("environment")
async def test_the_relay_can_be_run_by_hand(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    """The verb fails while events stay pending, and says how many it has sent when it can."""
    service.fault("eventgrid", {"status": 503}, {"operation": "*"}, times=2)
    assert (await service.update("o-1", "created")).headers["X-Event-Delivery"] == "deferred"
    assert await relay() == EXIT_FAILED
    assert "found 1, sent 0" in capsys.readouterr().out
    assert await relay() == 0
    assert "found 1, sent 1" in capsys.readouterr().out
    assert await relay() == 0
    assert "found 0, sent 0" in capsys.readouterr().out


@pytest.mark.usefixtures("environment")
async def test_a_store_that_is_away_is_told(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    """A store that does not answer ends the verb with a line on standard error."""
    service.fault("cosmos", {"drop": "before"}, {"operation": "*"}, times=500)
    assert await relay() == EXIT_FAILED
    assert "Cosmos DB did not answer" in capsys.readouterr().err


async def test_a_missing_setting_is_named(environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A setting that is missing ends the verb with its name."""
    environment.delenv("OrdersWriteContainer")
    assert await relay() == EXIT_USAGE
    assert "OrdersWriteContainer" in capsys.readouterr().err
