"""The doctor: each finding on an app that has it, and its absence on one that has not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.emulators.functions_host.running import HOST_JSON

HEAD = "import azure.functions as func\napp = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)\n"
HELLO = """
@app.route("hello")
def Hello(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("hello")
"""
SETTINGS = {"IsEncrypted": False, "Values": {"FUNCTIONS_WORKER_RUNTIME": "python"}}
SOUND = {
    "function_app.py": HEAD + HELLO,
    "host.json": json.dumps(HOST_JSON),
    "local.settings.json": json.dumps(SETTINGS),
    "requirements.txt": "azure-functions==1.26.0\n",
}
ROUTES = """
@app.route("things/{id}", methods=["GET", "POST"])
def AnyThing(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("any")

@app.route("things/export", methods=["GET"])
def Export(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("export")
"""
EVENTS = """
@app.event_grid_trigger(arg_name="event")
def OnEvent(event: func.EventGridEvent):
    pass
"""
TIMER = """
@app.timer_trigger(arg_name="timer", schedule="0 0 * * * *")
def Tick(timer: func.TimerRequest):
    pass
"""
WRAPPED = """
import functools

def logged(function):
    @functools.wraps(function)
    def wrapper(*arguments, **named):
        return function(*arguments, **named)
    return wrapper

@app.route("wrapped")
@logged
async def Wrapped(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("wrapped")
"""
FEEDS = """
@app.cosmos_db_trigger(arg_name="a", connection="C", database_name="d", container_name="c", lease_container_prefix="1")
def First(a: func.DocumentList): ...

@app.cosmos_db_trigger(arg_name="b", connection="C", database_name="d", container_name="c", lease_container_prefix="1")
def Second(b: func.DocumentList): ...
"""
DOCUMENT = HOST_JSON | {"extensionBundle": {"id": HOST_JSON["extensionBundle"]["id"], "version": "[2.*, 3.0.0)"}}  # type: ignore[index]

Files = Mapping[str, str | None]


def app(source: str) -> dict[str, str | None]:
    """A sound app with that source after its head."""
    return {"function_app.py": HEAD + source}


def values(**named: str) -> str:
    """local.settings.json with these values."""
    return json.dumps({"IsEncrypted": False, "Values": {"FUNCTIONS_WORKER_RUNTIME": "python", **named}})


def examine(folder: Path, files: Files) -> tuple[int, list[dict[str, Any]]]:
    """(exit code, findings) of the doctor on a sound app with these files beside or instead of its own."""
    for name, text in {**SOUND, **files}.items():
        if text is None:
            continue
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    done = subprocess.run(
        [sys.executable, "-P", "-m", "emulators.functions_host", "doctor", "--json"],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if name not in ("AzureWebJobsStorage", "CosmosDB")},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stdout.startswith("["), done.stdout + done.stderr
    return done.returncode, json.loads(done.stdout)


CASES: list[tuple[str, str, Files, Files]] = [
    ("runtime-missing", "error", {"local.settings.json": json.dumps({**SETTINGS, "Values": {}})}, {}),
    ("local-settings-encrypted", "error", {"local.settings.json": '{"Values": {}}'}, {}),
    ("local-settings-unreadable", "error", {"local.settings.json": "{"}, {}),
    ("host-json-invalid", "error", {"host.json": '{"version": "1.0"}'}, {}),
    ("app-not-indexed", "error", app("1/0\n"), app(HELLO)),
    ("app-not-indexed", "error", app("raise SystemExit(2)\n"), app(HELLO)),
    ("syntax-error", "error", {"broken.py": "def broken(:\n"}, {"broken.py": "def mended(): ...\n"}),
    (
        "function-in-error",
        "error",
        app(HELLO + HELLO.replace("def Hello", "def Other")),
        app(HELLO + HELLO.replace("hello", "other").replace("Hello", "Other")),
    ),
    (
        "binding-name-underscore",
        "note",
        app(EVENTS.replace('arg_name="event"', 'arg_name="an_event"').replace("(event:", "(an_event:")),
        app(EVENTS),
    ),
    ("route-shadowed", "error", app(ROUTES), app(ROUTES.replace("{id}", "{id:int}"))),
    ("route-shadowed", "error", app(ROUTES), app(ROUTES.replace("Export", "AExport"))),
    ("route-shadowed", "error", app(ROUTES), app(ROUTES.replace('methods=["GET"])', 'methods=["PUT"])'))),
    (
        "setting-missing",
        "error",
        app(TIMER.replace("0 0 * * * *", "%When%")),
        {**app(TIMER.replace("0 0 * * * *", "%When%")), "local.settings.json": values(When="0 0 * * * *")},
    ),
    (
        "setting-missing",
        "error",
        app(FEEDS),
        {**app(FEEDS), "local.settings.json": values(C__accountEndpoint="https://x")},
    ),
    ("runtime-missing", "warning", {"local.settings.json": None}, {}),
    ("setting-missing", "warning", {**app(FEEDS), "local.settings.json": None}, {}),
    ("storage-missing", "error", app(TIMER), {**app(TIMER), "local.settings.json": values(AzureWebJobsStorage="x")}),
    ("extension-bundle-missing", "error", {**app(EVENTS), "host.json": '{"version": "2.0"}'}, app(EVENTS)),
    ("extension-bundle-old", "warning", {"host.json": json.dumps(DOCUMENT)}, {}),
    ("requirements-missing", "error", {"requirements.txt": None}, {}),
    ("azure-functions-missing", "error", {"requirements.txt": "requests==2.32.0\n"}, {}),
    ("requirement-unpinned", "note", {"requirements.txt": "azure-functions>=1.20\n"}, {}),
    ("requirement-unpinned", "warning", {"requirements.txt": "azure-functions==1.26.0\nrequests\n"}, {}),
    ("worker-required", "warning", {"requirements.txt": "azure-functions==1.26.0\nazure-functions-worker==1.2\n"}, {}),
    (
        "requirement-missing",
        "error",
        app("import requests\n" + HELLO),
        {**app("import requests\n" + HELLO), "requirements.txt": "azure-functions==1.26.0\nrequests==2.32.0\n"},
    ),
    (
        "requirement-missing",
        "error",
        {"tools/it.py": "import requests\n"},
        {"tools/it.py": "import requests\n", ".funcignore": "tools\n"},
    ),
    (
        "azure-functions-shadowed",
        "warning",
        app(EVENTS.replace("func.EventGridEvent", "func.CloudEvent")),
        app(EVENTS),
    ),
    ("module-shadowed", "error", {"logging.py": ""}, {"orderlog.py": ""}),
    ("module-shadowed", "error", {"azure/it.py": ""}, {"azures/it.py": ""}),
    ("mixed-models", "warning", {"Old/function.json": "{}"}, {}),
    ("old-model", "warning", {"Old/function.json": "{}", "function_app.py": None}, {}),
    ("async-behind-sync-wrapper", "error", app(WRAPPED), app(WRAPPED.replace("async def Wrapped", "def Wrapped"))),
    (
        "cardinality-many",
        "error",
        app(EVENTS.replace('"event"', '"event", cardinality="many"')),
        app(EVENTS.replace('"event"', '"event", cardinality="many"').replace("func.EventGridEvent", "str")),
    ),
    (
        "retry-not-supported",
        "warning",
        app(
            HELLO.replace(
                "@app", '@app.retry(strategy="fixed_delay", max_retry_count="1", delay_interval="00:00:01")\n@app', 1
            )
        ),
        app(HELLO),
    ),
    ("run-on-startup", "warning", app(TIMER.replace('* *"', '* *", run_on_startup=True')), app(TIMER)),
    ("leases-shared", "error", app(FEEDS), app(FEEDS.replace('prefix="1")\ndef Second', 'prefix="2")\ndef Second'))),
    ("http-result", "error", app(HELLO.replace('func.HttpResponse("hello")', '{"a": 1}')), app(HELLO)),
    ("http-result", "error", app(HELLO.replace('func.HttpResponse("hello")', "None")), app(HELLO)),
    ("result-without-binding", "error", app(TIMER.replace("pass", "return 1")), app(TIMER)),
    (
        "blocking-call",
        "warning",
        app(
            "import time\n"
            + HELLO.replace("def Hello", "async def Hello").replace("    return", "    time.sleep(1)\n    return")
        ),
        app("import time\n" + HELLO.replace("    return", "    time.sleep(1)\n    return")),
    ),
    ("container-name", "warning", {"local.settings.json": values(CONTAINER_NAME="x")}, {}),
]


@pytest.mark.parametrize(
    ("code", "severity", "ill", "well"), CASES, ids=[f"{case[0]}-{number}" for number, case in enumerate(CASES)]
)
@pytest.mark.our_choice(
    "what the spec's signature matrix, the host's and Core Tools' sources say breaks, said beforehand"
)
def test_a_finding_is_told_where_it_is_and_only_there(
    tmp_path: Path, code: str, severity: str, ill: Files, well: Files
) -> None:
    """With the place, the fix and its severity; errors make the exit code 1; the mended app has no such finding."""
    exit_code, found = examine(tmp_path / "ill", ill)
    told = [each for each in found if each["code"] == code]
    assert told, found
    assert all(each["severity"] == severity and each["where"] and each["what"] and each["fix"] for each in told)
    assert exit_code == int(any(each["severity"] == "error" for each in found))
    assert code not in {each["code"] for each in examine(tmp_path / "well", well)[1]}


@pytest.mark.our_choice("an app without faults gets exit code 0 and one line")
def test_a_sound_app_is_said_to_be_sound(tmp_path: Path) -> None:
    """In text and in JSON."""
    assert examine(tmp_path, {}) == (0, [])
    command = [sys.executable, "-m", "emulators.functions_host", "doctor"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "Nothing found that would break on Azure.\n"


@pytest.mark.our_choice("the text is for people: worst first, each with its fix, counted at the end")
def test_the_report_in_words(tmp_path: Path) -> None:
    """An error comes before a warning; a folder that is no app is said to be none."""
    examine(tmp_path, {**app(ROUTES), "requirements.txt": "azure-functions==1.26.0\nrequests\n"})
    command = [sys.executable, "-m", "emulators.functions_host", "doctor"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert lines[0] == "error route-shadowed · Export"
    assert lines[1].startswith("    GET /api/things/export is answered by AnyThing (api/things/{id})")
    assert lines[2].startswith("    fix: Constrain the parameter of AnyThing")
    assert lines[-1] == "1 error, 1 warning, 0 notes"
    (tmp_path / "empty").mkdir()
    done = subprocess.run(
        [*command, "--script-root", "/"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 1
    assert "Unable to find project root." in done.stderr
