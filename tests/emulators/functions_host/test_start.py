"""Starting: settings, flags, what the console says, and how a start fails."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from tests.emulators.functions_host.running import CONTROL, RunningHost, failed_start, running_host, write_app

APP = """
import json, os
import azure.functions as func
app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

@app.route("settings/{name}")
def Setting(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(json.dumps(os.environ.get(req.route_params["name"])))

@app.route("pid")
async def Pid(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(str(os.getpid()))

@app.function_name("exit")
@app.route("exit")
def Exit(req: func.HttpRequest) -> func.HttpResponse:
    os._exit(3)
"""
BLOCKS = """
import os, threading
print("importing in", os.getpid(), flush=True)
threading.Event().wait()
"""
MARKED = pytest.mark.read_in_sdk("azure-functions-core-tools AppSettingsFile.cs, StartHostAction.cs")


@MARKED
def test_settings_reach_the_functions(tmp_path: Path) -> None:
    """Values are the environment, numbers as text; what the environment has already wins and is said so."""
    values = {"Mine": "from file", "Taken": "from file", "AzureWebJobs.Pid.Disabled": "true"}
    with running_host(write_app(tmp_path, APP, values=values), environment={"Taken": "from outside"}) as host:
        assert host.call("GET", "/api/settings/Mine").json() == "from file"
        assert host.call("GET", "/api/settings/Taken").json() == "from outside"
        assert host.call("GET", "/api/settings/AZURE_FUNCTIONS_ENVIRONMENT").json() == "Development"
        assert host.call("GET", "/api/pid").status_code == 404
        host.until("Skipping 'Taken' from local settings as it's already defined in current environment variables.")
        host.until("Function Pid is disabled.")
        host.until(f"Setting: http://localhost:{host.url.rpartition(':')[2]}/api/settings/{{name}}")


@MARKED
def test_settings_that_are_skipped_are_said(tmp_path: Path) -> None:
    """An empty name, a null, a reserved name; an empty variable of the environment does not stand in the way."""
    values: dict[str, object] = {"": "x", "Nothing": None, "CONTAINER_NAME": "x", "Mine": "from file", "Number": 7}
    values["AZURE_FUNCTIONS_ENVIRONMENT"] = "Staging"
    local = {"IsEncrypted": False, "Values": values, "ConnectionStrings": {"Shop": "Server=x"}}
    root = write_app(tmp_path, APP, local=local, host={"extensions": {"http": {"dynamicThrottlesEnabled": True}}})
    with running_host(root, environment={"Mine": ""}) as host:
        host.until("Skipping local setting with empty key.")
        host.until("Skipping 'Nothing' because value is null")
        host.until("CONTAINER_NAME is a reserved environment variable for the Functions Host.")
        host.until("AZURE_FUNCTIONS_ENVIRONMENT already exists with value 'Staging', overriding to 'Development'.")
        host.until("host.json: extensions.http.dynamicThrottlesEnabled has no effect on this machine.")
        seen = {
            name: host.call("GET", f"/api/settings/{name}").json()
            for name in ("Nothing", "Mine", "Number", "AZURE_FUNCTIONS_ENVIRONMENT", "ConnectionStrings:Shop")
        }
    assert seen == {
        "Nothing": None,
        "Mine": "from file",
        "Number": "7",
        "AZURE_FUNCTIONS_ENVIRONMENT": "Development",
        "ConnectionStrings:Shop": "Server=x",
    }


@MARKED
def test_the_route_prefix_and_the_allow_list(tmp_path: Path) -> None:
    """extensions.http.routePrefix may be empty; --functions runs the named ones only."""
    root = write_app(tmp_path, APP, host={"extensions": {"http": {"routePrefix": ""}}})
    with running_host(root, "--functions", "pid") as host:
        assert host.call("GET", "/pid").status_code == 200
        assert host.call("GET", "/settings/x").status_code == 404


@MARKED
def test_encrypted_settings_stop_the_start(tmp_path: Path) -> None:
    """IsEncrypted is true when it is absent."""
    code, printed = failed_start(write_app(tmp_path, APP, local={"Values": {}}))
    assert code == 1
    assert "Failed to decrypt settings." in printed


@pytest.mark.parametrize(
    ("host", "values", "expected"),
    [
        ({}, {"FUNCTIONS_REQUEST_BODY_SIZE_LIMIT": "much"}, "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT takes a whole number"),
        ({"retry": {"strategy": "fixedDelay", "delayInterval": "soon"}}, {}, "host.json: retry: "),
        ({"retry": {"strategy": "fixedDelay", "maxRetryCount": "many"}}, {}, "host.json: retry.maxRetryCount takes"),
    ],
)
@pytest.mark.our_choice("a setting that cannot be used stops the start and is named, without a traceback of ours")
def test_a_setting_that_cannot_be_used_is_named(
    tmp_path: Path, host: dict[str, object], values: dict[str, str], expected: str
) -> None:
    """The line says which one it is."""
    code, printed = failed_start(write_app(tmp_path, APP, host=host, values=values))
    assert code == 1
    assert expected in printed
    assert "Traceback" not in printed


@pytest.mark.our_choice("a port over 65535 is refused before anything is bound")
def test_a_port_that_is_none_stops_the_start(tmp_path: Path) -> None:
    """Host.LocalHttpPort is checked as --port is."""
    local = {"IsEncrypted": False, "Host": {"LocalHttpPort": 70000}}
    command = [sys.executable, "-m", "emulators.functions_host", "start"]
    done = subprocess.run(
        command, cwd=write_app(tmp_path, APP, local=local), capture_output=True, text=True, check=False, timeout=30
    )
    assert done.returncode == 1
    assert "Host.LocalHttpPort takes a port number, got '70000'." in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.read_in_sdk("azure-functions-core-tools ScriptHostHelpers.cs")
def test_a_folder_that_is_no_app_is_refused(tmp_path: Path) -> None:
    """Neither host.json nor local.settings.json: the start says what it looks for."""
    code, printed = failed_start(tmp_path)
    assert code == 1
    assert "Unable to find project root." in printed


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import azure.functions as func\napp = func.FunctionApp()\n1/0\n", "line 3, in <module>"),
        ("import nonexistent_mod_x\n", "Cannot find module. Please check the requirements.txt file"),
        ("import azure.functions\n", "Could not find top level function app instances in function_app.py."),
        (APP + "other = func.FunctionApp()\n", "More than one FunctionApp"),
        (
            APP + '@app.route("z")\ndef Z(req: func.HttpRequest, db=None): ...\n',
            "declared in Python but not in function.json: {'db'}",
        ),
        ("def broken(:\n", "SyntaxError"),
    ],
)
@pytest.mark.read_in_sdk("azure_functions_worker loader.py, functions.py")
def test_an_app_that_cannot_be_indexed_shows_why(tmp_path: Path, source: str, expected: str) -> None:
    """The user's own traceback and the worker's words, and exit code 1."""
    code, printed = failed_start(write_app(tmp_path, source))
    assert code == 1
    assert expected in printed
    assert "emulators" not in printed.replace("local emulator", "")


@pytest.mark.our_choice("an unknown or unbuilt flag is refused by name")
@pytest.mark.parametrize("flag", ["--unheard-of", "--csharp", "--runtime", "--dotnet-isolated-debug", "--debug"])
def test_flags_are_refused_by_name(tmp_path: Path, flag: str) -> None:
    """What is not understood is not ignored."""
    code, printed = failed_start(write_app(tmp_path, APP), flag)
    assert code == 2
    assert flag in printed


@pytest.mark.our_choice("func says only that the port is unavailable")
def test_a_taken_port_is_said_at_once(tmp_path: Path) -> None:
    """The second host on a port names it and the flag."""
    root = write_app(tmp_path, APP)
    with running_host(root) as host:
        code, printed = failed_start(root, "--port", host.url.rpartition(":")[2])
    assert code == 1
    assert "--port" in printed


@pytest.mark.read_in_sdk("azure-functions-host RpcFunctionInvocationDispatcher.cs: a dead worker is restarted")
def test_a_worker_that_dies_is_replaced(tmp_path: Path) -> None:
    """The port stays; a new process serves."""
    with running_host(write_app(tmp_path, APP)) as host:
        before = host.call("GET", "/api/pid").text
        with pytest.raises(requests.ConnectionError):
            host.call("GET", "/api/exit")
        assert host.call("GET", "/api/pid").text != before
        host.until("The worker process ended with exit code 3; a new one is started.")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM")
@pytest.mark.our_choice("SIGTERM drains: what was begun is answered")
def test_sigterm_drains_and_exits_0(tmp_path: Path) -> None:
    """A host told to stop ends with exit code 0, and its worker with it."""
    with running_host(write_app(tmp_path, APP)) as host:
        worker = int(host.call("GET", "/api/pid").text)
        host.process.send_signal(signal.SIGTERM)
        assert host.process.wait(30) == 0
        with pytest.raises(ProcessLookupError):
            os.kill(worker, 0)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM")
@pytest.mark.our_choice("SIGTERM ends a host whose app is still being loaded")
def test_sigterm_ends_a_start_that_blocks(tmp_path: Path) -> None:
    """Nothing was begun, so nothing is waited for: the exit code is 0 and the worker is gone."""
    host = RunningHost(write_app(tmp_path, BLOCKS))
    worker = int(host.until("importing in").rpartition(" ")[2])
    host.process.send_signal(signal.SIGTERM)
    assert host.end() == 0
    with pytest.raises(ProcessLookupError):
        os.kill(worker, 0)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
@pytest.mark.our_choice("children exit when their parent dies, even by kill -9 and while they load the app")
def test_a_worker_that_loads_its_app_does_not_outlive_the_host(tmp_path: Path) -> None:
    """The worker holds the host's stdout: its end is the end of the output."""
    host = RunningHost(write_app(tmp_path, BLOCKS))
    host.until("importing in")
    host.process.kill()
    host.until_ended()


@pytest.mark.our_choice("func's own command line")
def test_host_start_is_start(tmp_path: Path) -> None:
    """`host start` is understood, and --help names the flags."""
    command = [sys.executable, "-m", "emulators.functions_host", "host", "start", "--help"]
    done = subprocess.run(command, cwd=write_app(tmp_path, APP), capture_output=True, text=True, check=True, timeout=30)
    assert "--enableAuth" in done.stdout


@pytest.mark.read_in_sdk("azure-functions-host HostController.cs, FunctionsController.cs")
def test_admin_tells_about_host_and_functions(tmp_path: Path) -> None:
    """Status, ping, the functions; what is not built is 501 by name."""
    with running_host(write_app(tmp_path, APP)) as host:
        assert host.call("GET", "/admin/host/status").json()["state"] == "Running"
        assert host.call("POST", "/admin/host/ping").status_code == 200
        listed = {each["name"]: each for each in host.call("GET", "/admin/functions").json()}
        assert listed["Pid"]["invoke_url_template"] == f"{host.url}/api/pid"
        assert listed["Pid"]["config"]["bindings"][0]["type"] == "httpTrigger"
        assert host.call("GET", "/admin/functions/pid/status").json() == {}
        assert host.call("GET", "/admin/host/config").status_code == 501
        assert host.call("GET", "/admin/nonsense").status_code == 404


@pytest.mark.our_choice("fault rules on functions")
def test_a_fault_rule_fails_a_function(tmp_path: Path) -> None:
    """A rule that names a function answers in its place, as often as it says."""
    with running_host(write_app(tmp_path, APP)) as host:
        rule = {"match": {"function": "Pid"}, "act": {"status": 503}, "times": 1}
        assert host.call("POST", "/admin/emulator/faults", json=rule, headers=CONTROL).status_code == 201
        assert [host.call("GET", "/api/pid").status_code for _ in range(2)] == [503, 200]


@pytest.mark.parametrize("file", ["bin/extensions.json", "extensions.csproj"])
@pytest.mark.read_in_sdk("azure-functions-host ScriptStartupTypeLocator.cs: without a bundle, extensions of the app")
def test_an_app_may_bring_its_extensions_itself(tmp_path: Path, file: str) -> None:
    """What `func extensions install` leaves in the app's folder registers binding types as a bundle does."""
    source = (
        APP
        + """
@app.queue_trigger(arg_name="message", queue_name="q", connection="Store")
def Take(message: str) -> None:
    pass
"""
    )
    root = write_app(tmp_path, source, host={"extensionBundle": {}}, values={"Store": "UseDevelopmentStorage=true"})
    with running_host(root) as host:
        host.until("The 'Take' function is in error: The binding type(s) 'queueTrigger' are not registered.")
    (root / file).parent.mkdir(exist_ok=True)
    (root / file).write_text("{}")
    with running_host(root) as host:
        assert "Take" not in host.call("GET", "/admin/emulator/health").json()["inError"]


@pytest.mark.read_in_sdk("azure_functions_worker dispatcher.py: PYTHON_SCRIPT_FILE_NAME")
def test_an_app_without_host_json_gets_one(tmp_path: Path) -> None:
    """A missing host.json is written with the default extension bundle."""
    write_app(tmp_path, APP)
    (tmp_path / "host.json").unlink()
    (tmp_path / "function_app.py").rename(tmp_path / "main.py")
    with running_host(tmp_path, environment={"PYTHON_SCRIPT_FILE_NAME": "main.py"}) as host:
        assert isinstance(host, RunningHost)
        assert host.call("GET", "/api/pid").status_code == 200
    assert json.loads((tmp_path / "host.json").read_text())["extensionBundle"]["version"] == "[4.*, 5.0.0)"


@pytest.mark.read_in_sdk("azure-functions-python-worker loader.py: the app's folder is appended to sys.path")
def test_the_apps_folder_comes_last_on_the_path(tmp_path: Path) -> None:
    """A module of the app that is called like one of Python's is not the one that is imported; its others are found."""
    (tmp_path / "wave.py").write_text("raise RuntimeError('shadowed')\n")
    (tmp_path / "prices.py").write_text("PRICE = 7\n")
    source = """
import azure.functions as func
import wave
from prices import PRICE
app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

@app.route("price")
def Price(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(f"{PRICE} {wave.Wave_read.__name__}")
"""
    with running_host(write_app(tmp_path, source)) as host:
        assert host.call("GET", "/api/price").text == "7 Wave_read"
