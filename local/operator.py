"""Runs `python -m operations` against a stack, as its operator does."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import dataclass
from typing import Any

from local.environment import ROOT
from local.stack import Stack, app_settings


@dataclass(frozen=True, slots=True)
class Outcome:
    """The exit code of a verb, and what it printed."""

    code: int
    output: str

    def document(self) -> dict[str, Any]:
        """What it printed, as JSON."""
        return dict(json.loads(self.output))


async def operate(stack: Stack, *arguments: str) -> Outcome:
    """Run a verb with --json and wait for its end."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "operations", *arguments, "--json"),
        cwd=ROOT,
        env={**os.environ, **app_settings(stack.options.app), **stack.settings()},
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    return Outcome(process.returncode or 0, output.decode())
