"""The command line: `start` (or `host start`) with the flags of `func start`, and `doctor`. Words, not what they do.

A flag that means something to the real tool and nothing here is refused by name, with the reason.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from emulators.base.cli import port_number
from emulators.functions_host.console import LEVELS
from emulators.functions_host.limits import PORT_DEFAULT

REFUSED = {
    "--runtime": "it chooses a .NET runtime",
    "--dotnet-isolated-debug": "it is for .NET",
    "--debug": 'attach a debugger with --language-worker -- "-m debugpy --listen 127.0.0.1:9091"',
    "--csharp": "this host runs Python apps",
    "--dotnet": "this host runs Python apps",
    "--dotnet-isolated": "this host runs Python apps",
    "--javascript": "this host runs Python apps",
    "--typescript": "this host runs Python apps",
    "--java": "this host runs Python apps",
    "--powershell": "this host runs Python apps",
    "--custom": "this host runs Python apps",
}
"""Flags of func that cannot be obeyed, and why."""


def read_command_line(words: Sequence[str]) -> argparse.Namespace:
    """The chosen command and its options. Ends the process for words that cannot be obeyed."""
    words = list(words)
    if words[:2] == ["host", "start"]:
        words.pop(0)
    for number, word in enumerate(words):
        if word == "--language-worker" and words[number + 1 : number + 2] == ["--"]:
            words[number : number + 3] = [f"--language-worker={' '.join(words[number + 2 : number + 3])}"]
            break
    return _parser().parse_args(words)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m emulators.functions_host",
        description="Azure Functions host for Python v2 apps.",
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    _add_start(commands)
    _add_doctor(commands)
    return parser


def _add_start(commands: Any) -> None:
    start = commands.add_parser("start", help="run the app of the current directory", allow_abbrev=False)
    start.add_argument(
        "--port", "-p", type=port_number, help=f"default: Host.LocalHttpPort, else {PORT_DEFAULT}; 0: free"
    )
    start.add_argument("--address", help="address to listen on (default: Host.LocalHttpAddress, else 127.0.0.1)")
    start.add_argument("--cors", help="origins that may call, separated by commas")
    start.add_argument("--cors-credentials", action="store_true", help="allow cookies of those origins")
    start.add_argument("--timeout", "-t", type=_seconds, help="seconds that loading the app may take")
    start.add_argument("--useHttps", action="store_true", help="serve https with a certificate of the local authority")
    start.add_argument("--cert", metavar="FILE", help="with --useHttps: a PFX file with key and certificate")
    start.add_argument("--password", metavar="PASSWORD", help="of that file; or the name of a file that holds it")
    start.add_argument("--language-worker", metavar="ARGUMENTS", help="Python's arguments before the worker, quoted")
    start.add_argument("--enableAuth", action="store_true", help="demand keys as Azure does")
    start.add_argument("--functions", nargs="+", metavar="NAME", help="run these functions only")
    start.add_argument("--user-log-level", type=str.lower, choices=LEVELS, help="lowest level shown of functions' logs")
    start.add_argument("--verbose", action="store_true", help="show the host's own logs, and logs that Azure drops")
    start.add_argument("--enable-json-output", action="store_true", help="ask for output in JSON lines, for tools")
    start.add_argument("--json-output-file", metavar="FILE", help="append those lines to FILE")
    start.add_argument("--no-build", action="store_true", help="accepted: there is nothing to build in Python")
    start.add_argument("--script-root", "--prefix", metavar="DIR", type=Path, help="the app's folder, if not this one")
    start.add_argument("--exit-when-stdin-closes", action="store_true", help="stop when stdin ends")
    for flag in REFUSED:
        start.add_argument(flag, nargs="?", action=_Refused, help=argparse.SUPPRESS)


def _add_doctor(commands: Any) -> None:
    doctor = commands.add_parser(
        "doctor", help="say what would break on the real host, and the fix", allow_abbrev=False
    )
    doctor.add_argument("--json", action="store_true", help="print JSON")
    doctor.add_argument("--script-root", "--prefix", metavar="DIR", type=Path, help="the app's folder, if not this one")


class _Refused(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *rest: Any, **more: Any) -> None:
        """Refuse the flag by name."""
        flag = self.option_strings[0]
        parser.error(f"{flag} of func start cannot be obeyed by this host: {REFUSED[flag]}")


def _seconds(text: str) -> float:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds")
    return float(text)
