"""The command line of the whole: `python -m local VERB`.

Starts on any Python 3.11 to 3.13: the first thing it does is make the environment in .venv and go on in it, so only
the standard library may be imported up here.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from local.environment import ROOT, SetupFailed, enter_environment, install_azurite

if TYPE_CHECKING:
    from local.stack import Options

DATA = ROOT / ".data"
EXIT_FAILED = 1
USUAL_PORTS = {"cosmos": 8081, "eventgrid": 6500, "functions": 7071, "blob": 10000, "queue": 10001, "table": 10002}
"""For --help alone: `local.stack.Ports` decides, and may not be imported before the environment is there."""


def main(arguments: list[str]) -> int:
    """Run one verb; the process's exit code."""
    parser = _parser()
    parsed, rest = parser.parse_known_args(arguments)
    if rest and parsed.verb not in ("test", "bench", "conformance"):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    try:
        enter_environment(arguments)
        if parsed.verb in ("setup", "up", "demo"):
            install_azurite()
        return _run(parsed, rest)
    except SetupFailed as failure:
        print(f"\n{failure}", file=sys.stderr)
        return EXIT_FAILED
    except KeyboardInterrupt:
        return 130


def _run(parsed: argparse.Namespace, rest: list[str]) -> int:
    from local import project_verbs

    match parsed.verb:
        case "setup":
            return 0
        case "check":
            return project_verbs.check()
        case "requirements":
            project_verbs.export_requirements()
            return 0
        case "test":
            return project_verbs.test(rest)
        case "conformance":
            return project_verbs.conformance(rest)
        case "bench":
            return project_verbs.bench(rest)
    return _run_stack_verb(parsed)


def _run_stack_verb(parsed: argparse.Namespace) -> int:
    began = time.perf_counter()  # set-up is over: what follows is what every start takes
    from aiohttp import ClientError
    from rich.console import Console

    from local import stack_verbs
    from local.bicep import BicepRefused
    from local.bicep_topology import read_bicep_topology
    from local.demo import demo
    from local.load import RaceTooLong
    from local.orders_file import OrdersFileError
    from local.provision import ProvisioningFailed
    from local.state import DataInUse
    from local.supervisor import ServiceFailed
    from local.topology import read_topology
    from local.up import PortsTaken, up
    from operations.errors import EXPECTED, advice

    expected = (
        RaceTooLong,
        PortsTaken,
        DataInUse,
        ServiceFailed,
        ProvisioningFailed,
        BicepRefused,
        FileNotFoundError,
        OrdersFileError,
        stack_verbs.NotRunning,
        ClientError,
        *EXPECTED,
    )
    try:
        match parsed.verb:
            case "up":
                asyncio.run(up(_options(parsed), began))
                return 0
            case "demo":
                topology = read_bicep_topology(parsed.bicep) if parsed.bicep else read_topology()
                return asyncio.run(demo(Console(), topology, enable_auth=parsed.enable_auth, https=parsed.https))
            case "replay":
                return asyncio.run(stack_verbs.run_replay(parsed))
            case "seed":
                return asyncio.run(stack_verbs.run_seed(parsed))
            case "reset":
                return asyncio.run(stack_verbs.run_reset(parsed))
            case "chaos":
                from local.chaos.run import chaos

                settings = {name: getattr(parsed, name) for name in ("minutes", "seed", "kill_share")}
                return asyncio.run(chaos(**settings, as_json=parsed.json))
            case "backlog":
                from local.load.backlog import backlog

                return asyncio.run(backlog(events=parsed.events, seed=parsed.seed, as_json=parsed.json))
            case "race":
                from local.load.race import race

                figures = {name: getattr(parsed, name) for name in ("commands", "orders", "clients")}
                return asyncio.run(race(**figures, as_json=parsed.json))
            case _:
                return asyncio.run(stack_verbs.run_wait(parsed))
    except expected as failure:
        print(f"\n{advice(failure) if isinstance(failure, EXPECTED) else failure}", file=sys.stderr)
        return EXIT_FAILED


def _options(parsed: argparse.Namespace) -> Options:
    from local.stack import Options, Ports, free_ports
    from local.topology import read_topology

    ports = free_ports() if parsed.free_ports else Ports()
    chosen = {name: getattr(parsed, f"{name}_port") for name in USUAL_PORTS}
    given = {name: port for name, port in chosen.items() if port is not None}
    return Options(
        data=parsed.data.resolve(),
        fresh=parsed.fresh,
        ports=replace(ports, **given),
        without=frozenset(parsed.without),
        enable_auth=parsed.enable_auth,
        https=parsed.https,
        app=parsed.app.resolve(),
        debug=parsed.debug,
        topology=read_topology(parsed.topology) if parsed.topology else read_topology(),
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m local",
        description="The order service on local Azure: Cosmos DB, Event Grid, the Functions host and Azurite.",
        epilog="Start with `python -m local up`, paste the curl line that it prints, stop with Ctrl-C.",
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    up = verbs.add_parser("up", help="run everything until Ctrl-C")
    _up_arguments(up)
    demo = verbs.add_parser(
        "demo", help="send a handful of updates through a throw-away stack and show all three sides"
    )
    _security_arguments(demo)
    demo.add_argument(
        "--from",
        dest="bicep",
        type=Path,
        metavar="FILE",
        help="provision what this Bicep file says instead of local/topology.toml, for example infra/main.bicep",
    )
    replay = verbs.add_parser(
        "replay", help="replay a file of orders through the running service and compare both sides"
    )
    replay.add_argument("file", type=Path, help="CSV in the Olist shape, or NDJSON of {orderId, status}")
    replay.add_argument(
        "--concurrency", type=_positive, default=16, help="orders under way at once (default %(default)s)"
    )
    replay.add_argument("--orders", type=_positive, help="replay the first N orders only")
    replay.add_argument(
        "--kill", action="store_true", help="kill Event Grid, Cosmos DB and the host on the way, one after the other"
    )
    replay.add_argument("--json", action="store_true", help="print the report as JSON on stdout")
    _deployment_arguments(replay)
    _data_argument(replay)
    chaos = verbs.add_parser(
        "chaos", help="kill, stall and starve the processes of a throw-away stack under load, and count what is lost"
    )
    chaos.add_argument("--minutes", type=float, default=1.0, help="how long (default %(default)s)")
    chaos.add_argument("--seed", type=int, default=0, help="the same seed decides the same (default %(default)s)")
    chaos.add_argument(
        "--kill-share", type=_share, default=0.45, help="of all disasters are kills (default %(default)s)"
    )
    chaos.add_argument("--json", action="store_true", help="print the report as JSON on stdout")
    _load_verbs(verbs)
    for name, text in (
        ("seed", "send a few orders through the running service, to have something to look at"),
        ("reset", "empty the running stack, and provision it again"),
    ):
        _data_argument(verbs.add_parser(name, help=text))
    wait = verbs.add_parser("wait", help="return when the stack is ready, for scripts")
    wait.add_argument(
        "--timeout", type=_positive, default=60, metavar="SECONDS", help="give up after (default %(default)s)"
    )
    _data_argument(wait)
    verbs.add_parser("setup", help="make the environment in .venv and install Azurite; done by the others on first use")
    verbs.add_parser("test", help="run the tests; further arguments are pytest's")
    verbs.add_parser("check", help="format, lint, types, import directions, lock files")
    # --quick and the like are the suite's own flags and pass through.
    verbs.add_parser("conformance", help="run the official SDKs' own suites against the emulators")
    verbs.add_parser("bench", help="run the benchmarks")
    verbs.add_parser("requirements", help="write requirements.txt from uv.lock")
    return parser


def _deployment_arguments(parser: argparse.ArgumentParser) -> None:
    elsewhere = parser.add_argument_group(
        "a deployment instead of the stack here",
        "Nothing is started. Function keys are taken from ORDERS_FUNCTION_KEY and VIEWS_FUNCTION_KEY; where the "
        "settings hold no key, the identity of `az login` or of the machine reads the write side.",
    )
    elsewhere.add_argument("--url", metavar="URL", help="where its commands answer (SERVICE_ORDERS_URI)")
    elsewhere.add_argument("--views-url", metavar="URL", help="where its queries answer, if split (SERVICE_VIEWS_URI)")
    elsewhere.add_argument(
        "--settings", type=Path, metavar="FILE", help="its app settings (else the environment), as for operations"
    )


def _load_verbs(verbs: Any) -> None:
    backlog = verbs.add_parser("backlog", help="let events wait while the read side is down, and see them drain")
    backlog.add_argument("--events", type=_positive, default=100_000, help="how many (default %(default)s)")
    backlog.add_argument("--seed", type=int, default=0, help="of the order in which they are published (0)")
    race = verbs.add_parser("race", help="send every change of an order from many clients at once")
    race.add_argument("--commands", type=_positive, default=10_000, help="at least (default %(default)s)")
    race.add_argument("--orders", type=_positive, default=200, help="that they are about (default %(default)s)")
    race.add_argument("--clients", type=_positive, default=32, help="of each change, at once (default %(default)s)")
    for each in (backlog, race):
        each.add_argument("--json", action="store_true", help="print the report as JSON on stdout")


def _data_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, default=DATA, metavar="DIR", help="the stack's data (default: .data here)")


def _up_arguments(parser: argparse.ArgumentParser) -> None:
    _data_argument(parser)
    _security_arguments(parser)
    parser.add_argument("--fresh", action="store_true", help="start with empty data")
    parser.add_argument(
        "--without",
        action="append",
        default=[],
        choices=["azurite", "cosmos", "eventgrid", "functions"],
        help="leave a service out, so that `func start` or a real account takes its place; may be repeated",
    )
    parser.add_argument("--free-ports", action="store_true", help="take free ports instead of the usual ones")
    for name, port in USUAL_PORTS.items():
        parser.add_argument(f"--{name}-port", type=_port, metavar="N", help=f"instead of {port}")
    parser.add_argument(
        "--app", type=Path, default=ROOT, metavar="DIR", help="the function app (default: this project)"
    )
    parser.add_argument(
        "--topology", type=Path, metavar="FILE", help="what to provision, fault rules included (local/topology.toml)"
    )
    parser.add_argument("--debug", action="store_true", help="let a debugger attach to the functions on 127.0.0.1:9091")


def _security_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--enable-auth", action="store_true", help="demand function keys, as Azure does")
    parser.add_argument("--https", action="store_true", help="serve https, signed by this machine's own authority")


def _port(text: str) -> int:
    port = _positive(text)
    if port > 65535:
        raise argparse.ArgumentTypeError(f"{text} is not a port: give a number from 1 to 65535")
    return port


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a share: give a number from 0 to 1")
    return share


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1")
    return int(text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
