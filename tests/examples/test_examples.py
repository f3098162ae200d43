"""Each example project: its own tests pass with the plugin, and the host runs it as it is."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from local.azurite import StorageAddress, command
from local.environment import install_azurite
from tests.emulators.functions_host.running import running_host

ROOT = Path(__file__).resolve().parent.parent.parent
EXAMPLES = sorted(path.parent for path in (ROOT / "docs" / "examples").glob("*/function_app.py"))
FUNCTIONS = {
    "blob": ["count_words: blobTrigger"],
    "cosmos_trigger": ["project_prices: cosmosDBTrigger"],
    "event_grid": ["confirm_order: eventGridTrigger", "place_order: [PUT] http"],
    "http": ["greet: [GET,POST] http"],
    "queue": ["handle_order: queueTrigger", "take_order: [POST] http"],
    "retries": ["count: [POST] http"],
    "timer": ["morning_report: timerTrigger"],
}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_an_examples_own_tests_pass(example: Path, tmp_path: Path) -> None:
    """In a copy of its folder, with nothing of this repository but the installed emulators and their plugin."""
    install_azurite()
    project = tmp_path / example.name
    shutil.copytree(example, project, ignore=shutil.ignore_patterns("__pycache__", ".pytest_cache"))
    azurite = shlex.join(command(StorageAddress(), tmp_path)[:4])
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", "-o", f"azurite_command={azurite}", *PLUGIN],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr


def _plugin() -> list[str]:
    """The plugin by name, unless the environment has its entry point already."""
    from importlib.metadata import entry_points

    return [] if entry_points(group="pytest11", name="azure_emulators") else ["-p", "emulators.pytest_plugin"]


PLUGIN = [*["-p", "no:cacheprovider", "-p", "no:asyncio", "-p", "no:randomly"], *_plugin()]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_the_host_runs_an_example(example: Path, tmp_path: Path, azurite: StorageAddress) -> None:
    """Its functions are listed, and none is in error."""
    project = tmp_path / example.name
    shutil.copytree(example, project, ignore=shutil.ignore_patterns("__pycache__", ".pytest_cache"))
    with running_host(project, environment={"AzureWebJobsStorage": azurite.connection_string}) as host:
        assert host.call("GET", "/admin/emulator/health").json()["inError"] == {}
        for line in FUNCTIONS[example.name]:
            host.until(line)


def test_every_example_is_listed() -> None:
    """A new example has its functions named above."""
    assert {path.name for path in EXAMPLES} == set(FUNCTIONS)
