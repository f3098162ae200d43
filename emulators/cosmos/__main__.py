"""`python -m emulators.cosmos`: serve the emulator until it is told to stop."""

from __future__ import annotations

import argparse
import sys

from emulators.base.cli import EXIT_CANNOT_START, serve_command, serving_arguments
from emulators.cosmos.account import CONSISTENCY_LEVELS, WELL_KNOWN_KEY, KeyFormatError
from emulators.cosmos.application import create

PORT = 8081
"""The port of Microsoft's emulator, which samples expect."""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; the process's exit code."""
    parser = argparse.ArgumentParser("emulators.cosmos", description="An Azure Cosmos DB for NoSQL account, locally.")
    serving_arguments(parser, port=PORT)
    parser.add_argument("--key", default=WELL_KNOWN_KEY, help="account key in base64 (default: the well-known one)")
    parser.add_argument(
        "--consistency",
        choices=CONSISTENCY_LEVELS,
        default="Session",
        help="the account's level (default: %(default)s)",
    )
    parser.add_argument("--throttle", action="store_true", help="answer 429 when a container's RU/s are spent")
    chosen = parser.parse_args(arguments)
    try:
        return serve_command(
            chosen,
            lambda: create(chosen.data, key=chosen.key, consistency=chosen.consistency, throttled=chosen.throttle),
        )
    except KeyFormatError as refusal:
        print(refusal, file=sys.stderr)
        return EXIT_CANNOT_START


if __name__ == "__main__":
    sys.exit(main())
