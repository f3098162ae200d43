"""A deployment that takes no keys, from a workstation: the app by identity, replay and operations by its settings."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from emulators.base.tls import certificate_file
from local.environment import ROOT
from tests.emulators.functions_host.running import RunningHost
from tests.remote import Remote, remote

COMMAND_SECONDS_MAX = 100
ORDERS = [{"orderId": f"o-{number}", "status": status} for status in ("created", "approved") for number in range(4)]


@dataclass(frozen=True)
class Deployed:
    """A deployment with its app, and a workstation whose identity may reach it."""

    remote: Remote
    host: RunningHost
    settings: Path

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """A command of ours; nothing of a local stack is in its environment."""
        unset = ("CosmosDBConnection", "EventGridTopicKey", "AzureWebJobsStorage")
        inherited = {name: value for name, value in os.environ.items() if name not in unset}
        return subprocess.run(
            [sys.executable, "-m", *arguments],
            cwd=ROOT,
            env={**inherited, **self.remote.environment, **environment},
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS_MAX,
            check=False,
        )

    def operate(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A verb of `python -m operations`, for the settings that `az` has listed."""
        return self.run("operations", *arguments, "--settings", str(self.settings))

    def command(self, order_id: str, status: str) -> requests.Response:
        """A command, as its caller sends it."""
        return requests.post(
            f"{self.host.url}/api/UpdateOrderStatus",
            json={"orderId": order_id, "status": status},
            verify=str(certificate_file(self.remote.authority)),
            timeout=30,
        )


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    """The app on services that know identities only."""
    folder = tmp_path_factory.mktemp("deployment")
    with ExitStack() as stack:
        surroundings = stack.enter_context(remote(folder))
        host = stack.enter_context(surroundings.app(tmp_path_factory.mktemp("app")))
        surroundings.subscribe(host)
        yield Deployed(surroundings, host, surroundings.listed(folder))


def test_the_app_needs_no_key(deployed: Deployed) -> None:
    """A command is stored, published and projected by identity alone."""
    answer = deployed.command("by-identity", "created")
    assert (answer.status_code, answer.headers["X-Event-Delivery"]) == (201, "sent")
    found = requests.get(
        f"{deployed.host.url}/api/orders/by-identity",
        {"minVersion": "1", "waitMs": "9000"},
        verify=str(certificate_file(deployed.remote.authority)),
        timeout=30,
    )
    assert (found.status_code, found.json()["version"]) == (200, 1)


def test_a_file_is_replayed_through_a_deployment(deployed: Deployed, tmp_path: Path) -> None:
    """Both sides agree with the file; run again, every command is recognised. No stack is started here."""
    file = tmp_path / "orders.ndjson"
    file.write_text("\n".join(json.dumps(each) for each in ORDERS), encoding="utf-8")
    line = ("local", "replay", str(file), "--url", deployed.host.url, "--settings", str(deployed.settings), "--json")
    for answers in ({"201": 4, "200": 4}, {"replayed": 8}):
        outcome = deployed.run(*line)
        assert outcome.returncode == 0, outcome.stderr
        report = json.loads(outcome.stdout)
        assert (report["answers"], report["differences"]) == (answers, [])


def test_a_replay_elsewhere_kills_nothing(deployed: Deployed, tmp_path: Path) -> None:
    """--kill is for the stack here; and settings that name no store are told by name."""
    file = tmp_path / "orders.ndjson"
    file.write_text(json.dumps(ORDERS[0]), encoding="utf-8")
    refused = deployed.run("local", "replay", str(file), "--url", deployed.host.url, "--kill")
    assert (refused.returncode, "--kill kills processes" in refused.stderr) == (1, True)
    unsettled = deployed.run("local", "replay", str(file), "--url", deployed.host.url)
    assert (unsettled.returncode, "OrdersWriteContainer" in unsettled.stderr) == (1, True)
    assert "Traceback" not in refused.stderr + unsettled.stderr


def test_operations_work_by_settings_and_identity(deployed: Deployed) -> None:
    """An event that could not be published is relayed; dead letters are looked for; then both sides are the same."""
    trust = str(certificate_file(deployed.remote.authority))
    rule = {"match": {"operation": "publish"}, "act": {"status": 503}, "times": 1}
    fault = requests.post(
        f"{deployed.remote.eventgrid}/_emulator/faults",
        json=rule,
        headers={"x-emulator-control": "1"},
        verify=trust,
        timeout=30,
    )
    assert fault.status_code == 201
    assert deployed.command("relayed", "created").headers["X-Event-Delivery"] == "deferred"
    relayed = deployed.operate("relay", "--grace", "0", "--json")
    assert (relayed.returncode, json.loads(relayed.stdout)["sent"]) == (0, 1), relayed.stderr
    redriven = deployed.operate("redrive", "--json")
    assert redriven.returncode == 0, redriven.stderr
    verified = deployed.operate("verify", "--wait", "30", "--json")
    assert verified.returncode == 0, verified.stdout + verified.stderr
