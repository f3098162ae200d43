"""The warmup trigger, called by hand as Azure calls it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.emulators.functions_host.running import running_host, write_app

SOURCE = pytest.mark.read_in_sdk("azure-functions-host WebScriptHostHttpRoutesManager.cs, ScriptRouteHandler.cs")
APP = """
import logging
import azure.functions as func
app = func.FunctionApp()

@app.warm_up_trigger("warm")
def NAME(warm) -> None:
    logging.info("warmed by %s", type(warm).__name__)
"""


@SOURCE
def test_warmup_runs_once_and_without_a_key(tmp_path: Path) -> None:
    """The function runs at the first call of /admin/warmup, of whatever method, and at no other."""
    values = {"AzureWebJobsSecretStorageType": "files", "FUNCTIONS_SECRETS_PATH": str(tmp_path / "keys")}
    root = write_app(tmp_path, APP.replace("NAME", "Warmup"), host={"extensionBundle": {}}, values=values)
    with running_host(root, "--enableAuth") as host:
        for method in ("GET", "POST", "GET"):
            assert host.call(method, "/admin/warmup").status_code == 200
        assert host.call("GET", "/admin/functions").status_code == 401
        host.until("Executed 'Functions.Warmup' (Succeeded")
    assert sum("warmed by " in line for line in host.lines) == 1


@SOURCE
def test_a_warmup_function_of_another_name_is_never_run(tmp_path: Path) -> None:
    """The answer is 200 all the same; the console says why nothing runs."""
    with running_host(write_app(tmp_path, APP.replace("NAME", "Other"))) as host:
        host.until("'Other' has a warmupTrigger, which runs only the function called 'warmup'.")
        assert host.call("GET", "/admin/warmup").status_code == 200
    assert not any("Executing" in line for line in host.lines)
