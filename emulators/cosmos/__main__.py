"""`python -m emulators.cosmos`: serve the emulator until it is told to stop."""

from __future__ import annotations

import argparse
import sys

from emulators.base.cli import EXIT_CANNOT_START, serve_command, serving_arguments
from emulators.base.clock import Clock
from emulators.base.ids import Ids
from emulators.base.serving import Application
from emulators.cosmos.account import CONSISTENCY_LEVELS, WELL_KNOWN_KEY, KeyFormatError, decode_key
from emulators.cosmos.accounts import Member, parse_account, together
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
    parser.add_argument(
        "--all-versions",
        action="store_true",
        help="keep every version and delete for the change feed, in containers without a changeFeedPolicy too",
    )
    parser.add_argument(
        "--account",
        action="append",
        type=_account,
        default=[],
        metavar="NAME=KEY",
        help="one of several accounts, told apart by host name (NAME.localhost) or key; instead of --key",
    )
    chosen = parser.parse_args(arguments)
    names = [name for name, _ in chosen.account]
    if len(set(names)) < len(names):
        parser.error(f"argument --account: each name once, not {', '.join(names)}")
    if chosen.account and chosen.key != WELL_KNOWN_KEY:
        parser.error("give --key or --account, not both")
    try:
        return serve_command(chosen, lambda: _application(chosen))
    except KeyFormatError as refusal:
        print(refusal, file=sys.stderr)
        return EXIT_CANNOT_START


def _application(chosen: argparse.Namespace) -> Application:
    """One account, or several with a directory each and one clock."""
    settings = {"consistency": chosen.consistency, "throttled": chosen.throttle, "all_versions": chosen.all_versions}
    if not chosen.account:
        return create(chosen.data, key=chosen.key, **settings)
    clock, ids = Clock(), Ids()
    members = {}
    for name, key in chosen.account:
        path = chosen.data / name if chosen.data else None
        members[name] = Member(decode_key(key), create(path, clock=clock, ids=ids, key=key, name=name, **settings))
    return together(members)


def _account(text: str) -> tuple[str, str]:
    try:
        return parse_account(text)
    except ValueError as refusal:
        raise argparse.ArgumentTypeError(str(refusal)) from None


if __name__ == "__main__":
    sys.exit(main())
