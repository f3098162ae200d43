"""Reload on save: the port stays, what is begun is finished, a broken app leaves the last good one in service."""

from __future__ import annotations

import json
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from local.azurite import StorageAddress
from tests.emulators.functions_host.running import HOST_JSON, RunningHost, running_host, write_app

APP = """
import os, threading
import azure.functions as func
app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

@app.route("version")
async def Version(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("VERSION")

@app.route("slow")
def Slow(req: func.HttpRequest) -> func.HttpResponse:
    print("slow has begun", flush=True)
    while not os.path.exists("finish"):
        threading.Event().wait(0.01)
    return func.HttpResponse("VERSION")
"""
LOADS_AGAIN = "Host configuration has changed. Signaling restart"
OURS = pytest.mark.our_choice("func stops the host and starts it again; here the old app serves until the new one does")


def save(root: Path, version: str) -> None:
    """The app, answering `version`."""
    (root / "function_app.py").write_text(APP.replace("VERSION", version))


@OURS
def test_a_saved_change_is_served(tmp_path: Path) -> None:
    """The console says what changed and lists the functions again; the same port answers as the new code does."""
    with running_host(write_app(tmp_path, APP.replace("VERSION", "1"))) as host:
        assert host.call("GET", "/api/version").text == "1"
        save(tmp_path, "2")
        host.until(f"File change of type 'Changed' detected for '{tmp_path / 'function_app.py'}'")
        host.until(LOADS_AGAIN)
        host.until("Version: http", times=2)
        assert host.call("GET", "/api/version").text == "2"


@OURS
def test_what_was_begun_is_finished_by_the_old_app(tmp_path: Path) -> None:
    """A request in flight is answered by the code that took it, while new ones are answered by the new code."""
    with running_host(write_app(tmp_path, APP.replace("VERSION", "1"))) as host, ThreadPoolExecutor() as threads:
        begun = threads.submit(host.call, "GET", "/api/slow")
        host.until("slow has begun")
        save(tmp_path, "2")
        host.until("Version: http", times=2)
        assert host.call("GET", "/api/version").text == "2"
        (tmp_path / "finish").touch()
        assert begun.result().text == "1"


@OURS
def test_no_call_is_refused_while_the_app_is_loaded_again(tmp_path: Path) -> None:
    """A client that calls all the time, on new connections, hears 200 throughout."""
    with running_host(write_app(tmp_path, APP.replace("VERSION", "1"))) as host:
        stop = threading.Event()

        def call_all_the_time() -> list[tuple[int, str]]:
            heard = []
            while not stop.is_set():
                answer = requests.get(host.url + "/api/version", timeout=30)
                heard.append((answer.status_code, answer.text))
            return heard

        with ThreadPoolExecutor() as threads:
            calling = threads.submit(call_all_the_time)
            for version in ("2", "3"):
                save(tmp_path, version)
                host.until("Version: http", times=int(version))
            assert host.call("GET", "/api/version").text == "3"
            stop.set()
            heard = calling.result()
    assert {status for status, _ in heard} == {200}
    versions = [int(version) for _, version in heard]
    assert versions == sorted(versions)


@OURS
def test_a_connection_that_has_not_asked_yet_is_heard(tmp_path: Path) -> None:
    """A client that connected just before the reload gets its answer."""
    with running_host(write_app(tmp_path, APP.replace("VERSION", "1"))) as host:
        name, _, port = host.url.removeprefix("http://").partition(":")
        with socket.create_connection((name, int(port)), timeout=30) as client:
            host.call("GET", "/api/version")  # the connection before it has been taken by now
            save(tmp_path, "2")
            host.until("Version: http", times=2)
            client.sendall(b"GET /api/version HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            answer = b""
            while part := client.recv(65536):
                answer += part
    assert answer.startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    ("broken", "expected"),
    [("def broken(:\n", "SyntaxError: invalid syntax"), ("import nowhere_to_be_found\n", "ModuleNotFoundError")],
)
@OURS
def test_a_broken_app_leaves_the_last_good_one_in_service(tmp_path: Path, broken: str, expected: str) -> None:
    """The traceback is shown, the old code goes on, and the mended code is served when it is saved."""
    with running_host(write_app(tmp_path, APP.replace("VERSION", "1"))) as host:
        (tmp_path / "function_app.py").write_text(broken)
        host.until("Worker failed to index functions")
        host.until(expected)
        host.until("The app as it was before goes on serving.")
        assert host.call("GET", "/api/version").text == "1"
        save(tmp_path, "3")
        host.until("Version: http", times=2)
        assert host.call("GET", "/api/version").text == "3"


@pytest.mark.read_in_sdk("azure-functions-host FileMonitoringService.cs, GrpcWorkerChannel.cs")
def test_what_is_watched_and_what_is_not(tmp_path: Path) -> None:
    """A module in a folder and what host.json names are; settings, texts, caches and environments are not."""
    root = write_app(tmp_path, APP, host={"watchFiles": ["prices.json"], "watchDirectories": ["shared"]})
    for folder in ("deep/er", "shared", ".venv/lib", "texts"):
        (root / folder).mkdir(parents=True)
    with running_host(root) as host:
        for unwatched in (".venv/lib/a.py", "texts/a.txt", "local.settings.json", "requirements.txt"):
            (root / unwatched).write_text("{}")
        watched = ("deep/er/a.py", "shared/a.txt", "texts/prices.json", "host.json")
        for number, path in enumerate(watched, 2):
            (root / path).write_text(json.dumps(HOST_JSON) if path == "host.json" else "1")
            host.until(f"detected for '{root / path}'")
            host.until("Version: http", times=number)
        (root / "fresh").mkdir()
        host.until(f"Directory change of type 'Created' detected for '{root / 'fresh'}'")
        host.until("Version: http", times=len(watched) + 2)
    assert sum(LOADS_AGAIN in line for line in host.lines) == len(watched) + 1


@pytest.mark.read_in_sdk("azure-functions-host ScriptJobHostOptions.cs: fileWatchingEnabled")
def test_watching_can_be_turned_off(tmp_path: Path) -> None:
    """With fileWatchingEnabled false a restart is asked for by hand: POST /admin/host/restart."""
    root = write_app(tmp_path, APP.replace("VERSION", "1"), host={"fileWatchingEnabled": False})
    with running_host(root) as host:
        save(tmp_path, "2")
        assert host.call("GET", "/api/version").text == "1"
        assert host.call("POST", "/admin/host/restart").status_code == 200
        host.until("Version: http", times=2)
        assert host.call("GET", "/api/version").text == "2"
    assert not any("detected for" in line for line in host.lines)


@pytest.mark.read_in_sdk("azure-functions-host ScriptHost.cs: host.json is read anew by each host")
def test_a_change_of_host_json_takes_effect(tmp_path: Path) -> None:
    """The route prefix is another one after the save."""
    with running_host(write_app(tmp_path, APP.replace("VERSION", "1"))) as host:
        document = {**HOST_JSON, "extensions": {"http": {"routePrefix": "v2"}}}
        (tmp_path / "host.json").write_text(json.dumps(document))
        host.until("/v2/version")
        assert host.call("GET", "/v2/version").text == "1"
        assert host.call("GET", "/api/version").status_code == 404


@pytest.mark.read_in_sdk(
    "azure-functions-host WebScriptHostHttpRoutesManager, GrpcWorkerChannel.cs: a host without functions"
)
def test_an_app_that_is_broken_from_the_start_is_waited_for(tmp_path: Path) -> None:
    """The host says why there are no functions, runs without any, and serves the app once it is mended."""
    root = write_app(tmp_path, "def broken(:\n")
    host = RunningHost(root, supervised=False)
    try:
        host.until_ready()
        host.until("Worker failed to index functions")
        host.until("No job functions found.")
        assert host.call("GET", "/api/version").status_code == 404
        status = host.call("GET", "/admin/host/status").json()
        assert status["state"] == "Error"
        assert "SyntaxError" in status["errors"][0]
        save(root, "1")
        host.until("Version: http")
        assert host.call("GET", "/api/version").text == "1"
    finally:
        host.terminate()


TIMER = """
import logging
import azure.functions as func
app = func.FunctionApp()

@app.timer_trigger(arg_name="timer", schedule="0 0 * * * *", run_on_startup=True, use_monitor=False)
async def Tick(timer: func.TimerRequest) -> None:
    logging.info("tick VERSION")
"""


@pytest.mark.read_in_sdk("azure-webjobs-sdk-extensions TimerListener.cs: run_on_startup at every start of a host")
def test_a_timer_moves_to_the_new_app(tmp_path: Path, azurite: StorageAddress) -> None:
    """run_on_startup runs at each reload; the next occurrence, by the clock as it was turned, runs once, in the new."""
    values = {"AzureWebJobsStorage": azurite.connection_string, "AzureFunctionsWebHost__hostid": "reloaded"}
    with running_host(write_app(tmp_path, TIMER.replace("VERSION", "1"), values=values)) as host:
        succeeded = "Executed 'Functions.Tick' (Succeeded"
        host.until(succeeded)
        host.turn_clock(3600)
        host.until(succeeded, times=2)
        (tmp_path / "function_app.py").write_text(TIMER.replace("VERSION", "2"))
        host.until(succeeded, times=3)
        host.turn_clock(3600)
        host.until(succeeded, times=4)
        host.end()
    assert sum("tick 1" in line for line in host.lines) == 2
    assert sum("tick 2" in line for line in host.lines) == 2
