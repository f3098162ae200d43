"""One worker process: takes an order on stdin, imports the app, serves on the inherited socket, drains, exits.

Started by the supervisor only. It reports on its control socket: one JSON line, `{"ready": true}` or
`{"failed": …, "report": …}`; the line `listen` that comes back lets it start what is not HTTP.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import sys

from emulators.base.clock import Clock
from emulators.base.serving import Bind, run_loop, serve, stop_when_stdin_closes
from emulators.base.tls import authority_directory, server_context
from emulators.functions_host.application import Flags, Host
from emulators.functions_host.console import Console
from emulators.functions_host.cors import Cors
from emulators.functions_host.errors import AppNotIndexed, StartError
from emulators.functions_host.logs import ConsoleStream, InvocationLogs
from emulators.functions_host.order import StartOrder, read_order, take_over
from emulators.functions_host.settings import read_host_json

EXIT_NOT_STARTED = 1
CHATTY = ("asyncio", "uvicorn")
"""Loggers of our own machinery, which the real worker does not have."""


def main() -> int:
    """Serve until stdin ends; the process's exit code."""
    try:
        order = read_order()
    except ValueError as refusal:
        print(refusal, file=sys.stderr)
        return EXIT_NOT_STARTED
    return Worker(order).run()


class Worker:
    """The life of one worker process."""

    def __init__(self, order: StartOrder) -> None:
        self._order = order
        self._listener = take_over(order.listener)
        self._control = take_over(order.control)
        self._console = Console(Clock(), minimum=order.system_log_level, user_minimum=order.user_log_level)
        self._host: Host | None = None
        self._listening: asyncio.Task[None] | None = None

    def run(self) -> int:
        """Serve; 0 after draining, 1 when the app cannot be loaded."""
        sys.stdout = ConsoleStream(self._console, sys.stdout, is_stderr=False)
        sys.stderr = ConsoleStream(self._console, sys.stderr, is_stderr=True)
        try:
            run_loop(self._serve())
        except StartError as failure:
            report = failure.report if isinstance(failure, AppNotIndexed) else ""
            self._control.setblocking(True)
            self._control.sendall(json.dumps({"failed": str(failure), "report": report}).encode() + b"\n")
            return EXIT_NOT_STARTED
        sys.stdout.flush()
        sys.stderr.flush()
        if self._host is not None and self._host.outstanding:
            os._exit(0)  # a thread that a function does not give back would keep the process for ever
        return 0

    async def _serve(self) -> None:
        order = self._order
        stop = asyncio.Event()
        stop_when_stdin_closes(stop)  # before the app is imported: it may block, and its supervisor be gone
        flags = Flags(
            url=order.url,
            enable_auth=order.enable_auth,
            cors=Cors(order.cors, order.cors_credentials),
            processes=order.processes,
        )
        environment = dict(os.environ)
        configuration = read_host_json(order.root, environment, write=False)
        logs = InvocationLogs(self._console, strays=order.verbose)
        logging.getLogger().addHandler(logs)  # before the app is imported, or its first warning configures logging
        logging.getLogger().setLevel(logging.DEBUG if order.user_log_level in ("trace", "debug") else logging.INFO)
        for chatty in CHATTY:
            logging.getLogger(chatty).setLevel(logging.WARNING)
        self._host = Host(order.root, environment, configuration, flags, self._console, logs)
        tls = server_context(authority_directory()) if order.https else None
        bind = Bind(order.address, order.port, tls)
        await serve(self._host.application(), [self._listener], bind, ready=self._ready, stop=stop)
        if self._listening is not None:
            self._listening.cancel()

    def _ready(self) -> None:
        assert self._host is not None
        if self._order.announces:
            registry = self._host.registry
            self._console.always("Worker process started and initialized.")
            for each in registry.functions:
                if each.error:
                    self._console.always(f"The '{each.name}' function is in error: {each.error}", "error")
            shown = self._order.url.replace("127.0.0.1", "localhost")
            self._console.functions(shown, registry.listed(), verbose=self._order.verbose)
        self._listening = asyncio.get_running_loop().create_task(self._follow(self._control))

    async def _follow(self, control: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(control, json.dumps({"ready": True}).encode() + b"\n")
        word = await loop.sock_recv(control, 16)
        if word.strip() == b"listen" and self._host is not None:
            self._host.listen()


if __name__ == "__main__":
    sys.exit(main())
