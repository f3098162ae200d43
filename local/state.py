"""What a running stack leaves beside its data, so that `wait`, `replay`, `seed` and `reset` find it; and its lock."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path


class DataInUse(Exception):
    """Another stack runs on the same data. The text says what to do."""


@dataclass(frozen=True, slots=True)
class StackState:
    """Addresses and process ids by service, the app's settings that point at them, the keys that the host demands."""

    urls: dict[str, str]
    settings: dict[str, str]
    processes: dict[str, int]
    function_key: str | None = None
    webhook_key: str | None = None

    @staticmethod
    def file(data: Path) -> Path:
        """Where the state of the stack on `data` is kept; there only while the stack is ready."""
        return data / "up.json"

    def write(self, file: Path) -> None:
        """Write it whole, readable by this user only."""
        unfinished = file.with_suffix(".new")
        unfinished.touch(mode=0o600)
        unfinished.write_text(json.dumps(asdict(self), indent=2), encoding="utf-8")
        unfinished.replace(file)

    @classmethod
    def read(cls, data: Path) -> StackState | None:
        """The state of the stack on `data`, or None when none is ready there."""
        try:
            return cls(**json.loads(cls.file(data).read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None


@contextlib.contextmanager
def data_lock(data: Path) -> Iterator[None]:
    """Hold `data` for this process; the kernel lets go of it however the process ends. Raises DataInUse."""
    data.mkdir(parents=True, exist_ok=True)
    with (data / "lock").open("a+b") as file:
        try:
            _lock(file.fileno())
        except OSError as held:
            raise DataInUse(
                f"Another stack runs on {data}. Stop it, or give this one its own with --data DIR."
            ) from held
        yield


def _lock(handle: int) -> None:
    if sys.platform == "win32":
        import msvcrt

        os.lseek(handle, 0, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
