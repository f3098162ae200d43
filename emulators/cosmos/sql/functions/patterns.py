"""LIKE patterns, whose work is bounded by their form. Knows no values but strings."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache

_PATTERNS_KEPT = 256
"""Compiled patterns kept: our choice."""


@lru_cache(_PATTERNS_KEPT)
def like(pattern: str, escape: str | None = None) -> Callable[[str], bool]:
    """The test of a LIKE pattern: % any characters, _ one, [set], [^set], the whole string, case counts.

    The pieces between the % are of fixed width and looked for left to right, so no pattern can run away.
    """
    characters = _pieces(pattern, escape)
    pieces = [re.compile("".join(piece), re.DOTALL) for piece in characters]
    first, *middle = pieces
    if not middle:
        return lambda text: first.fullmatch(text) is not None
    last = middle.pop()
    last_at_end = re.compile(rf"(?:{last.pattern})\Z", re.DOTALL)
    last_width = len(characters[-1])

    def matches(text: str) -> bool:
        found = first.match(text)
        if found is None:
            return False
        at = found.end()
        for piece in middle:
            found = piece.search(text, at)
            if found is None:
                return False
            at = found.end()
        start = len(text) - last_width
        return start >= at and last_at_end.match(text, start) is not None

    return matches


def only_match(pattern: str, escape: str | None = None) -> str | None:
    """The one string that a LIKE pattern without wildcards matches, None for a pattern with some."""
    steps = list(_steps(pattern, escape))
    return None if any(kind for kind, _ in steps) else "".join(text for _, text in steps)


def _pieces(pattern: str, escape: str | None) -> list[list[str]]:
    """What stands between the %: for each character of the text that it matches, a regular expression."""
    pieces: list[list[str]] = [[]]
    for kind, text in _steps(pattern, escape):
        if kind == "%":
            pieces.append([])
        elif kind == "_":
            pieces[-1].append(".")
        else:
            pieces[-1].append(_set(text) if kind else re.escape(text))
    return pieces


def _steps(pattern: str, escape: str | None) -> Iterator[tuple[str, str]]:
    """(wildcard, text) for each step of a pattern; the text of a set is what stands inside it."""
    at = 0
    while at < len(pattern):
        character = pattern[at]
        if escape is not None and character == escape and at + 1 < len(pattern):
            at += 1
            yield "", pattern[at]
        elif character in ("%", "_"):
            yield character, ""
        elif character == "[" and (end := pattern.find("]", at + 2)) > 0:
            yield character, pattern[at + 1 : end]
            at = end
        else:
            yield "", character
        at += 1


def _set(inner: str) -> str:
    negated = inner.startswith("^") and len(inner) > 1
    escaped = inner[negated:].replace("\\", r"\\").replace("[", r"\[").replace("^", r"\^").replace("&", r"\&")
    escaped = escaped.replace("~", r"\~").replace("|", r"\|")
    return f"[{'^' if negated else ''}{escaped}]"
