"""Whether the suite runs live."""

from __future__ import annotations


def is_live() -> bool:
    """Whether the suite runs against a live account; it stores its answer on this function."""
    return bool(getattr(is_live, "_cache", False))
