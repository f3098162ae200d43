"""The serving room over real sockets: bodies, limits, dropped connections, control endpoints, https."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlparse

import pytest
import requests

from emulators.base.clock import Clock
from emulators.base.control import Control
from emulators.base.faults import Faults
from emulators.base.serving import DROPPED, Application, Bind, PortTaken, Request, Response, listen
from emulators.base.tls import certificate_file, server_context
from tests.serving import served


def echo(*, body_bytes_max: int = 1000) -> Application:
    clock = Clock()

    async def reset() -> None:
        return None

    control = Control("echo", clock, Faults(clock), lambda: {"items": 0}, reset)

    async def handle(request: Request) -> Response:
        if control.owns(request.path):
            return await control.handle(request)
        if request.path == "/drop":
            return DROPPED
        return Response(200, {"x-path": request.path, "set-cookie": ["a=1", "b=2"]}, request.body)

    return Application(handle, lambda _: Response(413, {}, b"too large"), body_bytes_max)


def test_an_answer_carries_the_body_and_repeated_headers() -> None:
    """A request's body and decoded path arrive; a list-valued header is sent once per element."""
    with served(echo) as url:
        answer = requests.post(f"{url}/a%20b", data=b"hello", timeout=5)
    assert (answer.status_code, answer.content, answer.headers["x-path"]) == (200, b"hello", "/a b")
    assert answer.raw.headers.getlist("set-cookie") == ["a=1", "b=2"]


def test_a_body_over_the_limit_is_refused_declared_or_chunked() -> None:
    """The limit holds whether the length is declared or the body arrives in chunks."""
    with served(echo) as url:
        assert requests.post(url, data=b"x" * 1000, timeout=5).status_code == 200
        assert requests.post(url, data=b"x" * 1001, timeout=5).status_code == 413
        assert requests.post(url, data=iter([b"x" * 600, b"x" * 600]), timeout=5).status_code == 413


def test_a_dropped_answer_is_a_broken_connection() -> None:
    """A fault rule's drop cuts the connection without a byte of an answer, and the server goes on."""
    with served(echo) as url:
        with pytest.raises(requests.ConnectionError):
            requests.get(f"{url}/drop", timeout=5)
        assert requests.get(url, timeout=5).status_code == 200


def test_a_client_that_leaves_in_the_middle_of_its_body_is_no_defect(caplog: pytest.LogCaptureFixture) -> None:
    """Nobody is left to answer: no traceback, and the server goes on."""
    with served(echo) as url:
        where = urlparse(url)
        with socket.create_connection((where.hostname or "", where.port or 0), timeout=5) as raw:
            raw.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")
        assert requests.get(url, timeout=5).status_code == 200
    assert not [each for each in caplog.records if each.levelname == "ERROR"]


def test_endless_headers_are_cut() -> None:
    """A client that sends headers without end is disconnected at the limit."""
    with served(echo) as url:
        where = urlparse(url)
        with socket.create_connection((where.hostname or "", where.port or 0), timeout=5) as raw:
            raw.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")
            with pytest.raises((ConnectionError, BrokenPipeError)):
                for _ in range(200):
                    raw.sendall(b"X-Long: " + b"y" * 8000 + b"\r\n")
                while raw.recv(1024):
                    pass
                raise ConnectionResetError


def test_a_port_in_use_says_what_to_do() -> None:
    """Starting on a port that is taken names the port and the way out."""
    taken = listen(Bind())
    with pytest.raises(PortTaken, match="another with --port"):
        listen(Bind(port=taken.getsockname()[1]))
    taken.close()


def test_control_endpoints_refuse_what_a_web_page_can_send() -> None:
    """Changing anything needs our header, and a foreign Origin is refused even with it."""
    with served(echo) as url:
        assert requests.get(f"{url}/_emulator/health", timeout=5).json() == {
            "status": "ok",
            "service": "echo",
            "items": 0,
        }
        assert requests.post(f"{url}/_emulator/reset", timeout=5).status_code == 403
        ours = {"x-emulator-control": "1"}
        assert requests.post(f"{url}/_emulator/reset", headers=ours, timeout=5).status_code == 204
        foreign = {**ours, "origin": "https://example.com"}
        assert requests.post(f"{url}/_emulator/reset", headers=foreign, timeout=5).status_code == 403
        assert requests.post(f"{url}/_emulator/reset", headers={**ours, "origin": url}, timeout=5).status_code == 204


def test_the_clock_is_turned_over_http() -> None:
    """The clock moves by what was asked, and a turn that makes no sense is a 400 that says what to send."""
    with served(echo) as url:
        ours = {"x-emulator-control": "1"}
        clock = f"{url}/_emulator/clock"
        assert requests.post(clock, json={"advanceSeconds": 90}, headers=ours, timeout=5).json()["aheadSeconds"] == 90
        refused: tuple[object, ...] = ({"advanceSeconds": -1}, {"advanceSeconds": True}, {}, [])
        for nonsense in refused:
            assert requests.post(clock, json=nonsense, headers=ours, timeout=5).status_code == 400
        assert requests.get(clock, headers=ours, timeout=5).json()["aheadSeconds"] == 90


def test_https_is_trusted_through_the_local_authority_alone(tmp_path: Path) -> None:
    """A client that trusts the local authority connects by name and by address; one that does not, refuses."""
    with served(echo, Bind(tls=server_context(tmp_path))) as url:
        assert url.startswith("https://127.0.0.1:")
        trusted = certificate_file(tmp_path)
        assert requests.get(url, verify=str(trusted), timeout=5).status_code == 200
        assert requests.get(url.replace("127.0.0.1", "localhost"), verify=str(trusted), timeout=5).status_code == 200
        with pytest.raises(requests.exceptions.SSLError):
            requests.get(url, timeout=5)
    assert (tmp_path / "ca-with-key.pem").stat().st_mode & 0o077 == 0


ECHO_PROGRAM = """
from emulators.base.serving import Bind, run
from tests.emulators.base.test_serving import echo
run(echo(), Bind(), ready=lambda url: print("ready", url, flush=True), exits_with_stdin=True)
"""


@pytest.mark.parametrize("how", ["terminate", "close stdin"])
def test_a_server_drains_and_exits_0_when_asked_or_orphaned(how: str) -> None:
    """SIGTERM, and the end of the parent that holds its stdin, both end a server in order."""
    process = subprocess.Popen(
        [sys.executable, "-c", ECHO_PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin
    assert process.stdout
    with process, process.stdout:
        assert process.stdout.readline().startswith("ready http://127.0.0.1:")
        if how == "terminate":
            process.terminate()
        process.stdin.close()
        assert process.wait(timeout=20) == 0
