"""Runs the host's command on an app written into a folder, on a free port, and collects what it prints."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import requests

WAIT_SECONDS_MAX = 40.0
HOST_JSON = {
    "version": "2.0",
    "extensionBundle": {"id": "Microsoft.Azure.Functions.ExtensionBundle", "version": "[4.*, 5.0.0)"},
}
CONTROL = {"x-emulator-control": "1"}


def write_app(
    root: Path,
    source: str,
    *,
    host: Mapping[str, Any] | None = None,
    values: Mapping[str, str] | None = None,
    local: Mapping[str, Any] | None = None,
) -> Path:
    """An app of `source` with its host.json (`host` added to a plain one) and local.settings.json."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "function_app.py").write_text(source, encoding="utf-8")
    (root / "host.json").write_text(json.dumps({**HOST_JSON, **(host or {})}), encoding="utf-8")
    settings = local or {"IsEncrypted": False, "Values": {"FUNCTIONS_WORKER_RUNTIME": "python", **(values or {})}}
    (root / "local.settings.json").write_text(json.dumps(settings), encoding="utf-8")
    return root


class RunningHost:
    """A host's process: `url` once it is ready, and every line it has printed."""

    def __init__(
        self, root: Path, *flags: str, environment: Mapping[str, str] | None = None, supervised: bool = True
    ) -> None:
        """Unless `supervised`, it is started as by hand: it does not end when its stdin does."""
        self.url = ""
        self.lines: list[str] = []
        self._heard = threading.Condition()
        self._ended = False
        command = [sys.executable, "-m", "emulators.functions_host", "start", "--port", "0"]
        self.process = subprocess.Popen(
            [*command, *(("--exit-when-stdin-closes",) if supervised else ()), *flags],
            cwd=root,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._heard:
                self.lines.append(line.rstrip("\n"))
                self._heard.notify_all()
        with self._heard:
            self._ended = True
            self._heard.notify_all()

    def until(self, text: str, *, times: int = 1) -> str:
        """The `times`-th line that holds `text`, waiting for it; fails when the process ends before."""

        def found() -> list[str]:
            return [line for line in self.lines if text in line]

        with self._heard:
            self._heard.wait_for(lambda: len(found()) >= times or self._ended, WAIT_SECONDS_MAX)
            assert len(found()) >= times, f"{text!r} was not printed {times} times:\n" + "\n".join(self.lines)
            return found()[times - 1]

    def until_ended(self) -> None:
        """Wait until every process that holds the host's stdout has ended: its workers too."""
        with self._heard:
            assert self._heard.wait_for(lambda: self._ended, WAIT_SECONDS_MAX), "\n".join(self.lines)
        self.end()

    def until_ready(self) -> RunningHost:
        """Wait for the ready line."""
        self.url = self.until("ready http").removeprefix("ready ")
        return self

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        """One HTTP request."""
        return requests.request(method, self.url + path, timeout=WAIT_SECONDS_MAX, **options)

    def turn_clock(self, seconds: float) -> None:
        """Advance the host's clock."""
        answer = self.call("POST", "/admin/emulator/clock", json={"advanceSeconds": seconds}, headers=CONTROL)
        answer.raise_for_status()

    def until_listening(self, function: str) -> None:
        """Wait until a function's listener has started: before that a turned clock is not noticed."""
        for _ in range(2000):
            if function in self.call("GET", "/admin/emulator/health").json()["listening"]:
                return
        raise AssertionError(f"{function} is not listened to:\n" + "\n".join(self.lines))

    def terminate(self) -> int:
        """Send SIGTERM and wait for its exit code."""
        self.process.terminate()
        return self.end()

    def end(self) -> int:
        """Close its stdin and wait for its exit code; everything it printed is then in `lines`."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        code = self.process.wait(WAIT_SECONDS_MAX)
        self._reader.join(WAIT_SECONDS_MAX)
        self.process.stdout.close()
        return code


@contextmanager
def running_host(root: Path, *flags: str, environment: Mapping[str, str] | None = None) -> Iterator[RunningHost]:
    """A host that is ready, ended afterwards."""
    host = RunningHost(root, *flags, environment=environment)
    try:
        yield host.until_ready()
    finally:
        host.end()


def failed_start(root: Path, *flags: str, environment: Mapping[str, str] | None = None) -> tuple[int, str]:
    """(exit code, everything printed) of a host that is expected to end by itself."""
    host = RunningHost(root, *flags, environment=environment)
    try:
        host.process.wait(WAIT_SECONDS_MAX)
    finally:
        code = host.end()
    return code, "\n".join(host.lines)


@contextmanager
def free_ports(count: int) -> Iterator[list[int]]:
    """Ports that nobody listens on; nobody else takes them within the block."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        yield [probe.getsockname()[1] for probe in probes]
