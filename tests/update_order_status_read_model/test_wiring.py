"""Connecting the read side: what a store that is away costs, and what it leaves behind."""

from __future__ import annotations

import asyncio
import gc
import socket
from collections.abc import Iterator

import pytest
from aiohttp import ClientSession

from tests.order_service import Service
from update_order_status_read_model import wiring
from update_order_status_read_model.errors import StoreUnavailable


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """Settings of a process that has not connected yet, in its environment; nobody listens where they point."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{unused.getsockname()[1]}"
        given = {
            "CosmosDBConnection": f"AccountEndpoint={address}/;AccountKey=a2V5",
            "OrdersDatabase": "orders",
            "OrdersReadContainer": "orders-read",
            "OrdersParkedContainer": "orders-parked",
            "OrdersWriteContainer": "orders-write",
            "OrdersContinuationTokenKey": "a key that only tests know",
        }
        for name, text in given.items():
            monkeypatch.setenv(name, text)
        monkeypatch.setattr(wiring, "_connecting", None)
        yield given


def open_sessions() -> set[int]:
    """Every client session of this process that is open."""
    return {id(each) for each in gc.get_objects() if isinstance(each, ClientSession) and not each.closed}


async def test_a_store_that_is_away_leaves_no_connection_behind(settings: dict[str, str]) -> None:
    """A side that could not connect has closed whatever it opened."""
    before = open_sessions()
    with pytest.raises(StoreUnavailable):
        await wiring.connect(wiring.Settings.read(settings))
    assert open_sessions() <= before


async def test_those_who_wait_for_a_store_share_one_attempt(settings: dict[str, str]) -> None:
    """All requests that come while the process connects share one failure, and the next one is another attempt."""
    failures = await asyncio.gather(*(wiring.read_side() for _ in range(4)), return_exceptions=True)
    assert isinstance(failures[0], StoreUnavailable)
    assert all(failure is failures[0] for failure in failures)
    with pytest.raises(StoreUnavailable) as later:
        await wiring.read_side()
    assert later.value is not failures[0]


async def test_who_leaves_does_not_end_the_attempt_of_others(settings: dict[str, str]) -> None:
    """A request that is cancelled while the process connects leaves the attempt to those who still wait."""
    first, second = (asyncio.create_task(wiring.read_side()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(StoreUnavailable):
        await second
    assert first.cancelled()


async def test_a_process_connects_once_and_after_a_failure_again(
    settings: dict[str, str], service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failure is not kept, a connection is: everybody gets the same one."""
    with pytest.raises(StoreUnavailable):
        await wiring.read_side()
    for name, text in service.settings.items():
        monkeypatch.setenv(name, text)
    side, same = await asyncio.gather(wiring.read_side(), wiring.read_side())
    assert side is same is await wiring.read_side()
    await side.close()


def test_a_proxy_is_looked_for_once(settings: dict[str, str]) -> None:
    """Only an environment that names a proxy makes the clients look for one."""
    assert not wiring.Settings.read(settings).proxy
    assert wiring.Settings.read({**settings, "HTTPS_PROXY": "http://proxy"}).proxy
