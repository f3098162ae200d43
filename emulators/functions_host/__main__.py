"""`python -m emulators.functions_host start | doctor`: picks the command; `cli` has the words."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from emulators.base.cli import EXIT_CANNOT_START
from emulators.base.serving import PortTaken
from emulators.functions_host.cli import read_command_line
from emulators.functions_host.errors import StartError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the process's exit code."""
    options = read_command_line(sys.argv[1:] if arguments is None else arguments)
    try:
        if options.script_root is not None:
            _enter(options.script_root)
        if options.command == "doctor":
            from emulators.functions_host.doctor.command import examine

            return examine(as_json=options.json)
        from emulators.functions_host.start import start

        return start(options)
    except (StartError, PortTaken) as failure:
        print(failure, file=sys.stderr)
        return EXIT_CANNOT_START


def _enter(folder: os.PathLike[str]) -> None:
    try:
        os.chdir(folder)
    except OSError as failure:
        raise StartError(f"--script-root: {folder}: {failure.strerror}.") from failure


if __name__ == "__main__":
    sys.exit(main())
