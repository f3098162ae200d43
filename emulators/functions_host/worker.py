"""One worker process: takes an order on stdin, imports the app, serves, drains, exits.

Started by the supervisor only, which it meets on its channel: it tells `loaded` once the app is imported or could not
be, then obeys `serve`, `listen` (start what is not HTTP), `leave` (take no further connection, finish what is begun),
`drain` (stop what is not HTTP) and answers what it is asked. The end of stdin is `leave` too.
"""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
import sys
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from emulators.base.clock import Clock
from emulators.base.serving import Bind, run_loop, serve, stop_when_stdin_closes
from emulators.functions_host.application import Flags, Host
from emulators.functions_host.channel import Channel, open_channel
from emulators.functions_host.console import Console
from emulators.functions_host.cors import Cors
from emulators.functions_host.errors import AppNotIndexed, StartError
from emulators.functions_host.index import Function, index_functions, load_app
from emulators.functions_host.logs import ConsoleStream, InvocationLogs, JsonLines
from emulators.functions_host.order import StartOrder, read_order, take_over
from emulators.functions_host.settings import Settings, read_host_json
from emulators.functions_host.supervision import Supervised
from emulators.functions_host.watch import APP_OFFLINE

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
    return 0 if order is None else Worker(order).run()


class Worker:
    """The life of one worker process."""

    def __init__(self, order: StartOrder) -> None:
        self._order = order
        self._listeners = [take_over(order.listener)] if order.listener else []
        self._doorway = take_over(order.doorway) if order.doorway else None
        self._clock = Clock()
        self._console = Console(Clock(), minimum=order.system_log_level, user_minimum=order.user_log_level)
        self._host: Host | None = None
        self._supervision: Supervised | None = None
        self._may_serve = asyncio.Event()
        self._serves = asyncio.Event()
        self._stop = asyncio.Event()
        self._has_left = asyncio.Event()

    def run(self) -> int:
        """Serve; 0 after draining, 1 when the app cannot be loaded."""
        json_lines = JsonLines(self._console, self._order.json_output_file)
        sys.stdout = ConsoleStream(self._console, sys.stdout, json_lines, is_stderr=False)
        sys.stderr = ConsoleStream(self._console, sys.stderr, json_lines, is_stderr=True)
        code = run_loop(self._live())
        sys.stdout.flush()
        sys.stderr.flush()
        if self._host is not None and self._host.outstanding:
            os._exit(code)  # a thread that a function does not give back would keep the process for ever
        return code

    async def _live(self) -> int:
        stop_when_stdin_closes(self._stop)  # before the app is imported: it may block, and its supervisor be gone
        channel = await open_channel(take_over(self._order.control), self._asked)
        self._supervision = Supervised(channel.ask)
        try:
            return await self._load_and_serve(channel)
        finally:
            await channel.close()

    async def _load_and_serve(self, channel: Channel) -> int:
        order = self._order
        try:
            host, wrong = self._load()
            tls = server_tls(order)
        except StartError as failure:
            report = failure.report if isinstance(failure, AppNotIndexed) else ""
            await channel.ask("loaded", serves=False, failed=str(failure), report=report)
            return EXIT_NOT_STARTED
        self._host = host
        report = wrong.report if wrong else ""
        await channel.tell("loaded", serves=True, failed=str(wrong or ""), report=report)
        if not await self._is_to_serve():
            return 0
        await serve(
            replace(host.application(), stopping=self._has_left.set),
            self._listeners,
            Bind(order.address, order.port, tls),
            ready=self._announce,
            stop=self._stop,
            doorway=self._doorway,
        )
        return 0

    def _load(self) -> tuple[Host, AppNotIndexed | None]:
        """The host of the app; without functions, and why, where that is tolerated. Raises StartError."""
        order = self._order
        environment = dict(os.environ)
        settings = Settings(environment)
        configuration = read_host_json(order.root, environment, write=False)
        logs = self._take_over_logging()
        wrong: AppNotIndexed | None = None
        functions: list[Function] = []
        try:
            if not (order.root / APP_OFFLINE).exists():
                functions = index_functions(load_app(order.root, settings), settings, configuration)
        except AppNotIndexed as failure:
            if not order.tolerates_failure:
                raise
            wrong = failure
        flags = Flags(
            url=order.url,
            enable_auth=order.enable_auth,
            cors=Cors(order.cors, order.cors_credentials),
            processes=order.processes,
            number=order.number,
            instance_id=order.instance_id,
        )
        host = Host(
            order.root,
            environment,
            configuration,
            flags,
            self._console,
            logs,
            functions=functions,
            failure=wrong,
            clock=self._clock,
            supervision=self._supervision,
        )
        return host, wrong

    def _take_over_logging(self) -> InvocationLogs:
        """Before the app is imported, or its first warning configures logging."""
        logs = InvocationLogs(self._console, strays=self._order.verbose)
        logging.getLogger().addHandler(logs)
        is_debugging = self._order.user_log_level in ("trace", "debug")
        logging.getLogger().setLevel(logging.DEBUG if is_debugging else logging.INFO)
        for chatty in CHATTY:
            logging.getLogger(chatty).setLevel(logging.WARNING)
        return logs

    async def _is_to_serve(self) -> bool:
        waits = [asyncio.create_task(each.wait()) for each in (self._may_serve, self._stop)]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for each in waits:
            each.cancel()
        return self._may_serve.is_set()

    def _announce(self) -> None:
        self._serves.set()
        if self._order.number == 0 and self._host is not None:
            registry = self._host.registry
            self._console.always("Worker process started and initialized.")
            for each in registry.functions:
                if each.error:
                    self._console.always(f"The '{each.name}' function is in error: {each.error}", "error")
            shown = self._order.url.replace("127.0.0.1", "localhost")
            self._console.functions(shown, registry.listed(), verbose=self._order.verbose)

    async def _asked(self, kind: str, members: Mapping[str, Any]) -> Any:
        host = self._host
        assert host is not None, "asked before it told that it has loaded"
        match kind:
            case "serve":
                self._take_state(members)
                self._may_serve.set()
                await self._serves.wait()
            case "state":
                self._take_state(members)
            case "listen":
                host.listen()
            case "leave":
                self._stop.set()
                await self._has_left.wait()
            case "drain":
                await host.drain()
            case "keys_changed":
                await host.reload_keys()
            case "health":
                return host.health()
            case "activity":
                return asdict(host.activity())
        return None

    def _take_state(self, members: Mapping[str, Any]) -> None:
        assert self._supervision is not None
        self._supervision.has_fault_rules = members["has_fault_rules"]
        if (behind := members["ahead_seconds"] - self._clock.offset_seconds) > 0:
            self._clock.advance(behind)


def server_tls(order: StartOrder) -> ssl.SSLContext | None:
    """The certificate to serve with: the given one, or one of the local authority. Raises StartError."""
    if not order.https:
        return None
    from emulators.functions_host import certificates  # cryptography takes its time to import

    if order.certificate:
        return certificates.pfx_context(order.certificate, order.certificate_password)
    return certificates.local_context()


if __name__ == "__main__":
    sys.exit(main())
