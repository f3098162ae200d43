"""`python -m emulators.functions_host start`: func start's own command line.

Knows flags and settings; the supervisor does the rest. A flag that is not built is refused by name.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from emulators.base.cli import EXIT_CANNOT_START, announce, port_number
from emulators.base.clock import Clock
from emulators.base.serving import Bind, PortTaken, listen
from emulators.base.tls import authority_directory, server_context, trust_line
from emulators.functions_host import settings as rules
from emulators.functions_host.console import LEVELS, Console
from emulators.functions_host.cors import Cors
from emulators.functions_host.errors import StartError
from emulators.functions_host.limits import PORT_DEFAULT, WORKER_PROCESSES_MAX, WORKER_START_SECONDS_MAX
from emulators.functions_host.order import StartOrder
from emulators.functions_host.settings import Configuration, LocalSettings
from emulators.functions_host.supervisor import Plan, Supervisor

CORE_TOOLS_VERSION = "4.2.0"
NOT_BUILT = ("--cert", "--password", "--runtime", "--enable-json-output", "--json-output-file", "--debug")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the process's exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words[:2] == ["host", "start"]:
        words.pop(0)
    for number, word in enumerate(words):
        if word == "--language-worker" and words[number + 1 : number + 2] == ["--"]:
            del words[number + 1]
            break
    options = _parser().parse_args(words)
    try:
        return _start(options)
    except (StartError, PortTaken) as failure:
        print(failure, file=sys.stderr)
        return EXIT_CANNOT_START


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m emulators.functions_host",
        description="Azure Functions host for Python v2 apps.",
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    start = commands.add_parser("start", help="run the app of the current directory", allow_abbrev=False)
    start.add_argument(
        "--port", "-p", type=port_number, help=f"default: Host.LocalHttpPort, else {PORT_DEFAULT}; 0: free"
    )
    start.add_argument("--address", help="address to listen on (default: Host.LocalHttpAddress, else 127.0.0.1)")
    start.add_argument("--cors", help="origins that may call, separated by commas")
    start.add_argument("--cors-credentials", action="store_true", help="allow cookies of those origins")
    start.add_argument("--timeout", "-t", type=_seconds, help="seconds that loading the app may take")
    start.add_argument("--useHttps", action="store_true", help="serve https with a certificate of the local authority")
    start.add_argument("--language-worker", metavar="ARGUMENTS", help="Python's arguments before the worker, quoted")
    start.add_argument("--enableAuth", action="store_true", help="demand keys as Azure does")
    start.add_argument("--functions", nargs="+", metavar="NAME", help="run these functions only")
    start.add_argument("--user-log-level", type=str.lower, choices=LEVELS, help="lowest level shown of functions' logs")
    start.add_argument("--verbose", action="store_true", help="show the host's own logs, and logs that Azure drops")
    start.add_argument("--no-build", action="store_true", help="accepted: there is nothing to build in Python")
    start.add_argument("--exit-when-stdin-closes", action="store_true", help="stop when stdin ends")
    for flag in NOT_BUILT:
        start.add_argument(flag, nargs="?", action=_NotBuilt, help=argparse.SUPPRESS)
    return parser


class _NotBuilt(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *rest: Any, **more: Any) -> None:
        """Refuse the flag by name."""
        parser.error(f"{'/'.join(self.option_strings)} of func start is not built into this host")


def _seconds(text: str) -> float:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds")
    return float(text)


def _start(options: argparse.Namespace) -> int:
    root = Path.cwd()
    console = Console(Clock())
    console.banner(CORE_TOOLS_VERSION)
    local = rules.read_local_settings(rules.find_local_settings(root), lambda text: console.always(text, "warning"))
    merged = rules.merge_environment(local, os.environ, lambda text: console.always(text, "warning"))
    rules.check_runtime(merged)
    if options.functions:
        merged |= {f"{rules.HOST_SECTION}__functions__{n}": name for n, name in enumerate(options.functions)}
    configuration = rules.read_host_json(root, merged)
    Cors(_origins(options, local), options.cors_credentials or local.cors_credentials)  # refused before anything runs
    address = options.address or local.address or "127.0.0.1"
    wanted = options.port if options.port is not None else local.port
    tls = None
    if options.useHttps:
        tls = server_context(authority_directory())
        print(f"trust this machine's authority: {trust_line(authority_directory())}", file=sys.stderr)
    bind = Bind(address, PORT_DEFAULT if wanted is None else wanted, tls)
    listener = listen(bind)
    bind = replace(bind, port=listener.getsockname()[1])
    environment = rules.host_environment(merged, root, bind.port)
    plan = _plan(options, local, configuration, environment, root, bind)

    async def run() -> int:
        supervisor = Supervisor(listener, plan, console, Clock())
        return await supervisor.run(lambda: announce(plan.order.url), exits_with_stdin=options.exit_when_stdin_closes)

    return asyncio.run(run())


def _plan(
    options: argparse.Namespace,
    local: LocalSettings,
    configuration: Configuration,
    environment: Mapping[str, str],
    root: Path,
    bind: Bind,
) -> Plan:
    user_level, system_level = _levels(options, configuration)
    order = StartOrder(
        url=bind.url(bind.port),
        address=bind.host,
        port=bind.port,
        https=options.useHttps,
        enable_auth=options.enableAuth,
        cors=_origins(options, local),
        cors_credentials=options.cors_credentials or local.cors_credentials,
        verbose=options.verbose,
        user_log_level=user_level,
        system_log_level=system_level,
        processes=_processes(environment),
    )
    try:
        arguments = tuple(shlex.split(options.language_worker or ""))
    except ValueError as refusal:
        raise StartError(f"--language-worker: {refusal}") from refusal
    return Plan(root, environment, arguments, options.timeout or WORKER_START_SECONDS_MAX, order)


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


def _processes(environment: Mapping[str, str]) -> int:
    text = environment.get("FUNCTIONS_WORKER_PROCESS_COUNT") or "1"
    if not text.isdecimal() or not 1 <= int(text) <= WORKER_PROCESSES_MAX:
        raise StartError(
            f"FUNCTIONS_WORKER_PROCESS_COUNT takes a number from 1 to {WORKER_PROCESSES_MAX}, got {text!r}."
        )
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
