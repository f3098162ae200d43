"""What the project does to itself: check, test, conformance, bench. The Makefile and CI call these, so do people."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence

from local.environment import ROOT, install_azurite

PROCESSES_PER_CORE = 2
"""Tests of real processes wait more than they compute."""
REQUIREMENTS = ROOT / "requirements.txt"
EXPORT = ["uv", "export", "--quiet", "--frozen", "--only-group", "app", "--no-hashes", "--no-header", "--no-annotate"]
CHECKS = (
    ("-m", "ruff", "format", "--check", "."),
    ("-m", "ruff", "check", "."),
    ("-m", "mypy"),
    ("-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"),
    ("-m", "uv", "lock", "--check", "--quiet"),
)


def check() -> int:
    """Format, lint, types, import directions, lock file and requirements.txt; all are run, the first failure counts."""
    outcomes = [_run(*command) for command in CHECKS]
    outcomes.append(_requirements_match())
    return next((outcome for outcome in outcomes if outcome), 0)


def test(arguments: Sequence[str]) -> int:
    """The whole test suite, or what `arguments` (pytest's own) select."""
    install_azurite()
    return _module(
        "pytest", *(arguments or ("--numprocesses", str(PROCESSES_PER_CORE * (os.cpu_count() or 1)), "--quiet"))
    )


def conformance(arguments: Sequence[str]) -> int:
    """The official SDKs' own suites against the emulators."""
    return _module("tests.conformance", *arguments)


def bench(arguments: Sequence[str]) -> int:
    """The benchmarks: ratios against references started in the same run."""
    return _module("bench", *arguments)


def export_requirements() -> None:
    """Write requirements.txt, the app's pinned runtime, from the lock file."""
    REQUIREMENTS.write_text(_exported(), encoding="utf-8")


def _requirements_match() -> int:
    if REQUIREMENTS.read_text(encoding="utf-8") == _exported():
        return 0
    print("requirements.txt differs from uv.lock; run `python -m local requirements`", file=sys.stderr)
    return 1


def _exported() -> str:
    exported = subprocess.run([sys.executable, "-m", *EXPORT], cwd=ROOT, check=True, capture_output=True, text=True)
    return (
        "# The order service's runtime, pinned; made from uv.lock by `python -m local requirements`.\n"
        + exported.stdout
    )


def _module(*command: str) -> int:
    return _run("-m", *command)


def _run(*arguments: str) -> int:
    print(f"$ python {' '.join(arguments)}", file=sys.stderr, flush=True)
    return subprocess.run([sys.executable, *arguments], cwd=ROOT, check=False).returncode
