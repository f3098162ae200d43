"""An event that the running stack gave up, from its dead letter in Azurite back to the view."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import requests

from emulators.base.control import CONTROL_HEADER
from local.stack import app_settings
from tests.local.test_up import ROOT, up, update, visible, wait

pytestmark = pytest.mark.timeout(300)  # half a minute on two cores of one's own
CONTROL = {CONTROL_HEADER: "1"}
BURIED_SECONDS_MAX = 60
WRITTEN_AFTER_SECONDS = 310
"""Event Grid writes a dead letter five minutes after the last attempt."""


def redrive(settings: Path, *flags: str) -> dict[str, Any]:
    """What `operations redrive` tells."""
    command = [sys.executable, "-m", "operations", "redrive", "--settings", str(settings), "--json", *flags]
    outcome = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=100)
    told: dict[str, Any] = json.loads(outcome.stdout)
    return told


def test_a_dead_letter_is_sent_again_and_arrives(tmp_path: Path) -> None:
    """A delivery that is refused for good ends as a blob; redriving it brings the view, and the blob is gone."""
    data, settings = tmp_path / "data", tmp_path / "settings.json"
    with up(data):
        state = wait(data)
        settings.write_text(json.dumps({"Values": app_settings(ROOT) | state["settings"]}))
        rule = {"match": {"function": "UpdateOrderStatusReadModel"}, "act": {"status": 400}, "times": 1}
        faults = f"{state['urls']['functions']}/admin/emulator/faults"
        assert requests.post(faults, json=rule, headers=CONTROL, timeout=30).status_code == 201
        assert update(state, "order-1", "created", "k").status_code == 201
        deadline = time.monotonic() + BURIED_SECONDS_MAX
        while not (listed := redrive(settings))["selected"]:
            assert time.monotonic() < deadline, "the dead letter was never written"
            clock = f"{state['urls']['eventgrid']}/_emulator/clock"
            requests.post(clock, json={"advanceSeconds": WRITTEN_AFTER_SECONDS}, headers=CONTROL, timeout=30)
        (letter,) = listed["events"]
        assert (letter["source"], letter["orderId"], letter["version"]) == ("dead-letter", "order-1", 1)
        assert requests.get(f"{state['urls']['functions']}/api/orders/order-1", timeout=30).status_code == 404
        assert redrive(settings, "--send")["sent"] == 1
        assert visible(state, "order-1", 1)["status"] == "created"
        assert redrive(settings)["selected"] == 0
