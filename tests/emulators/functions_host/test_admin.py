"""The endpoints below /admin: keys, drain and resume, state, processes, logs; and what is not built."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from local.azurite import StorageAddress
from tests.emulators.functions_host.running import RunningHost, running_host, write_app

APP = """
import asyncio, os
import azure.functions as func
app = func.FunctionApp()

@app.route("keyed")
def Keyed(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("ok")

@app.route("waits", auth_level=func.AuthLevel.ANONYMOUS)
async def Waits(req: func.HttpRequest) -> func.HttpResponse:
    print("waiting", flush=True)
    while not os.path.exists("end"):
        await asyncio.sleep(0.01)
    return func.HttpResponse("ok")

@app.timer_trigger(arg_name="timer", schedule="0 0 * * * *", use_monitor=False)
def Tick(timer: func.TimerRequest) -> None:
    pass
"""
KEYS = pytest.mark.read_in_sdk("azure-functions-host KeysController.cs, SecretManager.cs, ApiModelUtility.cs")
CONTROLLER = pytest.mark.read_in_sdk("azure-functions-host HostController.cs")


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHost]:
    """A host of two workers that demands keys, which it keeps in files."""
    secrets = tmp_path_factory.mktemp("secrets")
    values = {
        "AzureWebJobsSecretStorageType": "files",
        "FUNCTIONS_SECRETS_PATH": str(secrets),
        "FUNCTIONS_WORKER_PROCESS_COUNT": "2",
    }
    with running_host(write_app(tmp_path_factory.mktemp("admin"), APP, values=values), "--enableAuth") as started:
        started.master = json.loads((secrets / "host.json").read_text())["masterKey"]["value"]  # type: ignore[attr-defined]
        yield started


def admin(host: RunningHost, method: str, path: str, **options: object) -> tuple[int, object]:
    """(status, document) of a request with the master key."""
    key = {"x-functions-key": host.master}  # type: ignore[attr-defined]
    answer = host.call(method, f"/admin/{path}", headers=key, **options)
    if answer.headers.get("content-type", "").startswith("application/json"):
        return answer.status_code, answer.json()
    return answer.status_code, answer.text


def opens(host: RunningHost, key: str) -> set[int]:
    """What callers with that key hear, over enough calls to meet both workers."""
    return {host.call("GET", "/api/keyed", headers={"x-functions-key": key}).status_code for _ in range(12)}


@pytest.mark.parametrize("scope", ["host/keys", "host/functionkeys", "functions/keyed/keys"])
@KEYS
def test_a_key_is_made_read_renewed_and_deleted(host: RunningHost, scope: str) -> None:
    """POST makes a value (201, then 200), PUT takes one, GET tells, DELETE is 204; all workers obey at once."""
    status, made = admin(host, "POST", f"{scope}/mine")
    assert status == 201
    assert isinstance(made, dict)
    assert set(made) == {"name", "value", "links"}
    assert made["links"] == [{"rel": "self", "href": f"{host.url}/admin/{scope}/mine"}]
    assert opens(host, made["value"]) == {200}
    status, renewed = admin(host, "POST", f"{scope}/mine")
    assert isinstance(renewed, dict)
    assert status == 200
    assert opens(host, made["value"]) == {401}
    assert admin(host, "PUT", f"{scope}/mine", json={"name": "mine", "value": "chosen-" + scope})[0] == 200
    assert admin(host, "GET", f"{scope}/mine")[1] == {
        "name": "mine",
        "value": "chosen-" + scope,
        "links": made["links"],
    }
    status, listed = admin(host, "GET", scope)
    assert isinstance(listed, dict)
    assert {each["name"] for each in listed["keys"]} == {"default", "mine"}
    assert opens(host, "chosen-" + scope) == {200}
    assert admin(host, "DELETE", f"{scope}/mine")[0] == 204
    assert admin(host, "DELETE", f"{scope}/mine")[0] == 404
    assert opens(host, "chosen-" + scope) == {401}


@KEYS
def test_keys_that_cannot_be_are_refused(host: RunningHost) -> None:
    """A PUT without value is 400, the master key cannot be deleted, a function that is none has no keys."""
    assert admin(host, "PUT", "host/keys/mine", json={"name": "mine"}) == (400, "Invalid key value")
    assert admin(host, "DELETE", "host/systemkeys/_master") == (400, "Cannot delete System Key.")
    assert admin(host, "GET", "functions/nobody/keys")[0] == 404
    assert admin(host, "GET", "host/keys/nothing")[0] == 404
    assert admin(host, "PUT", "host/keys")[0] == 405


@KEYS
def test_system_keys_and_the_master_key(host: RunningHost) -> None:
    """The Event Grid webhook's key is listed; the master key can be asked for by name, and set."""
    _, listed = admin(host, "GET", "host/systemkeys")
    assert isinstance(listed, dict)
    assert "eventgrid_extension" in {each["name"] for each in listed["keys"]}
    _, master = admin(host, "GET", "host/systemkeys/_master")
    assert isinstance(master, dict)
    assert master["value"] == host.master  # type: ignore[attr-defined]
    assert admin(host, "PUT", "host/systemkeys/_master", json={"value": "new-master"})[0] == 200
    assert admin(host, "GET", "host/status")[0] == 401
    host.master = "new-master"  # type: ignore[attr-defined]
    assert {admin(host, "GET", "host/status")[0] for _ in range(8)} == {200}


@KEYS
def test_keys_in_storage_are_there_without_authentication_too(tmp_path: Path, azurite: StorageAddress) -> None:
    """As with func, the keys API works when nobody is asked for keys; without storage it says what it lacks."""
    values = {"AzureWebJobsStorage": azurite.connection_string, "AzureFunctionsWebHost__hostid": "unasked"}
    with running_host(write_app(tmp_path / "with", APP, values=values)) as started:
        assert started.call("PUT", "/admin/functions/Keyed/keys/mine", json={"value": "v"}).status_code == 201
        assert started.call("GET", "/admin/functions/Keyed/keys/mine").json()["value"] == "v"
    root = write_app(tmp_path / "without", APP, values={"AzureWebJobsStorage": ""})
    with running_host(root, environment={"AzureWebJobsStorage": ""}) as started:
        answer = started.call("GET", "/admin/host/keys")
        assert answer.status_code == 503
        assert "AzureWebJobsStorage is not set" in answer.text


@CONTROLLER
def test_drain_stops_listeners_and_tells_when_all_is_done(tmp_path: Path) -> None:
    """202, then InProgress while an invocation runs, Completed after it; HTTP is served all the time; resume."""
    root = write_app(tmp_path, APP, values={"AzureWebJobsStorage": ""})
    with (
        running_host(root, environment={"AzureWebJobsStorage": ""}) as host,
        ThreadPoolExecutor() as threads,
    ):
        host.until_listening("Tick")
        assert host.call("GET", "/admin/host/drain/status").json()["state"] == "Disabled"
        waiting = threads.submit(host.call, "GET", "/api/waits")
        host.until("waiting")
        assert host.call("POST", "/admin/host/drain").status_code == 202
        assert host.call("GET", "/admin/host/drain/status").json() == {
            "state": "InProgress",
            "outstandingInvocations": 1,
            "outstandingRetries": 0,
        }
        (root / "end").touch()
        assert waiting.result().status_code == 200
        assert host.call("GET", "/admin/host/drain/status").json()["state"] == "Completed"
        assert host.call("GET", "/admin/emulator/health").json()["listening"] == []
        assert host.call("GET", "/api/keyed").status_code == 200
        assert host.call("POST", "/admin/host/resume").json() == {"state": "Running"}
        host.until_listening("Tick")
        assert host.call("GET", "/admin/host/drain/status").json()["state"] == "Disabled"


@CONTROLLER
def test_a_timer_under_a_lock_listens_again_after_a_drain(tmp_path: Path, azurite: StorageAddress) -> None:
    """The lock is let go by the drain and taken again by the resume."""
    source = APP.replace(", use_monitor=False", "")
    values = {"AzureWebJobsStorage": azurite.connection_string, "AzureFunctionsWebHost__hostid": "drained"}
    with running_host(write_app(tmp_path, source, values=values)) as host:
        host.until_listening("Tick")
        host.call("POST", "/admin/host/drain").raise_for_status()
        while host.call("GET", "/admin/emulator/health").json()["listening"]:
            pass  # the drain has been answered before it has ended
        host.call("POST", "/admin/host/resume").raise_for_status()
        host.until_listening("Tick")
        host.turn_clock(3600)
        host.until("Executed 'Functions.Tick' (Succeeded")


@CONTROLLER
def test_the_host_goes_offline_and_comes_back(tmp_path: Path) -> None:
    """PUT state offline: 503 with the page of app_offline.htm, admin still answers; running brings it back."""
    with running_host(write_app(tmp_path, APP)) as host:
        assert host.call("PUT", "/admin/host/state", json="asleep").status_code == 400
        assert host.call("PUT", "/admin/host/state", json="running").status_code == 200
        assert host.call("PUT", "/admin/host/state", json="offline").status_code == 202
        host.until("No job functions found.")
        (tmp_path / "app_offline.htm").write_text("<p>back soon</p>")
        host.until("No job functions found.", times=2)
        answer = host.call("GET", "/api/keyed")
        assert (answer.status_code, answer.headers["content-type"], answer.text) == (
            503,
            "text/html",
            "<p>back soon</p>",
        )
        assert host.call("GET", "/admin/host/status").json()["state"] == "Offline"
        (tmp_path / "app_offline.htm").unlink()
        host.until("Keyed: http", times=2)
        assert host.call("GET", "/api/keyed").status_code == 200


@CONTROLLER
def test_status_processes_and_ping(host: RunningHost) -> None:
    """Who the host is, the same from every worker; its processes; ping is empty."""
    told = [admin(host, "GET", "host/status")[1] for _ in range(8)]
    assert len({str((each["instanceId"], each["id"], each["state"])) for each in told if isinstance(each, dict)}) == 1
    assert isinstance(told[0], dict)
    assert told[0]["extensionBundle"]["id"] == "Microsoft.Azure.Functions.ExtensionBundle"
    _, processes = admin(host, "GET", "host/processes")
    assert isinstance(processes, dict)
    assert processes["processes"][0]["processId"] == host.process.pid
    assert len(processes["processes"]) == 3
    assert admin(host, "POST", "host/ping") == (200, "")


@CONTROLLER
def test_restart_synctriggers_and_log(tmp_path: Path) -> None:
    """Restart loads the app again and says where it is; triggers cannot be synchronised here; log lines are shown."""
    with running_host(write_app(tmp_path, APP), "--verbose") as host:
        answer = host.call("POST", "/admin/host/restart")
        assert (answer.status_code, answer.json()["scriptPath"]) == (200, str(tmp_path))
        host.until("Keyed: http", times=2)
        failed = host.call("POST", "/admin/host/synctriggers")
        assert failed.status_code == 500
        assert failed.json() == {"status": "Invalid environment for SyncTriggers operation."}
        entries = [{"level": "Warning", "message": "from a tool", "functionName": "Keyed", "source": "tool"}]
        assert host.call("POST", "/admin/host/log", json=entries).status_code == 200
        host.until("from a tool")
        assert host.call("POST", "/admin/host/log", json={"no": "list"}).status_code == 400


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "host/config"),
        ("POST", "host/scale/status"),
        ("GET", "host/extensions"),
        ("GET", "host/extensionBundle/v1/templates"),
        ("PUT", "functions/Keyed"),
        ("DELETE", "functions/Keyed"),
        ("GET", "functions/download"),
        ("GET", "vfs/"),
        ("GET", "instance/info"),
    ],
)
@pytest.mark.our_choice("what the real host has and this one has not is 501 by name")
def test_what_is_not_built_says_so(host: RunningHost, method: str, path: str) -> None:
    """Never a silent 200, nor a 404 that looks like a mistake of the caller."""
    assert admin(host, method, path)[0] == 501
