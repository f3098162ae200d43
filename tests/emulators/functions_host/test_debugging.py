"""Debugging: `--language-worker` with debugpy, attached to as an editor does it, over the Debug Adapter Protocol."""

from __future__ import annotations

import itertools
import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.emulators.functions_host.running import failed_start, free_ports, running_host, write_app

APP = """
import azure.functions as func
app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

@app.route("sum")
def Sum(req: func.HttpRequest) -> func.HttpResponse:
    total = 40 + 2
    return func.HttpResponse(str(total))

@app.route("async-sum")
async def AsyncSum(req: func.HttpRequest) -> func.HttpResponse:
    total = 4000 + 200
    return func.HttpResponse(str(total))
"""
SECONDS_MAX = 60
DOCUMENTED = pytest.mark.documented(
    "learn.microsoft.com azure-functions functions-reference-python: local debugging with debugpy on port 9091"
)


class Editor:
    """A client of the Debug Adapter Protocol."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._stream = connection.makefile("rb")
        self._numbers = itertools.count(1)
        self._heard: list[dict[str, Any]] = []

    def ask(self, command: str, **arguments: Any) -> int:
        """Send a request; its number."""
        number = next(self._numbers)
        body = json.dumps({"seq": number, "type": "request", "command": command, "arguments": arguments}).encode()
        self._connection.sendall(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        return number

    def until(self, **members: Any) -> dict[str, Any]:
        """The first message that has these members, waiting for it."""
        while True:
            for message in self._heard:
                if all(message.get(name) == value for name, value in members.items()):
                    self._heard.remove(message)
                    return message
            self._heard.append(self._read())

    def answer(self, command: str, **arguments: Any) -> dict[str, Any]:
        """Ask, and return the body of the answer."""
        message = self.until(type="response", request_seq=self.ask(command, **arguments))
        assert message["success"], message
        body: dict[str, Any] = message.get("body") or {}
        return body

    def attach(self, file: Path, line: int) -> None:
        """Attach with one breakpoint, as an editor does."""
        self.answer("initialize", clientID="test", adapterID="debugpy", pathFormat="path")
        attached = self.ask("attach", justMyCode=True, request="attach", type="debugpy")
        self.until(type="event", event="initialized")
        answer = self.answer("setBreakpoints", source={"path": str(file)}, breakpoints=[{"line": line}])
        assert answer["breakpoints"][0]["verified"]
        self.answer("configurationDone")
        assert self.until(type="response", request_seq=attached)["success"]

    def until_closed(self) -> None:
        """Wait until the debugger has let go."""
        while self._stream.read1(65536):
            pass
        self._stream.close()

    def _read(self) -> dict[str, Any]:
        length = 0
        while line := self._stream.readline().strip():
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        assert length, "the debugger has closed the connection"
        document: dict[str, Any] = json.loads(self._stream.read(length))
        return document


@contextmanager
def editor(port: int) -> Iterator[Editor]:
    """An editor connected to the debugger."""
    with socket.create_connection(("127.0.0.1", port), timeout=SECONDS_MAX) as connection:
        client = Editor(connection)
        yield client
        client.ask("disconnect")
        client.until_closed()


def line_of(text: str) -> int:
    """The number of the first line of APP that holds `text`."""
    return next(number for number, line in enumerate(APP.splitlines(), 1) if text in line)


@pytest.mark.parametrize("path", ["sum", "async-sum"])
@DOCUMENTED
def test_a_breakpoint_hits(tmp_path: Path, path: str) -> None:
    """The function stops there, its variables can be read, and it goes on to answer."""
    line = line_of("return func") if path == "sum" else line_of("4000") + 1
    with free_ports(1) as (port,):
        pass
    root = write_app(tmp_path, APP)
    with (
        running_host(root, "--language-worker", "--", f"-m debugpy --listen 127.0.0.1:{port}") as host,
        ThreadPoolExecutor() as threads,
        editor(port) as client,
    ):
        client.attach(root / "function_app.py", line)
        calling = threads.submit(host.call, "GET", f"/api/{path}")
        stopped = client.until(type="event", event="stopped")["body"]
        assert stopped["reason"] == "breakpoint"
        frame = client.answer("stackTrace", threadId=stopped["threadId"])["stackFrames"][0]
        assert (Path(frame["source"]["path"]), frame["line"]) == (root / "function_app.py", line)
        total = client.answer("evaluate", expression="total", frameId=frame["id"])["result"]
        client.answer("continue", threadId=stopped["threadId"])
        assert calling.result().text == total


@DOCUMENTED
def test_debugging_survives_a_reload(tmp_path: Path) -> None:
    """After a save the same port is listened to again, and a breakpoint in the new code hits."""
    with free_ports(1) as (port,):
        pass
    root = write_app(tmp_path, APP, values={"languageWorkers__python__arguments": f"-m debugpy --listen {port}"})
    with running_host(root) as host, ThreadPoolExecutor() as threads:
        with editor(port) as client:
            client.attach(root / "function_app.py", line_of("return func"))
            (root / "function_app.py").write_text(APP.replace("40 + 2", "40 + 3"))
            client.until(type="event", event="terminated")  # an editor lets go then
        host.until("\tSum: http", times=2)
        with editor(port) as client:
            client.attach(root / "function_app.py", line_of("return func"))
            calling = threads.submit(host.call, "GET", "/api/sum")
            stopped = client.until(type="event", event="stopped")["body"]
            client.answer("continue", threadId=stopped["threadId"])
            assert calling.result().text == "43"


@pytest.mark.our_choice("the old worker must give the port up first, so there is no last good app to go on with")
def test_a_broken_app_is_waited_for_while_debugging(tmp_path: Path) -> None:
    """The host runs without functions until the app is mended."""
    with free_ports(1) as (port,):
        pass
    root = write_app(tmp_path, APP)
    with running_host(root, "--language-worker", f"-m debugpy --listen 127.0.0.1:{port}") as host:
        (root / "function_app.py").write_text("def broken(:\n")
        host.until("Worker failed to index functions")
        host.until("No job functions found.")
        assert host.call("GET", "/api/sum").status_code == 404
        (root / "function_app.py").write_text(APP)
        host.until("\tSum: http", times=2)
        assert host.call("GET", "/api/sum").text == "42"


@pytest.mark.parametrize(
    ("arguments", "values", "expected"),
    [
        ("-m debugpy --listen soon", {}, "give the debugger a port of this machine to listen on"),
        ("-m 'debugpy", {}, "--language-worker: No closing quotation"),
        ("-m debugpy --listen 9091", {"FUNCTIONS_WORKER_PROCESS_COUNT": "2"}, "belongs to one process"),
    ],
)
@pytest.mark.our_choice("what cannot be debugged is said at the start")
def test_arguments_that_cannot_be_obeyed_are_named(
    tmp_path: Path, arguments: str, values: dict[str, str], expected: str
) -> None:
    """A port that is none, an open quotation mark, two processes for one port."""
    code, printed = failed_start(write_app(tmp_path, APP, values=values), "--language-worker", arguments)
    assert code == 1
    assert expected in printed
