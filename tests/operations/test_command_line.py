"""`python -m operations`: how it finds its deployment, what it prints, and how it ends."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from operations.cli import VERBS, main
from tests.operations.operator import live
from tests.order_service import Service


@pytest.fixture
def environment(service: Service, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The environment, holding the settings of the service."""
    for name, text in service.settings.items():
        monkeypatch.setenv(name, text)
    return monkeypatch


async def run(*arguments: str) -> int:
    """The exit code of a command."""
    return await asyncio.to_thread(main, arguments)


@pytest.mark.usefixtures("environment")
async def test_the_relay_can_be_run_by_hand(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    """The verb says that something is left while events stay pending, and how many it has sent when it can."""
    service.fault("eventgrid", {"status": 503}, {"operation": "*"}, times=2)
    assert (await service.update("o-1", "created")).headers["X-Event-Delivery"] == "deferred"
    relay = ("relay", "--grace", "0")
    assert await run(*relay, "--dry-run") == 0
    assert "would send 1" in capsys.readouterr().out
    assert await run(*relay) == 1
    assert "found 1, sent 0" in capsys.readouterr().out
    assert await run(*relay, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["found"], told["sent"]) == (1, 1)
    assert await run(*relay) == 0
    assert "found 0, sent 0" in capsys.readouterr().out


@pytest.mark.usefixtures("environment")
async def test_a_difference_is_shown_to_people(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    """Without --json there is a table, each difference with its reason, and what to do about it."""
    await live(service, "o-1", ("created",), projected=False)
    assert await run("verify", "--grace", "0", "--wait", "3") == 1
    shown = capsys.readouterr().out
    assert "o-1" in shown
    assert "the read side has no view" in shown
    assert "verify --repair" in shown


async def test_settings_come_from_files_and_flags(
    service: Service, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """local.settings.json and az's list both say where; --set wins; without any, each missing setting is named."""
    await live(service, "o-1", ("created",))
    functions, azure = tmp_path / "local.settings.json", tmp_path / "app.json"
    functions.write_text(json.dumps({"IsEncrypted": False, "Values": service.settings}))
    del service.settings["OrdersContinuationTokenKey"]  # a secret that no command needs
    azure.write_text(json.dumps([{"name": name, "value": text} for name, text in service.settings.items()]))
    for file in (functions, azure):
        assert await run("verify", "--settings", str(file)) == 0
        assert "both sides are the same" in capsys.readouterr().out
    assert await run("verify", "--settings", str(azure), "--set", "OrdersWriteContainer=nowhere") == 2
    assert "OrdersWriteContainer" in capsys.readouterr().err
    assert await run("verify") == 2
    assert "OrdersDatabase" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("{", "is not JSON"),
        ("{}", "holds no settings"),
        ('{"IsEncrypted": true, "Values": {"a": "b"}}', "func settings decrypt"),
    ],
)
async def test_a_wrong_settings_file_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str, complaint: str
) -> None:
    """A file that is no settings file is named with what is wrong."""
    file = tmp_path / "settings.json"
    file.write_text(content)
    assert await run("verify", "--settings", str(file)) == 2
    assert complaint in capsys.readouterr().err
    assert await run("verify", "--settings", str(tmp_path / "missing.json")) == 2
    assert "cannot be read" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["garbage", "AccountEndpoint=http://127.0.0.1:9/", "a;b=c"])
async def test_a_wrong_connection_string_is_told(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    """What is no connection string is named, without repeating what may be a secret."""
    environment.setenv("CosmosDBConnection", text)
    assert await run("verify") == 2
    told = capsys.readouterr().err
    assert "CosmosDBConnection is not a connection string" in told
    assert text not in told


async def test_a_key_that_is_refused_is_told(
    environment: pytest.MonkeyPatch, service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another account's key ends with what access the command takes."""
    environment.setenv("CosmosDBConnection", f"AccountEndpoint={service.stack.cosmos}/;AccountKey=d3Jvbmc=")
    assert await run("verify") == 2
    assert "Cosmos DB Built-in Data Contributor" in capsys.readouterr().err


async def test_a_deployment_that_is_away_is_told(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A store at which nobody listens ends with where to look."""
    environment.setenv("CosmosDBConnection", "AccountEndpoint=http://127.0.0.1:9/;AccountKey=d3Jvbmc=")
    assert await run("verify") == 2
    assert "CosmosDBConnection" in capsys.readouterr().err


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_teaches(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    """--help tells what the verb does, its exit codes and examples."""
    with pytest.raises(SystemExit):
        main([verb, "--help"])
    shown = capsys.readouterr().out
    assert "Exit code:" in shown
    assert f"python -m operations {verb}" in shown


def test_every_verb_is_documented() -> None:
    """docs/OPERATIONS.md has a section for each verb."""
    page = (Path(__file__).parents[2] / "docs" / "OPERATIONS.md").read_text(encoding="utf-8")
    assert [verb for verb in VERBS if f"## {verb}" not in page] == []
