"""Functions' logs and prints, by the worker's rules: what is written within an invocation is shown, the rest is not.

A record belongs to an invocation when it is made on the loop in that invocation's task (or one started from it), or
in a thread whose `context.thread_local_storage.invocation_id` names it. Must not know triggers or HTTP.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import logging
import re
import threading
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import TextIO

from emulators.functions_host.console import Console

SYSTEM_LOGGERS = ("azure_functions_worker", "azure.functions", "emulators.functions_host")
STDERR_ERRORS = re.compile(r"error|fail|severe|unhandled exception", re.IGNORECASE)

thread_storage = threading.local()
"""What functions see as `context.thread_local_storage`."""
task_invocation: ContextVar[str] = ContextVar("task_invocation", default="")
THE_HOST = "the host"
"""Stands for an invocation where the host works for itself: no record of that is the app's."""


def current_invocation() -> str:
    """The invocation that the running code belongs to, or empty."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return getattr(thread_storage, "invocation_id", None) or ""
    return task_invocation.get()


@contextlib.contextmanager
def outside_invocations() -> Iterator[None]:
    """While open, records of this task are dropped: what the host does is not the function's to tell."""
    token = task_invocation.set(THE_HOST)
    try:
        yield
    finally:
        task_invocation.reset(token)


class InvocationLogs(logging.Handler):
    """Shows records of invocations that are running; the others are dropped, as the host drops them.

    With `strays` they are shown too (`--verbose`), marked as what Azure would not show.
    """

    def __init__(self, console: Console, *, strays: bool) -> None:
        super().__init__()
        self._console = console
        self._strays = strays
        self._running: dict[str, str] = {}

    @contextlib.contextmanager
    def invocation(self, invocation_id: str, function: str) -> Iterator[None]:
        """While open, records of this invocation are shown."""
        self._running[invocation_id] = function
        token = task_invocation.set(invocation_id)
        try:
            yield
        finally:
            task_invocation.reset(token)
            del self._running[invocation_id]

    def emit(self, record: logging.LogRecord) -> None:
        """Show or drop one record."""
        level = _level_name(record.levelno)
        invocation = current_invocation()
        if record.name.startswith(SYSTEM_LOGGERS):
            self._console.system(level, self.format(record))
        elif invocation in self._running:
            self._console.user(level, self.format(record))
        elif self._strays and invocation != THE_HOST:
            self._console.system(level, f"(outside any invocation, not shown on Azure) {self.format(record)}")


class JsonLines:
    """Takes the lines that a worker marks as JSON for tools: to a file, or to the console without a timestamp."""

    MARK = "azfuncjsonlog:"

    def __init__(self, console: Console, file: str = "") -> None:
        self._console = console
        self._file = file
        self._lock = threading.Lock()

    def write(self, line: str) -> None:
        """Show or append one line, its mark taken off."""
        text = line[len(self.MARK) :]
        if not self._file:
            self._console.plain(text)
            return
        with self._lock, Path(self._file).open("a", encoding="utf-8") as file:
            file.write(text + "\n")


class ConsoleStream(io.TextIOBase):
    """Stands in for sys.stdout or sys.stderr: whole lines go to the console as the host shows a worker's output."""

    def __init__(self, console: Console, under: TextIO, json_lines: JsonLines, *, is_stderr: bool) -> None:
        self._console = console
        self._under = under
        self._json_lines = json_lines
        self._is_stderr = is_stderr
        self._rest = ""
        self._lock = threading.RLock()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The encoding of the stream underneath."""
        return self._under.encoding

    @property
    def buffer(self) -> io.BufferedIOBase:
        """Bytes written here go out as they are."""
        return self._under.buffer  # type: ignore[return-value]

    def fileno(self) -> int:
        """The file descriptor underneath: subprocesses write there."""
        return self._under.fileno()

    def isatty(self) -> bool:
        """As the stream underneath: a debugger or a colour library asks."""
        return self._under.isatty()

    def writable(self) -> bool:
        """Always."""
        return True

    def write(self, text: str) -> int:
        """Show each whole line; keep the rest until it is whole or flushed."""
        with self._lock:
            *lines, self._rest = (self._rest + text).split("\n")
            for line in lines:
                self._show(line)
        return len(text)

    def flush(self) -> None:
        """Show what was written without an end of line."""
        with self._lock:
            rest, self._rest = self._rest, ""
            if rest:
                self._show(rest)

    def _show(self, line: str) -> None:
        if line.lower().startswith(JsonLines.MARK):
            self._json_lines.write(line)
        elif line.startswith("LanguageWorkerConsoleLog"):
            self._console.system("information", line.removeprefix("LanguageWorkerConsoleLog"))
        elif self._is_stderr and "warn" in line.lower():
            self._console.user("warning", line)
        elif self._is_stderr and STDERR_ERRORS.search(line):
            self._console.user("error", line)
        else:
            self._console.user("information", line)


def _level_name(number: int) -> str:
    if number >= logging.CRITICAL:
        return "critical"
    if number >= logging.ERROR:
        return "error"
    if number >= logging.WARNING:
        return "warning"
    return "information" if number >= logging.INFO else "debug"
