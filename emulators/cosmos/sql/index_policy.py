"""Which paths a container's index policy includes: the most precise entry that matches a path decides. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

_SEGMENT = re.compile(r'/("(?:[^"\\]|\\.)*"|[^/"]+)')
_PRECISE, _BELOW = "?", "*"
_PATHS_KEPT = 4096
"""Paths whose names are remembered: our choice."""


def is_indexed(policy: object, steps: Sequence[str | int]) -> bool:
    """Whether the scalar at a path is in the index."""
    if not isinstance(policy, Mapping) or policy.get("indexingMode") == "none":
        return False
    included = _precision(policy.get("includedPaths"), steps)
    return included >= 0 and included >= _precision(policy.get("excludedPaths"), steps)


def _precision(entries: object, steps: Sequence[str | int]) -> int:
    """How precisely the best of the entries names a path: by its segments, `/?` before `/*`; -1 when none does."""
    best = -1
    for segments in _paths(entries):
        *names, end = segments
        wanted = ["[]" if isinstance(step, int) else step for step in steps]
        exactly = end == _PRECISE and wanted == names
        below = end == _BELOW and wanted[: len(names)] == names
        if exactly or below:
            best = max(best, 2 * len(names) + exactly)
    return best


@lru_cache(_PATHS_KEPT)
def segments_of(path: str) -> list[str]:
    """The names in a policy's path, without their quotes."""
    return [each[1:-1] if each.startswith('"') else each for each in _SEGMENT.findall(path)]


def _paths(entries: object) -> Iterator[list[str]]:
    for entry in entries if isinstance(entries, Sequence) else ():
        path: Any = entry.get("path") if isinstance(entry, Mapping) else None
        if isinstance(path, str):
            segments = segments_of(path)
            yield segments if segments and segments[-1] in (_PRECISE, _BELOW) else [*segments, _BELOW]
