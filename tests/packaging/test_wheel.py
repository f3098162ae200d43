"""The emulators' wheel, built and used in an environment that has nothing else."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from azure.core.credentials import AzureKeyCredential
from azure.cosmos import CosmosClient, PartitionKey
from azure.eventgrid import EventGridEvent, EventGridPublisherClient

from emulators.cosmos.account import WELL_KNOWN_KEY
from emulators.eventgrid.auth import DEVELOPMENT_KEY

pytestmark = pytest.mark.network

ROOT = Path(__file__).parent.parent.parent
BUILD_SECONDS_MAX = 100
APP = """
import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route("greet/{name}")
def greet(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("hello " + req.route_params["name"])
"""


@dataclass(frozen=True)
class Installed:
    """The wheel, and where it is installed."""

    wheel: Path
    programs: Path

    @contextmanager
    def serving(self, script: str, *arguments: str, cwd: Path) -> Iterator[str]:
        """Run an installed script; its address once it answers."""
        command = [str(self.programs / script), *arguments, "--port", "0"]
        with subprocess.Popen(
            command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as process:
            assert process.stdout
            try:
                ready = next(line for line in process.stdout if line.startswith("ready http"))
                yield ready.split()[1]
            finally:
                process.terminate()
                process.communicate(timeout=30)


def uv(*arguments: object) -> None:
    """Run uv, which is in the lock file."""
    line = [sys.executable, "-m", "uv", "--quiet", *map(str, arguments)]
    outcome = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=BUILD_SECONDS_MAX, check=False)
    assert outcome.returncode == 0, outcome.stderr


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """An empty environment of this Python with the wheel and what it asks for."""
    here = tmp_path_factory.mktemp("wheel")
    uv("build", "--wheel", "--out-dir", here)
    (wheel,) = here.glob("*.whl")
    uv("venv", "--python", sys.executable, here / "venv")
    programs = here / "venv" / ("Scripts" if sys.platform == "win32" else "bin")
    uv("pip", "install", "--python", programs / "python", wheel)
    return Installed(wheel, programs)


def test_the_wheel_holds_the_emulators_and_nothing_else(installed: Installed) -> None:
    """Every file of emulators/ that git knows; neither the app nor local."""
    listed = subprocess.run(["git", "ls-files", "emulators"], cwd=ROOT, check=True, capture_output=True, text=True)
    with zipfile.ZipFile(installed.wheel) as archive:
        inside = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert set(listed.stdout.split()) <= inside
    assert {name.partition("/")[0] for name in inside} == {"emulators"}


def test_every_script_says_what_it_takes(installed: Installed) -> None:
    """The scripts that pyproject.toml names are there."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for script in project["scripts"]:
        outcome = subprocess.run(
            [str(installed.programs / script), "--help"], capture_output=True, text=True, timeout=30, check=False
        )
        assert (outcome.returncode, outcome.stdout.startswith("usage:")) == (0, True), outcome.stderr


def test_cosmos_db_serves_from_the_wheel(installed: Installed, tmp_path: Path) -> None:
    """An item written and queried by the SDK of another environment."""
    with (
        installed.serving("cosmos-emulator", cwd=tmp_path) as url,
        CosmosClient(url, WELL_KNOWN_KEY) as client,
    ):
        container = client.create_database("db").create_container("items", PartitionKey("/kind"))
        container.create_item({"id": "1", "kind": "a"})
        assert [each["id"] for each in container.query_items("SELECT * FROM c", partition_key="a")] == ["1"]


def test_event_grid_serves_from_the_wheel(installed: Installed, tmp_path: Path) -> None:
    """An event accepted from the SDK of another environment."""
    with (
        installed.serving("eventgrid-emulator", cwd=tmp_path) as url,
        EventGridPublisherClient(url + "/api/events", AzureKeyCredential(DEVELOPMENT_KEY)) as client,
    ):
        client.send(EventGridEvent(subject="s", event_type="t", data={}, data_version="1"))
        totals = requests.get(url + "/_emulator/metrics.json", headers={"x-emulator-control": "1"}, timeout=10).json()
        assert totals["totals"]["PublishSuccessCount"] == 1


def test_the_functions_host_serves_an_app_from_the_wheel(installed: Installed, tmp_path: Path) -> None:
    """An app of the quickstart's shape, with nothing beside it but host.json."""
    (tmp_path / "function_app.py").write_text(APP, encoding="utf-8")
    (tmp_path / "host.json").write_text('{"version": "2.0"}', encoding="utf-8")
    with installed.serving("functions-host", "start", cwd=tmp_path) as url:
        assert requests.get(url + "/api/greet/world", timeout=10).text == "hello world"
