"""Every command in the documents: run as it is written, against a stack, or listed here with the reason why not."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from azure.cosmos import CosmosClient, PartitionKey

from emulators.cosmos.account import WELL_KNOWN_KEY
from local.__main__ import _parser as local_parser
from operations.cli import _parser as operations_parser
from tests.docs.azure_commands import complaint
from tests.docs.shell import ROOT, blocks, documents, inline, unmarked
from tests.local.test_up import up, wait

BLOCK_SECONDS_MAX = 100
NOT_RUN = {
    "make up": "it runs until Ctrl-C: the stack that these commands are run against is it, on free ports",
    "make test": "this is it",
    "make check": "CI's first step, on the whole tree",
    "make setup": "`python -m local setup`, which is run",
    "python -m local up --without functions": "it runs until Ctrl-C: tests/local/test_up.py",
    "source .venv/bin/activate && func start": "Core Tools come with a download of their own: "
    "tests/emulators/functions_host runs the drop-in for them",
    "functions-host start": "it runs until Ctrl-C: tests/emulators/functions_host/test_start.py",
    'functions-host start --language-worker -- "-m debugpy --listen 127.0.0.1:9091"': "it runs until Ctrl-C: "
    "tests/emulators/functions_host/test_debugging.py",
    "export AZURE_COSMOS_ENDPOINT=https://NAME.documents.azure.com AZURE_COSMOS_KEY=KEY": "an account's",
    "python -m local test --target=azure tests/emulators/cosmos -rs": "tests/target runs it on a stand-in for Azure",
    "python -m local test --target=azure tests/emulators/cosmos --record-differences": "likewise",
    "pip install local-azure-emulators pytest -r requirements.txt": "tests/packaging installs the wheel of this tree",
    "pip install . azure-eventgrid": "tests/packaging installs the wheel of this tree",
    "python receive.py": "it runs until Ctrl-C: tests/emulators/eventgrid/test_command.py runs all three",
    "python -m emulators.eventgrid --config eventgrid.toml": "likewise",
    "python publish.py": "likewise",
    "python -m pytest": "tests/examples runs it in a copy of each example",
    "python -m local conformance --target azure --quick": "it asks an account for half an hour",
}
ENDS_WITH = {"--set OrdersWriteContainer=orders-write-eu": 1}
"""Commands that end with another code than 0: that container is empty, so the two sides differ."""
OURS = {"local": local_parser, "operations": operations_parser}


@dataclass(frozen=True)
class Desk:
    """A folder with the project's settings, and a shell whose `az` and `azd` are stand-ins."""

    folder: Path
    environment: dict[str, str]
    addresses: dict[str, str]

    def run(self, commands: list[str]) -> tuple[list[int], str]:
        """Each command's exit code, and everything that was printed. They share one shell."""
        codes = self.folder / "codes"
        script = [f"exec 3>{shlex.quote(str(codes))}"]
        for command in commands:
            for written, here in self.addresses.items():
                command = command.replace(written, here)
            script += [command, 'echo "$?" >&3']
        outcome = subprocess.run(
            ["bash", "-u"],
            input="\n".join(script),
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=BLOCK_SECONDS_MAX,
            check=False,
        )
        return [int(each) for each in codes.read_text().split()], outcome.stdout + outcome.stderr


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A stack on free ports, and what a person has in front of them who follows the documents."""
    with up(tmp_path / "data"):
        state = wait(tmp_path / "data")
        urls, settings = state["urls"], state["settings"]
        with CosmosClient(urls["cosmos"], WELL_KNOWN_KEY) as client:
            client.get_database_client("orders").create_container("orders-write-eu", PartitionKey("/orderId"))
        local_settings = json.loads((ROOT / "local.settings.json").read_text(encoding="utf-8"))
        local_settings["Values"] |= settings
        shutil.copytree(ROOT / "docs" / "examples" / "http", tmp_path / "desk")
        (tmp_path / "desk" / "local.settings.json").write_text(json.dumps(local_settings), encoding="utf-8")
        (tmp_path / "desk" / "orders.ndjson").write_text(
            '{"orderId": "order-2", "status": "created"}', encoding="utf-8"
        )
        (tmp_path / "desk" / ".venv").symlink_to(sys.prefix)
        yield Desk(
            tmp_path / "desk",
            environment(tmp_path, urls["functions"], local_settings["Values"]),
            {"http://127.0.0.1:7071": urls["functions"], "http://127.0.0.1:8081": urls["cosmos"]},
        )


def environment(folder: Path, functions: str, settings: dict[str, str]) -> dict[str, str]:
    """One whose az and azd stand in, and whose curl ends with an error when it was answered one: views come a moment
    after their commands, so it asks again."""
    (folder / ".curlrc").write_text("fail-with-body\nretry = 20\nretry-all-errors\nretry-delay = 1\n")
    return {
        **os.environ,
        "CURL_HOME": str(folder),
        "PYTHONPATH": str(ROOT),
        "PATH": os.pathsep.join([str(_stand_ins(folder)), str(Path(sys.executable).parent), os.environ["PATH"]]),
        "STAND_IN_ANSWERS": str(_answers(folder, functions, settings)),
    }


def _stand_ins(folder: Path) -> Path:
    programs = folder / "programs"
    programs.mkdir()
    for name in ("az", "azd"):
        file = programs / name
        file.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m tests.docs.azure_commands {name} "$@"\n')
        file.chmod(0o755)
    return programs


def _answers(folder: Path, functions: str, settings: dict[str, str]) -> Path:
    file = folder / "answers.json"
    values = {
        "AZURE_RESOURCE_GROUP": "rg-local",
        "SERVICE_ORDERS_NAME": "func-orders",
        "SERVICE_VIEWS_NAME": "func-views",
        "SERVICE_ORDERS_URI": functions,
        "SERVICE_VIEWS_URI": functions,
        "ORDERS_TOPIC_NAME": "orders",
        "ORDERS_STORAGE_ACCOUNT": "storders",
        "ORDERS_DEAD_LETTER_CONTAINER": "dead-letters",
    }
    answers = {
        "values": values,
        "az functionapp keys list": "a-function-key",
        "az functionapp config appsettings list": [
            {"name": name, "slotSetting": False, "value": value} for name, value in settings.items()
        ],
    }
    file.write_text(json.dumps(answers), encoding="utf-8")
    return file


@pytest.mark.skipif(sys.platform == "win32", reason="the blocks are for a POSIX shell")
@pytest.mark.timeout(300)
def test_every_block_runs_as_it_is_written(desk: Desk) -> None:
    """On free ports instead of the usual ones, az and azd being stand-ins; every command ends as it should."""
    for block in blocks():
        commands = [each for each in block.commands if each not in NOT_RUN]
        codes, told = desk.run(commands)
        expected = [next((code for text, code in ENDS_WITH.items() if text in each), 0) for each in commands]
        assert codes == expected, f"{block}: {told}"
        assert "Traceback" not in told, f"{block}: {told}"


@pytest.mark.skipif(sys.platform == "win32", reason="hooks for Windows are in PowerShell")
def test_the_hooks_say_what_azd_and_az_understand(tmp_path: Path) -> None:
    """Both run from the project's root: a key is made once, the second app is published, the projection subscribed."""
    given = environment(tmp_path, "https://orders.example", {})
    answers = Path(given["STAND_IN_ANSWERS"])
    given |= json.loads(answers.read_text(encoding="utf-8"))["values"]
    for hook in ("preprovision.sh", "postdeploy.sh"):
        line = ["sh", f"infra/hooks/{hook}"]
        outcome = subprocess.run(line, cwd=ROOT, env=given, capture_output=True, text=True, timeout=60, check=False)
        assert outcome.returncode == 0, outcome.stderr
    said = [json.loads(line) for line in answers.with_suffix(".log").read_text(encoding="utf-8").splitlines()]
    assert ["azd", "env", "set", "ORDERS_FUNCTIONS_DEPLOYED", "true"] in said
    assert any(each[:3] == ["az", "functionapp", "deployment"] for each in said)
    (key,) = [each[-1] for each in said if each[:4] == ["azd", "env", "set", "ORDERS_CONTINUATION_TOKEN_KEY"]]
    assert len(key) >= 40


def test_what_is_not_run_is_still_said() -> None:
    """The list of reasons holds no command that no document has."""
    said = {command for block in blocks() for command in block.commands}
    assert set(NOT_RUN) <= said


def test_every_block_of_commands_is_marked() -> None:
    """`sh`, or it would be run by nobody."""
    assert not list(unmarked())


@pytest.mark.parametrize("program", ["local", "operations"])
def test_commands_in_the_text_exist(program: str) -> None:
    """Each `python -m … VERB --flag` names a verb and flags that there are."""
    verbs = next(each for each in OURS[program]()._actions if each.choices and each.dest == "verb").choices
    assert verbs
    said = [each for each in inline(f"python -m {program}") if not each[1].endswith(" VERB")]
    assert said
    for file, text in said:
        words = text.split()[3:]
        for verb in (
            words[0:1] if "|" not in text else [each for each in re.split(r"[\s|,`]+", " ".join(words)) if each]
        ):
            assert verb in verbs, f"{file.name}: {text}"
        flags = {each.partition("=")[0] for each in words if each.startswith("--")}
        passes_on = words[0] in ("test", "conformance", "bench", "check")
        assert passes_on or flags <= set(verbs[words[0]]._option_string_actions), f"{file.name}: {text}"  # type: ignore[index]


@pytest.mark.parametrize("program", ["az", "azd"])
def test_what_is_said_of_azure_is_known(program: str) -> None:
    """Words and flags of az and azd, in the text, the hooks and the workflows."""
    scripts = [*(ROOT / "infra" / "hooks").iterdir(), *(ROOT / ".github" / "workflows").iterdir(), *documents()]
    said = [text for _, text in inline(program)]
    for file in scripts:
        text = re.sub(r"\s*[\\`>-]*\n\s+(?=--?\w)", " ", file.read_text(encoding="utf-8"))
        said += re.findall(rf"(?:^|run: |Checked |\(|&& )({program} [a-z][^\n|>&;)`#]*)", text, re.MULTILINE)
    assert said
    wrong = [what for each in said if (what := complaint(program, each.split()[1:]))]
    assert not wrong
