"""The flags of `func start`: what each does, and which are refused."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    load_pem_private_key,
    pkcs12,
)
from cryptography.x509 import load_pem_x509_certificate

from tests.emulators.functions_host.running import failed_start, running_host, write_app

APP = """
import json, logging, os
import azure.functions as func
app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

@app.route("hello", methods=["GET", "HEAD"])
def Hello(req: func.HttpRequest) -> func.HttpResponse:
    logging.debug("a debug line")
    logging.info("an info line")
    logging.warning("a warning line")
    return func.HttpResponse("hello")

@app.route("asked", methods=["OPTIONS"])
def Asked(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("options")

@app.route("tool")
def Tool(req: func.HttpRequest) -> func.HttpResponse:
    print('azfuncjsonlog:{"name": "for tools"}', flush=True)
    return func.HttpResponse(os.environ.get("FUNCTIONS_ENABLE_JSON_OUTPUT", "unset"))
"""
ACTION = pytest.mark.read_in_sdk("azure-functions-core-tools StartHostAction.cs ParseArgs")


def pfx(folder: Path, password: bytes) -> tuple[Path, Path]:
    """(a PFX file for 127.0.0.1, the certificate of who signed it)."""
    authority = trustme.CA()
    leaf = authority.issue_cert("127.0.0.1", "localhost")
    content = pkcs12.serialize_key_and_certificates(
        b"local",
        load_pem_private_key(leaf.private_key_pem.bytes(), None),  # type: ignore[arg-type]
        load_pem_x509_certificate(leaf.cert_chain_pems[0].bytes()),
        None,
        BestAvailableEncryption(password),
    )
    (folder / "local.pfx").write_bytes(content)
    authority.cert_pem.write_to_path(folder / "authority.pem")
    return folder / "local.pfx", folder / "authority.pem"


@ACTION
def test_https_with_a_certificate_of_ones_own(tmp_path: Path) -> None:
    """--cert is a PFX file, --password opens it or names a file that holds it."""
    file, authority = pfx(tmp_path, b"secret")
    (tmp_path / "password.txt").write_text("secret\n")
    root = write_app(tmp_path / "app", APP)
    for password in ("secret", str(tmp_path / "password.txt")):
        with running_host(root, "--useHttps", "--cert", str(file), "--password", password) as host:
            assert host.url.startswith("https://")
            assert host.call("GET", "/api/hello", verify=str(authority)).text == "hello"
            assert not any("secret" in line for line in host.lines)


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (["--useHttps", "--cert", "nowhere.pfx"], "nowhere.pfx cannot be read"),
        (["--useHttps", "--cert", "host.json"], "is not a PFX file that --password opens"),
        (["--cert", "host.json"], "--cert and --password are for use with --useHttps."),
        (["--script-root", "nowhere"], "--script-root: nowhere: No such file or directory."),
        (["--cors", "*", "--cors-credentials"], "CORS: '*' and credentials exclude each other."),
    ],
)
@pytest.mark.our_choice("a flag that cannot be obeyed stops the start and is named")
def test_flags_that_cannot_be_obeyed_are_named(tmp_path: Path, flags: list[str], expected: str) -> None:
    """In one line, without a traceback of ours."""
    code, printed = failed_start(write_app(tmp_path, APP), *flags)
    assert code == 1
    assert expected in printed
    assert "Traceback" not in printed


@pytest.mark.read_in_sdk("azure-functions-core-tools ColoredConsoleLogger.cs, StartHostAction.cs")
def test_json_lines_for_tools(tmp_path: Path) -> None:
    """A line marked as JSON is shown without a timestamp, or goes to the file; the flag tells the app by a setting."""
    root = write_app(tmp_path, APP)
    with running_host(root) as host:
        assert host.call("GET", "/api/tool").text == "unset"
        assert host.until("for tools") == '{"name": "for tools"}'
    with running_host(root, "--enable-json-output", "--json-output-file", str(tmp_path / "lines.json")) as host:
        assert host.call("GET", "/api/tool").text == "True"
        assert json.loads((tmp_path / "lines.json").read_text()) == {"name": "for tools"}
    assert not any("for tools" in line for line in host.lines)


@pytest.mark.read_in_sdk("azure_functions_worker dispatcher.py: the root logger is at INFO without the setting")
def test_debug_records_may_be_turned_off(tmp_path: Path) -> None:
    """PYTHON_ENABLE_DEBUG_LOGGING=0 keeps them from being made, whatever level is shown."""
    root = write_app(tmp_path, APP, values={"PYTHON_ENABLE_DEBUG_LOGGING": "0"})
    with running_host(root, "--user-log-level", "debug") as host:
        host.call("GET", "/api/hello")
        host.until("a warning line")
        host.end()
    assert any("an info line" in line for line in host.lines)
    assert not any("a debug line" in line for line in host.lines)


@ACTION
def test_levels_of_logs(tmp_path: Path) -> None:
    """From Information by default; --user-log-level sets the functions' own, host.json their category's."""
    root = write_app(tmp_path, APP)
    seen = {}
    for level in ("", "debug", "Warning"):
        with running_host(root, *(("--user-log-level", level) if level else ())) as host:
            host.call("GET", "/api/hello")
            host.until("a warning line")
            host.end()
        seen[level] = [any(f"{name} line" in line for line in host.lines) for name in ("a debug", "an info")]
    assert seen == {"": [False, True], "debug": [True, True], "Warning": [False, False]}
    root = write_app(tmp_path, APP, host={"logging": {"logLevel": {"Function": "Warning"}}})
    with running_host(root) as host:
        host.call("GET", "/api/hello")
        host.until("a warning line")
    assert not any("an info line" in line for line in host.lines)


@pytest.mark.read_in_sdk("azure-functions-core-tools ConsoleApp.cs: --script-root, --prefix")
def test_the_app_may_be_in_another_folder(tmp_path: Path) -> None:
    """--script-root is where the app is; local.settings.json is found from there."""
    write_app(tmp_path / "inner", APP)
    for flag in ("--script-root", "--prefix"):
        with running_host(tmp_path, flag, "inner") as host:
            assert host.call("GET", "/api/hello").text == "hello"


@pytest.mark.read_in_sdk("azure-functions-host languageWorkers:python:defaultExecutablePath")
def test_another_interpreter_is_refused(tmp_path: Path) -> None:
    """The app runs in the interpreter that the host is installed in; its own path is accepted."""
    name = "languageWorkers__python__defaultExecutablePath"
    code, printed = failed_start(write_app(tmp_path, APP, values={name: "/usr/bin/other-python"}))
    assert code == 1
    assert "is /usr/bin/other-python, but this host runs the app in the interpreter" in printed
    with running_host(write_app(tmp_path, APP, values={name: sys.executable})) as host:
        assert host.call("GET", "/api/hello").status_code == 200


@pytest.mark.read_in_sdk("azure-functions-core-tools Startup.cs: ASP.NET Core CORS")
def test_cors_of_any_origin_and_with_credentials(tmp_path: Path) -> None:
    """`*` allows everybody; a named origin may send cookies with the flag; others get a bare 204."""
    asked = {
        "Origin": "http://a.example",
        "Access-Control-Request-Method": "PUT",
        "Access-Control-Request-Headers": "x-a",
    }
    root = write_app(tmp_path, APP)
    with running_host(root, "--cors", "*") as host:
        answer = host.call("OPTIONS", "/api/hello", headers=asked)
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (204, "*")
        assert answer.headers["access-control-allow-headers"] == "x-a"
        assert host.call("OPTIONS", "/api/asked", headers={"Origin": "http://a.example"}).text == "options"
    with running_host(root, "--cors", "http://a.example,http://b.example", "--cors-credentials") as host:
        answer = host.call("OPTIONS", "/api/hello", headers=asked)
        assert answer.headers["access-control-allow-origin"] == "http://a.example"
        assert answer.headers["access-control-allow-credentials"] == "true"
        foreign = host.call("OPTIONS", "/api/hello", headers={**asked, "Origin": "http://c.example"})
        assert foreign.status_code == 204
        assert "access-control-allow-origin" not in foreign.headers
    local = {"IsEncrypted": False, "Host": {"CORS": "http://a.example", "CORSCredentials": True}}
    with running_host(write_app(tmp_path, APP, local=local)) as host:
        answer = host.call("GET", "/api/hello", headers={"Origin": "http://a.example"})
        assert answer.headers["access-control-allow-credentials"] == "true"


@pytest.mark.read_in_sdk("azure-functions-host WebScriptHostHttpRoutesManager.cs: no method is implied")
def test_head_and_options_are_methods_like_others(tmp_path: Path) -> None:
    """HEAD runs the function and answers without a body; OPTIONS is 404 where no function takes it."""
    with running_host(write_app(tmp_path, APP)) as host:
        answer = host.call("HEAD", "/api/hello")
        assert (answer.status_code, answer.content, answer.headers["content-length"]) == (200, b"", "5")
        host.until("Executed 'Functions.Hello' (Succeeded")
        assert host.call("OPTIONS", "/api/hello").status_code == 404
        assert host.call("HEAD", "/api/tool").status_code == 200


@pytest.mark.our_choice("--help names every flag that is obeyed")
def test_help_names_the_flags(tmp_path: Path) -> None:
    """All of func start's that mean something here."""
    command = [sys.executable, "-m", "emulators.functions_host", "start", "--help"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60)
    for flag in (
        *("--port", "--address", "--cors", "--cors-credentials", "--timeout", "--useHttps", "--cert", "--password"),
        *("--language-worker", "--enableAuth", "--functions", "--user-log-level", "--verbose", "--no-build"),
        *("--enable-json-output", "--json-output-file", "--script-root"),
    ):
        assert flag in done.stdout
