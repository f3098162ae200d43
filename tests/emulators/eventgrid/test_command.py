"""The command line: the configuration file, and one clear line for what cannot be."""

from __future__ import annotations

import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from emulators import eventgrid
from tests.emulators.eventgrid.conftest import Emulator, event
from tests.emulators.eventgrid.subscriber import Subscriber

CONFIGURATION = """
[[topics]]
name = "orders"
[[topics.eventSubscriptions]]
name = "sub"
properties.destination = {{ endpointType = "WebHook", properties = {{ endpointUrl = "{url}" }} }}
"""


def command(*arguments: object) -> subprocess.Popen[str]:
    """The emulator as a process."""
    line = [sys.executable, "-m", "emulators.eventgrid", "--port", "0", *map(str, arguments)]
    return subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def subscribed(emulator: Emulator) -> bool:
    """Whether the configured subscription's handshake has succeeded."""
    topics = {each["name"]: each for each in emulator.control("GET", "/topics")["value"]}
    (subscription,) = topics["orders"]["eventSubscriptions"]
    return bool(subscription["properties"]["provisioningState"] == "Succeeded")


@pytest.mark.our_choice("--config is the emulator's own feature")
def test_a_configuration_file_provides_and_is_idempotent(tmp_path: Path, webhook: Subscriber) -> None:
    """A second start with the same data asks the webhook for no second handshake."""
    file = tmp_path / "topics.toml"
    file.write_text(CONFIGURATION.format(url=webhook.url), encoding="utf-8")
    for start in (1, 2):
        with command("--config", file, "--data", tmp_path / "data") as process:
            assert process.stdout
            emulator = Emulator(process.stdout.readline().split()[1])
            emulator.until(lambda: subscribed(emulator))  # noqa: B023 - called at once
            emulator.publish(emulator.url + "/orders/api/events", [event(id=str(start))])
            webhook.wait_for(start)
            process.terminate()
            process.communicate(timeout=60)
            assert process.returncode == 0
    assert len(webhook.requests) - len(webhook.deliveries()) == 1


@pytest.mark.our_choice("a user who mistypes is told what to do, not shown a traceback")
@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[[topics]]\n", "needs a name"),
        ("[[topics]]\nname = [1]\n", "needs a name"),
        ('[[topics]]\nname = "x"\n', "topic name 'x' is invalid"),
        ("topics = 1\n", "array of tables"),
        ("[[", "topics.toml"),
    ],
)
def test_a_wrong_configuration_is_one_line(tmp_path: Path, text: str, says: str) -> None:
    """Exit code 1, the place and the reason."""
    file = tmp_path / "topics.toml"
    file.write_text(text, encoding="utf-8")
    with command("--config", file) as process:
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert says in errors.splitlines()[-1]
    assert "Traceback" not in errors


@pytest.mark.our_choice("what the README shows must work as it stands")
def test_the_readme_is_true(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its receiver, configuration and publisher, but for the addresses: what is published is printed."""
    text = (Path(eventgrid.__file__).parent / "README.md").read_text(encoding="utf-8")
    _, configuration, receiver, publisher = re.findall(r"```\w+\n(.*?)```", text, re.DOTALL)
    names: dict[str, Any] = {}
    exec(re.sub(r"(HTTPServer.*)7000(.*)\.serve_forever\(\)", r"server = \g<1>0\2", receiver), names)
    with names["server"] as server, ThreadPoolExecutor() as pool:
        pool.submit(server.serve_forever, 0.01)
        file = tmp_path / "eventgrid.toml"
        file.write_text(configuration.replace(":7000", f":{server.server_port}"), encoding="utf-8")
        with command("--config", file) as process:
            assert process.stdout
            emulator = Emulator(process.stdout.readline().split()[1])
            emulator.until(lambda: subscribed(emulator))
            exec(publisher.replace("http://127.0.0.1:6500", emulator.url), {})
            emulator.until(lambda: emulator.totals()["DeliverySuccessCount"] == 1)
            process.terminate()
            process.communicate(timeout=60)
        server.shutdown()
    assert "Placed {'n': 1}" in capsys.readouterr().out


@pytest.mark.our_choice("a stop waits for what is under way, so that no subscriber gets an event twice for it")
def test_a_stop_lets_deliveries_end(tmp_path: Path, webhook: Subscriber) -> None:
    """SIGTERM, then the subscriber answers; the next start has nothing to deliver."""
    with command("--data", tmp_path) as process:
        assert process.stdout
        emulator = Emulator(process.stdout.readline().split()[1])
        endpoint = emulator.topic("orders")
        emulator.subscribe("orders", "sub", webhook.url)
        webhook.released.clear()
        emulator.publish(endpoint, [event()])
        webhook.wait_for(1)
        process.terminate()
        webhook.released.set()
        process.communicate(timeout=60)
        assert process.returncode == 0
    with command("--data", tmp_path) as process:
        assert process.stdout
        emulator = Emulator(process.stdout.readline().split()[1])
        assert emulator.control("GET", "/events")["inFlight"] == []
        process.terminate()
        process.communicate(timeout=60)
    assert len(webhook.deliveries()) == 1
