"""The real Azurite for tests, with throw-away data."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local.azurite import Announcement, StorageAddress, command

ANYWHERE = StorageAddress(0, 0, 0)


@contextmanager
def running_azurite(data: Path, address: StorageAddress = ANYWHERE) -> Iterator[StorageAddress]:
    """Yield where it listens (on free ports, unless told); it ends with the block, or with this process."""
    process = subprocess.Popen(command(address, data), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin
    assert process.stdout
    announcement = Announcement()
    heard = []
    for line in process.stdout:
        heard.append(line)
        if announcement.hear(line):
            break
    else:
        raise AssertionError("Azurite ended before it listened:\n" + "".join(heard))
    with process, process.stdin, process.stdout:
        yield announcement.address
        process.stdin.close()
        process.stdout.read()
