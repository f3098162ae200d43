"""What the emulators' command lines share: where to serve, where data goes, logging, the exit codes.

Logs go to stderr, one line an event. `ready <url>` goes to stdout once the socket answers.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections.abc import Callable
from pathlib import Path

from emulators.base.serving import Application, Bind, PortTaken, run
from emulators.base.sqlite import FormatError

EXIT_CANNOT_START = 1


def serving_arguments(parser: argparse.ArgumentParser, *, port: int) -> None:
    """Add --host, --port, --data, --https, --verbose and --exit-when-stdin-closes."""
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument(
        "--port", type=port_number, default=port, help="port; 0 takes a free one (default: %(default)s)"
    )
    parser.add_argument("--data", type=Path, metavar="DIR", help="keep data in DIR; without it, in memory only")
    parser.add_argument("--https", action="store_true", help="serve https with a certificate of the local authority")
    parser.add_argument("--verbose", action="store_true", help="log every request")
    parser.add_argument(
        "--exit-when-stdin-closes", action="store_true", help="stop when stdin ends, so as not to outlive a parent"
    )


def port_number(text: str) -> int:
    """A port from the command line."""
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: give a number from 0 to 65535")
    return int(text)


def serve_command(arguments: argparse.Namespace, create: Callable[[], Application]) -> int:
    """Serve what `create` makes as `serving_arguments` were given; the process's exit code.

    A port in use or data of another format is one line on stderr and exit code 1.
    """
    log_to_stderr(verbose=arguments.verbose)
    try:
        tls = None
        if arguments.https:
            from emulators.base.tls import (
                authority_directory,
                server_context,
                trust_line,
            )  # cryptography takes its time

            tls = server_context(authority_directory())
            print(f"trust this machine's authority: {trust_line(authority_directory())}", file=sys.stderr)
        bind = Bind(arguments.host, arguments.port, tls)
        run(create(), bind, ready=announce, exits_with_stdin=arguments.exit_when_stdin_closes)
    except (PortTaken, FormatError) as failure:
        print(failure, file=sys.stderr)
        return EXIT_CANNOT_START
    return 0


def announce(url: str) -> None:
    """Say on stdout that `url` now answers."""
    print(f"ready {url}", flush=True)


def log_to_stderr(*, verbose: bool) -> None:
    """One line an event: time in UTC, level, room, text."""
    handler = logging.StreamHandler(sys.stderr)
    formatter = logging.Formatter("%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s %(message)s", "%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    logging.basicConfig(level=logging.DEBUG if verbose else logging.INFO, handlers=[handler], force=True)
    for chatty in ("azure", "aiohttp", "asyncio", "urllib3", "uvicorn"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
