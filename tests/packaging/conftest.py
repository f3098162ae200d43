"""Marks what asks a package registry: `-m "not network"` leaves it out."""

from __future__ import annotations

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Register the mark."""
    config.addinivalue_line("markers", "network: asks a package registry (PyPI, npm) for what it needs")
