"""Servers as processes of their own, for as long as a block lasts."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Serving:
    """A running server."""

    url: str
    pid: int

    def memory_mib(self) -> float:
        """What it holds in memory now; 0 where the system does not tell."""
        return self._memory_mib("VmRSS")

    def peak_mib(self) -> float:
        """The most that it ever held; 0 where the system does not tell."""
        return self._memory_mib("VmHWM")

    def _memory_mib(self, line_name: str) -> float:
        try:
            status = Path(f"/proc/{self.pid}/status").read_text(encoding="utf-8")
        except OSError:
            return 0.0
        return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith(line_name))

    def cpu_seconds(self) -> float:
        """User and system time that it has used, as /proc tells it (Linux)."""
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def serving(*command: str) -> Iterator[Serving]:
    """A server that says `ready URL`; it ends with the block."""
    process = subprocess.Popen(
        [sys.executable, "-m", *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdin
    assert process.stdout
    with process, process.stdout, process.stdin:
        yield Serving(process.stdout.readline().split()[1], process.pid)
        process.stdin.close()
        process.wait()
