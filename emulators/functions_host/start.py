"""`start`: reads settings, binds the port, and hands a plan to the supervisor. Never imports the app.

Precedence as Core Tools has it: flags, then the environment, then local.settings.json; host.json below all.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from emulators.base.cli import announce
from emulators.base.clock import Clock
from emulators.base.ids import Ids
from emulators.base.serving import Bind, PortTaken, listen
from emulators.functions_host import settings as rules
from emulators.functions_host.console import LEVELS, Console
from emulators.functions_host.cors import Cors
from emulators.functions_host.debugging import find_debugger, read_arguments
from emulators.functions_host.errors import StartError
from emulators.functions_host.limits import PORT_DEFAULT, WORKER_PROCESSES_MAX, WORKER_START_SECONDS_MAX
from emulators.functions_host.order import StartOrder
from emulators.functions_host.process import Plan
from emulators.functions_host.settings import Configuration, LocalSettings, Settings
from emulators.functions_host.supervisor import Supervisor
from emulators.functions_host.watch import changes, read_rules

CORE_TOOLS_VERSION = "4.2.0"
WORKER_ARGUMENTS = "languageWorkers:python:arguments"
WORKER_EXECUTABLE = "languageWorkers:python:defaultExecutablePath"
PROCESS_COUNT = "FUNCTIONS_WORKER_PROCESS_COUNT"


def start(options: argparse.Namespace) -> int:
    """Run the app of the current directory until stopped; the process's exit code. Raises StartError, PortTaken."""
    root = Path.cwd()
    console = Console(Clock())
    console.banner(CORE_TOOLS_VERSION)
    local = rules.read_local_settings(rules.find_local_settings(root), lambda text: console.always(text, "warning"))
    merged = rules.merge_environment(local, os.environ, lambda text: console.always(text, "warning"))
    rules.check_runtime(merged)
    if options.functions:
        merged |= {f"{rules.HOST_SECTION}__functions__{n}": name for n, name in enumerate(options.functions)}
    if options.enable_json_output:
        merged["FUNCTIONS_ENABLE_JSON_OUTPUT"] = "True"
    configuration = rules.read_host_json(root, merged)
    for ignored in rules.ignored_settings(configuration):
        console.always(f"host.json: {ignored} has no effect on this machine.", "warning")
    Cors(_origins(options, local), options.cors_credentials or local.cors_credentials)  # refused before anything runs
    bind = Bind(options.address or local.address or "127.0.0.1", _port(options, local))
    listener = _listen(bind)
    bind = replace(bind, port=listener.getsockname()[1])
    plan = _plan(options, local, configuration, rules.host_environment(merged, root, bind.port), root, bind)
    if plan.order.https and not plan.order.certificate:
        from emulators.functions_host.certificates import local_trust_line

        print(f"trust this machine's authority: {local_trust_line()}", file=sys.stderr)
    watched = read_rules(root, configuration)

    async def run() -> int:
        return await Supervisor(listener, plan, console, Clock()).run(
            lambda: announce(plan.order.url),
            exits_with_stdin=options.exit_when_stdin_closes,
            changes=None if watched is None else changes(watched),
        )

    return asyncio.run(run())


def _port(options: argparse.Namespace, local: LocalSettings) -> int:
    if options.port is not None:
        return int(options.port)
    return PORT_DEFAULT if local.port is None else local.port


def _listen(bind: Bind) -> socket.socket:
    try:
        return listen(bind)
    except PortTaken as failure:
        raise PortTaken(
            f"Port {bind.port} is unavailable. Close the process using that port, or specify another port using "
            f"--port [-p]. ({failure})"
        ) from failure


def _plan(
    options: argparse.Namespace,
    local: LocalSettings,
    configuration: Configuration,
    environment: Mapping[str, str],
    root: Path,
    bind: Bind,
) -> Plan:
    if (options.cert or options.password) and not options.useHttps:
        raise StartError("--cert and --password are for use with --useHttps.")
    settings = Settings(environment)
    _check_interpreter(settings)
    arguments = read_arguments(options.language_worker or settings.get(WORKER_ARGUMENTS) or "")
    debugger = find_debugger(arguments)
    user_level, system_level = _levels(options, configuration)
    scheme = "https" if options.useHttps else "http"
    order = StartOrder(
        url=bind.url(bind.port).replace("http", scheme, 1),
        address=bind.host,
        port=bind.port,
        https=options.useHttps,
        certificate=str(Path(options.cert).absolute()) if options.cert else "",
        certificate_password=options.password or "",
        enable_auth=options.enableAuth,
        cors=_origins(options, local),
        cors_credentials=options.cors_credentials or local.cors_credentials,
        verbose=options.verbose,
        user_log_level=user_level,
        system_log_level=system_level,
        json_output_file=str(Path(options.json_output_file).absolute()) if options.json_output_file else "",
        instance_id=Ids().guid(),
        processes=_processes(settings, is_debugging=debugger is not None),
    )
    # Whoever watches our stdin watches our exit code too, and wants to hear of a broken app by it.
    tolerates_failure = not options.exit_when_stdin_closes and configuration.flag("fileWatchingEnabled", default=True)
    return Plan(
        root,
        environment,
        arguments,
        options.timeout or WORKER_START_SECONDS_MAX,
        order,
        debugger,
        tolerates_failure,
    )


def _check_interpreter(settings: Settings) -> None:
    wanted = settings.get(WORKER_EXECUTABLE)
    if wanted and Path(wanted).resolve() != Path(sys.executable).resolve():
        raise StartError(
            f"{WORKER_EXECUTABLE} is {wanted}, but this host runs the app in the interpreter that it is installed in "
            f"({sys.executable}). Install it there, or remove the setting."
        )


def _origins(options: argparse.Namespace, local: LocalSettings) -> tuple[str, ...]:
    return local.cors if options.cors is None else rules.comma_separated(options.cors)


def _levels(options: argparse.Namespace, configuration: Configuration) -> tuple[str, str]:
    """(lowest level of functions' logs, lowest of the host's)."""
    default = configuration.text("logging:logLevel:default").lower()
    user = options.user_log_level or configuration.text("logging:logLevel:Function", default or "information").lower()
    system = "information" if options.verbose else "warning"
    for level in (default or user, user):
        if level not in LEVELS:
            raise StartError(f"host.json: logging.logLevel takes one of {list(LEVELS)}, got {level!r}.")
    return user, system


def _processes(settings: Settings, *, is_debugging: bool) -> int:
    text = settings.get(PROCESS_COUNT) or "1"
    if not text.isdecimal() or not 1 <= int(text) <= WORKER_PROCESSES_MAX:
        raise StartError(f"{PROCESS_COUNT} takes a number from 1 to {WORKER_PROCESSES_MAX}, got {text!r}.")
    if is_debugging and int(text) > 1:
        raise StartError(f"A debugger's port belongs to one process: remove {PROCESS_COUNT} or --language-worker.")
    return int(text)
