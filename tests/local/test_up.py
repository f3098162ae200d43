"""`python -m local up` as a user runs it: the order flow, kill -9 of anything, ports taken, apps that do not import."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import requests

from local.__main__ import USUAL_PORTS
from local.stack import Ports

ROOT = Path(__file__).parent.parent.parent
READY_SECONDS_MAX = 60
VISIBLE_SECONDS_MAX = 60


@contextmanager
def up(data: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A stack on free ports, ended by Ctrl-C if the test has not ended it."""
    command = [sys.executable, "-m", "local", "up", "--free-ports", "--data", str(data), *arguments]
    with (data.parent / "up.log").open("a") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT, text=True)
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
            process.wait(timeout=60)


def wait(data: Path) -> dict[str, Any]:
    """What `up` tells about itself, once `python -m local wait` has returned."""
    command = [sys.executable, "-m", "local", "wait", "--timeout", str(READY_SECONDS_MAX), "--data", str(data)]
    outcome = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stderr + (data.parent / "up.log").read_text()
    state: dict[str, Any] = json.loads((data / "up.json").read_text())
    return state


def update(state: dict[str, Any], order_id: str, status: str, key: str) -> requests.Response:
    """Command a status; while a process is being restarted, ask again with the same key, as a client does."""
    deadline = time.monotonic() + READY_SECONDS_MAX
    while True:
        try:
            answer = requests.post(
                f"{state['urls']['functions']}/api/UpdateOrderStatus",
                json={"orderId": order_id, "status": status},
                headers={"Idempotency-Key": key},
                timeout=30,
            )
            if answer.status_code not in (429, 503) or time.monotonic() > deadline:
                return answer
        except requests.ConnectionError:
            assert time.monotonic() < deadline
        time.sleep(0.1)


def visible(state: dict[str, Any], order_id: str, version: int) -> dict[str, Any]:
    """The read side's view once it shows `version`."""
    deadline = time.monotonic() + VISIBLE_SECONDS_MAX
    while time.monotonic() < deadline:
        try:
            answer = requests.get(f"{state['urls']['functions']}/api/orders/{order_id}", timeout=30)
        except requests.ConnectionError:
            continue
        if answer.status_code == 200 and answer.json()["version"] >= version:
            view: dict[str, Any] = answer.json()
            return view
        time.sleep(0.02)
    raise AssertionError(f"{order_id} v{version} never became visible")


def alive(process_id: int) -> bool:
    """Whether a process of that id runs (a zombie has ended)."""
    try:
        return Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def until_gone(process_ids: list[int]) -> list[int]:
    """The processes that are still there after a while."""
    deadline = time.monotonic() + 15
    while (left := [each for each in process_ids if alive(each)]) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


def test_an_order_flows_from_the_command_to_the_view_and_survives_a_restart(tmp_path: Path) -> None:
    """A posted status is read back from the read model, and is still there when the stack starts again."""
    data = tmp_path / "data"
    with up(data):
        state = wait(data)
        created = update(state, "order-1", "created", "k1")
        assert (created.status_code, created.json()["version"]) == (201, 1)
        assert update(state, "order-1", "approved", "k2").status_code == 200
        assert visible(state, "order-1", 2)["status"] == "approved"
    assert until_gone(list(state["processes"].values())) == []
    with up(data):
        state = wait(data)
        assert requests.get(f"{state['urls']['functions']}/api/orders/order-1", timeout=30).json()["version"] == 2
        again = update(state, "order-1", "approved", "k2")
        assert (again.status_code, again.headers["Idempotency-Replayed"]) == (200, "true")


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is POSIX")
def test_nothing_is_lost_when_each_process_is_killed_in_turn(tmp_path: Path) -> None:
    """After kill -9 of every service while updates flow, each is back and every accepted update is in the view."""
    data = tmp_path / "data"
    statuses = ["created", "approved", "invoiced", "processing", "shipped", "delivered"]
    with up(data):
        state = wait(data)
        for number, victim in enumerate(("cosmos", "eventgrid", "functions", "azurite")):
            order = f"order-{number}"
            for step, status in enumerate(statuses):
                if step == 2:
                    os.kill(json.loads((data / "up.json").read_text())["processes"][victim], signal.SIGKILL)
                assert update(state, order, status, f"{order}-{step}").status_code in (200, 201)
            assert visible(state, order, len(statuses))["status"] == "delivered"
        state = wait(data)
    assert until_gone(list(state["processes"].values())) == []


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is POSIX")
def test_kill_9_of_up_leaves_no_process_and_no_damage(tmp_path: Path) -> None:
    """The services end by themselves when `up` is killed, and the next `up` on the data has everything."""
    data = tmp_path / "data"
    with up(data) as process:
        state = wait(data)
        update(state, "order-1", "created", "k1")
        process.kill()
        process.wait()
        assert until_gone(list(state["processes"].values())) == []
    with up(data):
        assert visible(wait(data), "order-1", 1)["status"] == "created"


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is POSIX")
def test_a_service_that_keeps_dying_stops_everything(tmp_path: Path) -> None:
    """Three deaths in ten seconds end `up` with a message and an exit code that is not 0, and nothing is left."""
    data = tmp_path / "data"
    with up(data) as process:
        wait(data)
        killed: list[int] = []
        while len(killed) < 3:
            victim = json.loads((data / "up.json").read_text())["processes"]["eventgrid"]
            if victim not in killed:
                os.kill(victim, signal.SIGKILL)
                killed.append(victim)
            time.sleep(0.02)
        assert process.wait(timeout=60) != 0
    assert "eventgrid died 3 times in 10 s" in (tmp_path / "up.log").read_text()


def test_the_ports_in_the_help_are_the_ones_that_are_used() -> None:
    """The command line repeats the usual ports, since it runs before anything is installed; they do not drift."""
    assert asdict(Ports()) == USUAL_PORTS


def test_a_number_that_is_no_port_is_refused() -> None:
    """A port beyond 65535 is named before anything starts."""
    command = [sys.executable, "-m", "local", "up", "--cosmos-port", "99999"]
    outcome = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert outcome.returncode == 2
    assert "99999 is not a port" in outcome.stderr


def test_ports_that_are_taken_are_named_with_the_way_out(tmp_path: Path) -> None:
    """One message names each taken port, its service and its flag; the exit code is not 0 and nothing runs."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "local", "up", "--free-ports", "--cosmos-port", str(port)]
        outcome = subprocess.run(
            [*command, "--data", str(tmp_path / "data")], cwd=ROOT, capture_output=True, text=True, check=False
        )
    assert outcome.returncode != 0
    assert f"{port}  cosmos" in outcome.stderr
    assert "--cosmos-port" in outcome.stderr


def test_an_app_that_does_not_import_shows_its_own_traceback(tmp_path: Path) -> None:
    """The user's own traceback is shown, everything is stopped, and the exit code is not 0."""
    app = tmp_path / "app"
    app.mkdir()
    (app / "host.json").write_text('{"version": "2.0"}')
    (app / "local.settings.json").write_text('{"IsEncrypted": false, "Values": {"FUNCTIONS_WORKER_RUNTIME": "python"}}')
    (app / "function_app.py").write_text("import azure.functions as func\nprice = 1 / 0\napp = func.FunctionApp()\n")
    command = [sys.executable, "-m", "local", "up", "--free-ports", "--app", str(app), "--data", str(tmp_path / "data")]
    outcome = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=90)
    assert outcome.returncode != 0
    assert "price = 1 / 0" in outcome.stdout + outcome.stderr
    assert "ZeroDivisionError" in outcome.stdout + outcome.stderr


def test_two_stacks_do_not_share_their_data(tmp_path: Path) -> None:
    """A second stack on data that is in use is refused with what to do."""
    data = tmp_path / "data"
    with up(data, "--without", "functions", "--without", "eventgrid", "--without", "azurite"):
        wait(data)
        command = [sys.executable, "-m", "local", "up", "--free-ports", "--data", str(data)]
        outcome = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert outcome.returncode != 0
    assert "--data DIR" in outcome.stderr


@pytest.mark.parametrize("flags", [(), ("--enable-auth", "--https")], ids=["plain", "keys and https"])
def test_the_demo_ends_with_both_sides_in_agreement(tmp_path: Path, flags: tuple[str, ...]) -> None:
    """The demo exits 0 after showing commands, events and both sides, also where keys and certificates are demanded."""
    outcome = subprocess.run(
        [sys.executable, "-m", "local", "demo", *flags],
        cwd=ROOT,
        env={**os.environ, "EMULATORS_CA_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    assert "both sides agree" in outcome.stdout
