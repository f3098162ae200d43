"""What `--language-worker` arguments ask of a debugger: where it will listen, whether it is waited for.

A debugger's port belongs to one process: with one, the host runs one worker and restarts it in place.
"""

from __future__ import annotations

import os
import shlex
import socket
from collections.abc import Sequence
from dataclasses import dataclass

from emulators.functions_host.errors import StartError


@dataclass(frozen=True)
class Debugger:
    """A debugger that listens in the worker."""

    address: str
    port: int
    waits: bool
    """Whether the worker runs nothing until somebody attaches."""


def read_arguments(text: str) -> tuple[str, ...]:
    """Python's arguments before the worker's module. Raises StartError."""
    try:
        return tuple(shlex.split(text))
    except ValueError as refusal:
        raise StartError(f"--language-worker: {refusal}") from refusal


def find_debugger(arguments: Sequence[str]) -> Debugger | None:
    """The debugger that `arguments` start: `-m debugpy --listen [ADDRESS:]PORT`, or the older ptvsd. Or none."""
    if not {"debugpy", "ptvsd"} & set(arguments):
        return None
    endpoint = _value_after("--listen", arguments) or _value_after("--port", arguments) or ""
    address, _, port = endpoint.rpartition(":")
    if not port.isdecimal():
        raise StartError(
            "--language-worker: give the debugger a port of this machine to listen on, "
            'for example "-m debugpy --listen 127.0.0.1:9091".'
        )
    return Debugger(
        address or _value_after("--host", arguments) or "127.0.0.1", int(port), "--wait-for-client" in arguments
    )


def port_is_free(debugger: Debugger) -> bool:
    """Whether the debugger of a new worker could listen now."""
    family = socket.AF_INET6 if ":" in debugger.address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        if os.name == "posix":  # as debugpy binds it: what is left of closed connections does not count
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((debugger.address, debugger.port))
        except OSError:
            return False
    return True


def _value_after(flag: str, arguments: Sequence[str]) -> str | None:
    for number, word in enumerate(arguments[:-1]):
        if word == flag:
            return arguments[number + 1]
    return None
