"""Orders replayed through the running stack while its services are killed, and then held against each other."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from azure.cosmos import CosmosClient
from rich.console import Console

from emulators.base.control import CONTROL_HEADER
from local.client import OrderService
from local.kills import KillingService
from local.replay import Report, replay
from local.stack import app_settings
from tests.local.test_up import ROOT, up, wait

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is POSIX"),
    pytest.mark.timeout(300),  # half a minute on two cores of one's own
]

LIVES = (
    ("created", "approved", "shipped", "delivered"),
    ("created", "approved", "shipped"),
    ("created", "approved", "unavailable"),
    ("created", "approved", "invoiced"),
    ("created", "canceled"),
)
"""In about the shares of a real marketplace, the first one most."""
CONCURRENCY = 32


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """The relay goes often and processes look at the pointer often, so that the stack needs seconds, not minutes."""
    monkeypatch.setenv("OrdersRelaySchedule", "*/2 * * * * *")
    monkeypatch.setenv("OrdersRelayGraceSeconds", "2")
    monkeypatch.setenv("OrdersGenerationsCacheSeconds", "0.5")


def orders(count: int, name: str = "order") -> dict[str, list[str]]:
    """Orders and the statuses that they take."""
    return {f"{name}-{number}": list(LIVES[0 if number % 2 else number % 5]) for number in range(count)}


async def hurry(url: str, sent: asyncio.Event) -> None:
    """Turn Event Grid's clock once all commands are sent, so that its retries come soon."""
    await sent.wait()
    async with aiohttp.ClientSession(headers={CONTROL_HEADER: "1"}) as session:
        while True:
            async with session.post(f"{url}/_emulator/clock", json={"advanceSeconds": 10}) as answer:
                assert answer.status == 200
            await asyncio.sleep(0.5)


async def run_replay(data: Path, lives: dict[str, list[str]], *, kill: bool) -> Report:
    """Replay `lives`, killing each service on the way if told."""
    urls, commands, sent = (
        json.loads((data / "up.json").read_text())["urls"],
        sum(map(len, lives.values())),
        asyncio.Event(),
    )
    if kill:
        service: OrderService = KillingService(
            urls["functions"], data, commands, answered=lambda count: sent.set() if count == commands else None
        )
    else:
        service = OrderService(urls["functions"])
        sent.set()
    async with service:
        hurrying = asyncio.create_task(hurry(urls["eventgrid"], sent))
        try:
            return await replay(lives, service, settings_of(data), concurrency=CONCURRENCY, console=Console(quiet=True))
        finally:
            hurrying.cancel()


def settings_of(data: Path) -> dict[str, str]:
    """The app's settings, as they point at the stack."""
    here: dict[str, str] = json.loads((data / "up.json").read_text())["settings"]
    own = {name: text for name, text in os.environ.items() if name.startswith("Orders")}
    return app_settings(ROOT) | here | own


def operations(data: Path, *arguments: str) -> subprocess.Popen[str]:
    """A command of the operator's, under way."""
    file = data / "operator.json"
    file.write_text(json.dumps({"Values": settings_of(data)}))
    command = [sys.executable, "-m", "operations", *arguments, "--settings", str(file), "--json"]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def ended(command: subprocess.Popen[str]) -> tuple[int, dict[str, Any]]:
    """How a command ended: its exit code and its outcome."""
    text, _ = command.communicate(timeout=100)
    return command.returncode, json.loads(text or "{}")


def rebuild_step(settings: Mapping[str, str]) -> str:
    """The step that a rebuild's journal names, or nothing."""
    with CosmosClient.from_connection_string(settings["CosmosDBConnection"]) as client:
        parked = client.get_database_client(settings["OrdersDatabase"]).get_container_client("orders-parked")
        found = list(parked.query_items("SELECT * FROM c WHERE c.type = 'rebuild'", enable_cross_partition_query=True))
    return str(found[0]["step"]) if found else ""


def test_both_sides_are_the_same_after_every_service_was_killed(tmp_path: Path) -> None:
    """Event Grid, Cosmos DB and the host are killed while 32 orders at a time are under way; nothing is lost."""
    data, lives = tmp_path / "data", orders(64)
    with up(data):
        wait(data)
        report = asyncio.run(run_replay(data, lives, kill=True))
        assert report.differences == []
        assert set(report.answers) <= {"200", "201", "replayed"}
        code, verified = ended(operations(data, "verify", "--wait", "60"))
    assert (code, verified["same"], verified["diverged"]) == (0, len(lives), 0)


def test_a_rebuild_killed_during_traffic_is_resumed(tmp_path: Path) -> None:
    """A rebuild is killed -9 while it copies and commands flow; the next finishes it, and both sides are the same."""
    data, before, meanwhile = tmp_path / "data", orders(20), orders(40, "late")
    with up(data):
        wait(data)
        asyncio.run(run_replay(data, before, kill=False))

        async def rebuild_amid_traffic() -> tuple[int, dict[str, Any]]:
            traffic = asyncio.create_task(run_replay(data, meanwhile, kill=False))
            killed = operations(data, "rebuild")
            while await asyncio.to_thread(rebuild_step, settings_of(data)) not in ("copy", "verify"):
                assert killed.poll() is None
            killed.kill()
            await asyncio.to_thread(killed.communicate)
            outcome = await asyncio.to_thread(ended, operations(data, "rebuild", "--take-over"))
            report = await traffic
            assert report.differences == []
            return outcome

        code, rebuilt = asyncio.run(rebuild_amid_traffic())
        assert (code, rebuilt["read"], rebuilt["written"], rebuilt["resumed"]) == (0, 2, [2], True)
        code, verified = ended(operations(data, "verify", "--wait", "60"))
    assert (code, verified["generation"], verified["same"]) == (0, 2, len(before) + len(meanwhile))
