"""Several worker processes: connections go to them in turn, and none is lost when one of them goes."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path

import pytest
import requests

from emulators.base.tls import authority_directory, certificate_file
from tests.emulators.functions_host.running import RunningHost, running_host, write_app

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a socket cannot be sent to a process there")

APP = """
import os
import azure.functions as func
app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

@app.route("pid")
async def Pid(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(f"{os.getpid()} VERSION")
"""
IN_TURN = pytest.mark.read_in_sdk("azure-functions-host WorkerProcessCountOptions.cs; LoadBalancer RoundRobin")
NOTHING_LOST = pytest.mark.our_choice("a connection that a worker did not take is another's: nobody's call is lost")


@contextmanager
def two_workers(root: Path, *flags: str) -> Iterator[RunningHost]:
    """A host with two of them."""
    app = write_app(root, APP.replace("VERSION", "1"), values={"FUNCTIONS_WORKER_PROCESS_COUNT": "2"})
    with running_host(app, *flags) as host:
        yield host


def pid_of(host: RunningHost) -> int:
    """The process that answers a call on a connection of its own."""
    return int(host.call("GET", "/api/pid").text.partition(" ")[0])


def asked(host: RunningHost) -> socket.socket:
    """A connection with a request on it."""
    name, _, port = host.url.removeprefix("http://").partition(":")
    client = socket.create_connection((name, int(port)), timeout=40)
    client.sendall(b"GET /api/pid HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    return client


def answer(client: socket.socket) -> int:
    """The process that answers it."""
    heard = b""
    while part := client.recv(65536):
        heard += part
    assert heard.startswith(b"HTTP/1.1 200"), heard
    return int(heard.rpartition(b"\r\n\r\n")[2].split()[0])


@IN_TURN
def test_connections_go_to_the_workers_in_turn(tmp_path: Path) -> None:
    """Twenty calls on connections of their own: ten are answered by each of the two processes, one after the other."""
    with two_workers(tmp_path) as host:
        pids = [pid_of(host) for _ in range(20)]
    assert sorted(Counter(pids).values()) == [10, 10]
    assert all(pid != following for pid, following in pairwise(pids))


@IN_TURN
def test_https_goes_to_the_workers_in_turn(tmp_path: Path) -> None:
    """The handshake is the worker's own."""
    with two_workers(tmp_path, "--useHttps") as host:
        authority = str(certificate_file(authority_directory()))
        pids = [host.call("GET", "/api/pid", verify=authority).text for _ in range(4)]
    assert sorted(Counter(pids).values()) == [2, 2]


@NOTHING_LOST
def test_no_call_is_lost_while_two_workers_are_replaced(tmp_path: Path) -> None:
    """Clients that call all the time, on new connections, hear 200 throughout two reloads."""
    with two_workers(tmp_path) as host:
        stop = threading.Event()

        def call_all_the_time() -> list[tuple[int, str]]:
            heard = []
            while not stop.is_set():
                told = requests.get(host.url + "/api/pid", timeout=30)
                heard.append((told.status_code, told.text.rpartition(" ")[2]))
            return heard

        with ThreadPoolExecutor() as threads:
            calling = [threads.submit(call_all_the_time) for _ in range(3)]
            for version in ("2", "3"):
                (tmp_path / "function_app.py").write_text(APP.replace("VERSION", version))
                host.until("Pid: http", times=int(version))
            assert host.call("GET", "/api/pid").text.endswith(" 3")
            stop.set()
            heard = [each for one in calling for each in one.result()]
    assert {status for status, _ in heard} == {200}
    assert {version for _, version in heard} >= {"1", "3"}


@NOTHING_LOST
def test_a_worker_that_does_not_read_stops_nobody_and_loses_nothing(tmp_path: Path) -> None:
    """What goes to the other is answered; when it is killed, the other answers what it had not taken, too."""
    with two_workers(tmp_path) as host, ExitStack() as stack:
        stuck = pid_of(host)
        os.kill(stuck, signal.SIGSTOP)
        try:
            clients = [stack.enter_context(asked(host)) for _ in range(10)]
            answered = {answer(client) for client in clients[::2]}  # the turn is the other's
            assert len(answered) == 1
            assert stuck not in answered
        finally:
            os.kill(stuck, signal.SIGKILL)
        host.until("The worker process ended with exit code -9; a new one is started.")
        assert {answer(client) for client in clients[1::2]} & {stuck} == set()
        assert any(pid_of(host) != pid_of(host) for _ in range(2000)), "the new one never had its turn"


@NOTHING_LOST
def test_calls_wait_while_no_worker_lives(tmp_path: Path) -> None:
    """Both are killed: the call is answered by the next."""
    with two_workers(tmp_path) as host:
        pids = {pid_of(host), pid_of(host)}
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        assert pid_of(host) not in pids


@NOTHING_LOST
def test_a_host_that_stops_answers_what_its_workers_were_handed(tmp_path: Path) -> None:
    """SIGTERM: connections that have asked are answered, and the exit code is 0."""
    with two_workers(tmp_path) as host, ExitStack() as stack:
        stuck = pid_of(host)
        os.kill(stuck, signal.SIGSTOP)
        clients = [stack.enter_context(asked(host)) for _ in range(3)]
        answer(clients[2])  # so the one before it has been handed over
        host.process.send_signal(signal.SIGTERM)
        os.kill(stuck, signal.SIGCONT)
        assert answer(clients[1]) == stuck
        assert host.process.wait(30) == 0
