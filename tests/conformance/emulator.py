"""An emulator in a process of its own, for suites that run outside pytest."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

STOP_SECONDS_MAX = 30


@contextmanager
def running(room: str, log: Path, *, https: bool = False, flags: Sequence[str] = ()) -> Iterator[str]:
    """Yield the URL of the emulator of that `room`, started with those `flags`.

    By the name localhost: the official suites of Cosmos DB tell two regions apart by localhost and 127.0.0.1.
    """
    command = [sys.executable, "-m", f"emulators.{room}", "--port", "0", "--exit-when-stdin-closes", *flags]
    if https:
        command.append("--https")
    with log.open("w", encoding="utf-8") as errors:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line.startswith("ready "):
            raise SystemExit(f"the emulator did not start; see {log}")
        yield f"{'https' if https else 'http'}://localhost:{line.strip().rpartition(':')[2]}/"
    finally:
        process.terminate()
        process.wait(timeout=STOP_SECONDS_MAX)
