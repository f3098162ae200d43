"""What the supervisor tells a worker process when it starts, and how sockets change hands.

The order comes first on the worker's stdin, which then stays open: its end tells the worker to drain and exit.
"""

from __future__ import annotations

import base64
import json
import os
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from emulators.functions_host.limits import START_ORDER_BYTES_MAX

LENGTH_DIGITS = 8


@dataclass(frozen=True)
class StartOrder:
    """Everything a worker needs beyond its environment and its current directory, which is the app's root."""

    url: str
    address: str
    port: int
    https: bool
    enable_auth: bool
    cors: tuple[str, ...]
    cors_credentials: bool
    verbose: bool
    user_log_level: str
    system_log_level: str
    processes: int
    instance_id: str = ""
    certificate: str = ""
    """A PFX file to serve https with, instead of a certificate of the local authority."""
    certificate_password: str = ""
    json_output_file: str = ""
    listener: Mapping[str, Any] = field(default_factory=dict)
    """The socket that all workers listen on, or empty: connections then come by `doorway`."""
    doorway: Mapping[str, Any] = field(default_factory=dict)
    control: Mapping[str, Any] = field(default_factory=dict)
    number: int = 0
    """Which of the host's workers this is: the first one prints the list of functions."""
    tolerates_failure: bool = False
    """Serve without functions when the app cannot be indexed, as the real host does."""

    @property
    def root(self) -> Path:
        """The app's root."""
        return Path.cwd()

    def encode(self) -> bytes:
        """The order as it is written to stdin: its length, then JSON."""
        body = json.dumps(asdict(self)).encode()
        return f"{len(body):0{LENGTH_DIGITS}d}".encode() + body


def read_order() -> StartOrder | None:
    """The order at stdin, and not a byte more; None when stdin ends before: this worker was not needed.

    Raises ValueError when the order is not whole.
    """
    first = os.read(0, 1)
    if not first:
        return None
    text = first + _read_exactly(LENGTH_DIGITS - 1)
    if not text.isdigit() or int(text) > START_ORDER_BYTES_MAX:
        raise ValueError("a worker is started by the supervisor only: python -m emulators.functions_host start")
    document = json.loads(_read_exactly(int(text)))
    return StartOrder(**{**document, "cors": tuple(document["cors"])})


def _read_exactly(size: int) -> bytes:
    parts = b""
    while len(parts) < size:
        part = os.read(0, size - len(parts))
        if not part:
            raise ValueError("the supervisor went away before its order was whole")
        parts += part
    return parts


def hand_over(endpoint: socket.socket) -> Callable[[int], Mapping[str, Any]]:
    """How to name `endpoint` to a child, once its process id is known. On POSIX the child must inherit its fd."""

    def name(pid: int) -> Mapping[str, Any]:
        if sys.platform == "win32":
            return {"share": base64.b64encode(endpoint.share(pid)).decode()}
        return {"fd": endpoint.fileno()}

    return name


def take_over(name: Mapping[str, Any]) -> socket.socket:
    """The socket that a parent has named."""
    if sys.platform == "win32":
        taken = socket.fromshare(base64.b64decode(name["share"]))
    else:
        taken = socket.socket(fileno=name["fd"])
    taken.setblocking(False)
    taken.set_inheritable(False)  # it is this process's, not that of what the app starts
    return taken
