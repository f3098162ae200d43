"""What a user of `func` sees on stdout: timestamps, colours, the banner and the list of functions.

Lines are written at once and whole, so that what several processes write does not mix within a line.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from emulators.base.clock import Clock

LEVELS = ("trace", "debug", "information", "warning", "error", "critical", "none")
COLOURS = {"trace": 32, "debug": 32, "information": 36, "warning": 33, "error": 31, "critical": 31}
GREY, YELLOW, BRIGHT_YELLOW, GREEN = 90, 33, 93, 32


def level_number(name: str) -> int:
    """The rank of a log level's name, case-insensitively. Raises ValueError for one that .NET does not know."""
    return LEVELS.index(name.lower())


@dataclass(frozen=True)
class Listed:
    """A function as it is listed: `kind` is its trigger's type, `route` None unless that is HTTP."""

    name: str
    kind: str
    methods: tuple[str, ...]
    route: str | None
    disabled: bool


class Console:
    """Writes lines to what is stdout now; `minimum` and `user_minimum` are the lowest levels shown of host and user."""

    def __init__(
        self,
        clock: Clock,
        *,
        minimum: str = "warning",
        user_minimum: str = "information",
    ) -> None:
        self._clock = clock
        self._stream = sys.stdout
        self._minimum = level_number(minimum)
        self._user_minimum = level_number(user_minimum)
        self._lock = threading.Lock()
        self._second = (0.0, "")
        """The second that was written last, and how: most lines share it."""
        self._colours = self._stream.isatty() and not os.environ.get("NO_COLOR")

    def user(self, level: str, text: str) -> None:
        """A line of the user's own category: functions' logs, prints, executing and executed."""
        if level_number(level) >= self._user_minimum:
            self._line(level, text)

    def system(self, level: str, text: str) -> None:
        """A line of the host's categories."""
        if level_number(level) >= self._minimum:
            self._line(level, text)

    def always(self, text: str, level: str = "information") -> None:
        """A line that no level hides."""
        self._line(level, text)

    def plain(self, text: str = "", colour: int | None = None) -> None:
        """A line without a timestamp: banner and lists."""
        self._write(self._paint(text, colour) + "\n")

    def _line(self, level: str, text: str) -> None:
        second, fraction = divmod(self._clock.now(), 1)
        if second != self._second[0]:
            self._second = (second, f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%S}")
        stamp = self._paint(f"[{self._second[1]}.{int(fraction * 1000):03d}Z] ", GREY)
        self._write("".join(f"{stamp}{self._paint(line, COLOURS[level])}\n" for line in text.split("\n")))

    def _paint(self, text: str, colour: int | None) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if self._colours and colour and text else text

    def _write(self, text: str) -> None:
        with self._lock:
            self._stream.write(text)
            self._stream.flush()

    def banner(self, version: str) -> None:
        """What is printed before anything else."""
        self.plain()
        self.plain("Azure Functions Core Tools (local emulator)")
        self.plain(f"Core Tools Version:       {version} (64-bit)", GREY)
        self.plain("Function Runtime Version: 4.x", GREY)
        self.plain()

    def functions(self, url: str, functions: Iterable[Listed], *, verbose: bool) -> None:
        """The list of functions, HTTP first, then the rest, then the disabled ones."""
        listed = list(functions)
        if not listed:
            self.always("No job functions found. Try making your job classes and methods public.", "warning")
        enabled = [each for each in listed if not each.disabled]
        if enabled:
            self.plain()
            self.plain("Functions:", YELLOW)
            self.plain()
        for each in (function for function in enabled if function.route is not None):
            methods = f"[{','.join(each.methods)}] " if each.methods else ""
            address = self._paint(f"{methods}{url}/{each.route}", GREEN)
            self._write(f"\t{self._paint(each.name + ':', YELLOW)} {address}\n\n")
        for each in (function for function in enabled if function.route is None):
            self._write(f"\t{self._paint(each.name + ':', BRIGHT_YELLOW)} {each.kind}\n\n")
        for each in listed:
            if each.disabled:
                self.plain(f"Function {each.name} is disabled.", YELLOW)
        if not verbose:
            self.plain("For detailed output, run func with --verbose flag.", GREY)
