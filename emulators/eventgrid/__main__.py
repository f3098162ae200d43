"""`python -m emulators.eventgrid`: serve the emulator until it is told to stop."""

from __future__ import annotations

import argparse
import base64
import binascii
import sys
from pathlib import Path

from emulators.base.cli import EXIT_CANNOT_START, serve_command, serving_arguments
from emulators.eventgrid import limits
from emulators.eventgrid.application import Options, create
from emulators.eventgrid.auth import DEVELOPMENT_KEY
from emulators.eventgrid.configuration import read_configuration
from emulators.eventgrid.namespaces.configuration import read_namespaces
from emulators.eventgrid.storage import DEVELOPMENT_STORAGE

PORT = 6500
TIME_SCALE_MAX = 1000.0


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; the process's exit code."""
    chosen = _parser().parse_args(arguments)
    try:
        return serve_command(chosen, lambda: create(chosen.data, options=_options(chosen)))
    except ValueError as refusal:
        print(refusal, file=sys.stderr)
        return EXIT_CANNOT_START


def _options(chosen: argparse.Namespace) -> Options:
    return Options(
        key=chosen.key,
        time_scale=chosen.time_scale,
        answer_timeout_seconds=chosen.answer_timeout or None,
        retry_handshakes=chosen.retry_handshakes,
        accept_bearer=chosen.accept_bearer,
        storage=chosen.storage,
        functions_host=chosen.functions_host.rstrip("/"),
        configured=read_configuration(chosen.config) if chosen.config else (),
        namespaces=read_namespaces(chosen.config) if chosen.config else (),
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "emulators.eventgrid", description="Azure Event Grid on this machine: custom topics and namespaces."
    )
    serving_arguments(parser, port=PORT)
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="topics, namespaces and subscriptions, TOML or JSON"
    )
    parser.add_argument("--key", type=_key, default=DEVELOPMENT_KEY, help="key1 of every new topic, in base64")
    parser.add_argument(
        "--time-scale",
        type=_scale,
        default=1.0,
        metavar="X",
        help="real seconds per Event Grid second: 0.02 makes the 10 s retry come after 0.2 s (default: 1)",
    )
    parser.add_argument(
        "--answer-timeout",
        type=_seconds,
        default=limits.ANSWER_TIMEOUT_SECONDS,
        metavar="S",
        help="how long a subscriber may take to answer, in real seconds; 0 waits for ever (default: %(default)g)",
    )
    parser.add_argument(
        "--retry-handshakes", action="store_true", help="ask an endpoint that does not validate again until it does"
    )
    parser.add_argument("--accept-bearer", action="store_true", help="over https, let any bearer token publish")
    parser.add_argument(
        "--storage",
        default=DEVELOPMENT_STORAGE,
        metavar="CONNECTION_STRING",
        help="the storage account for dead letters (default: %(default)s)",
    )
    parser.add_argument(
        "--functions-host",
        default="http://127.0.0.1:7071",
        metavar="URL",
        help="where AzureFunction destinations are (default: %(default)s)",
    )
    return parser


def _key(text: str) -> str:
    try:
        if base64.b64decode(text, validate=True):
            return text
    except binascii.Error:
        pass
    raise argparse.ArgumentTypeError("give a key in base64")


def _scale(text: str) -> float:
    value = _seconds(text)
    if not 0 < value <= TIME_SCALE_MAX:
        raise argparse.ArgumentTypeError(f"give a number above 0 and up to {TIME_SCALE_MAX:g}")
    return value


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds")
    return value


if __name__ == "__main__":
    sys.exit(main())
