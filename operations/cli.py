"""The operator's command line: verbs, what all of them take, and how they end."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from rich.console import Console

from operations import erase, rebuild, redrive, relay, retain, verify
from operations.errors import EXIT_FAILED, EXPECTED, advice
from operations.output import Bars, Outcome, show
from operations.settings import read_settings
from operations.wiring import REAL, Deployment, Surroundings, connected

EXIT_INTERRUPTED = 130
DESCRIPTION = """\
What an operator runs against a deployment of the order service, on this machine or in Azure. The app's own settings say
which: from the environment, from a file (--settings), or one by one (--set). Where they hold no key, the identity of
`az login` or of the machine is used.
"""
EPILOG = """\
start with:
  python -m operations verify --settings local.settings.json
  az functionapp config appsettings list -g GROUP -n APP > app.json && python -m operations verify --settings app.json

Every verb has --help with examples. Exit codes: 0 done; 1 done and something is left; 2 could not tell.
"""


@dataclass(frozen=True, slots=True)
class Verb:
    """One verb: its words, its flags, and doing it."""

    summary: str
    description: str
    examples: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace, Deployment, Bars], Awaitable[Outcome]]

    @classmethod
    def of(cls, module: ModuleType) -> Verb:
        """The verb that a module is."""
        return cls(module.SUMMARY, module.DESCRIPTION, module.EXAMPLES, module.add_arguments, module.run)


VERBS: Mapping[str, Verb] = {
    "verify": Verb.of(verify),
    "rebuild": Verb.of(rebuild),
    "redrive": Verb.of(redrive),
    "relay": Verb.of(relay),
    "erase": Verb.of(erase),
    "retain": Verb.of(retain),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; the process's exit code."""
    parsed = _parser().parse_args(arguments)
    try:
        settings = read_settings(os.environ, parsed.settings, parsed.set)
        outcome = asyncio.run(execute(parsed, settings))
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except Exception as failure:
        expected = _expected(failure)
        if expected is None:
            raise
        print(advice(expected), file=sys.stderr)
        return EXIT_FAILED
    show(outcome, as_json=parsed.json)
    return outcome.exit_code


async def execute(
    parsed: argparse.Namespace, settings: Mapping[str, str], surroundings: Surroundings = REAL
) -> Outcome:
    """Connect, and do what was asked for."""
    bars = Bars(Console(stderr=True))
    async with connected(settings, surroundings) as deployment:
        with bars.drawn():
            return await VERBS[parsed.verb].run(parsed, deployment, bars)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The arguments of a command line."""
    return _parser().parse_args(arguments)


def _expected(failure: BaseException) -> BaseException | None:
    """The failure of the surroundings that ended the command, if it was one; out of a group of tasks, the first."""
    while isinstance(failure, BaseExceptionGroup):
        failure = failure.exceptions[0]
    return failure if isinstance(failure, EXPECTED) else None


def _parser() -> argparse.ArgumentParser:
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="python -m operations", description=DESCRIPTION, epilog=EPILOG, formatter_class=form
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for name, verb in VERBS.items():
        examples = f"examples:\n{verb.examples}"
        one = verbs.add_parser(
            name, help=verb.summary, description=verb.description, epilog=examples, formatter_class=form
        )
        verb.add_arguments(one)
        every = one.add_argument_group("every verb")
        every.add_argument(
            "--settings", type=Path, metavar="FILE", help="local.settings.json, or the app's settings as az prints them"
        )
        every.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="one setting; repeatable")
        every.add_argument("--json", action="store_true", help="print the outcome as JSON on standard output")
        every.add_argument("--dry-run", action="store_true", help="tell what would be done, and change nothing")
    return parser
