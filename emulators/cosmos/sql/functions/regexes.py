r"""The regular expressions of RegexMatch, run by RE2: their work grows with the text and never with its square.

The service's are PCRE's. What PCRE has and RE2 has not (look-around, backreferences, atomic groups and possessive
repetition, recursion, some escapes) is refused by name; a pattern that is none, or an unknown modifier, is undefined.
Two differences are made up for: `x`, and `$`, which in PCRE stands before a last line end too.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Protocol

import re2

from emulators.cosmos.sql.errors import QueryUnbuilt
from emulators.cosmos.sql.limits import REGEX_BYTES_MAX, REGEX_CHARACTERS_MAX
from emulators.cosmos.sql.values import UNDEFINED, Value

_PATTERNS_KEPT = 256
"""Compiled patterns kept: our choice."""
_MODIFIERS = frozenset("msix")
_LAST_LINE_END = r"(?:\n?\z)"
_PIECE = re.compile(
    r"(?P<escape>\\.)|(?P<set>\[\^?\]?(?:\\.|\[:\w+:\]|[^\]\\])*\])|(?P<comment>\s+|\#[^\n]*)|(?P<end>\$)|.", re.DOTALL
)
_PCRE_ONLY = re.compile(
    r"invalid perl operator: \(\?(?:[=!>|R&(0-9+-]|<[=!])"
    r"|invalid escape sequence: \\[1-9gkhHRKGZXN]"
    r"|(?:bad repetition operator|invalid repetition size|pattern too large)"
)


class _Regex(Protocol):
    def search(self, text: bytes) -> object: ...


def regex_matches(text: str, pattern: str, modifiers: str) -> Value:
    """Whether `pattern` matches in `text`, or UNDEFINED for a pattern or modifier that there is not."""
    regex = _regex(pattern, modifiers)
    return UNDEFINED if regex is None else regex.search(text.encode("utf-8", "replace")) is not None


@lru_cache(_PATTERNS_KEPT)
def _regex(pattern: str, modifiers: str) -> _Regex | None:
    if len(pattern) > REGEX_CHARACTERS_MAX or not set(modifiers) <= _MODIFIERS:
        return None
    options = re2.Options()
    options.log_errors = False
    options.max_mem = REGEX_BYTES_MAX
    flags = "".join(sorted(set(modifiers) - {"x"}))
    translated = (f"(?{flags})" if flags else "") + _translated(pattern, modifiers)
    try:
        regex: _Regex = re2.compile(translated.encode("utf-8", "replace"), options)
    except re2.error as failure:
        said = failure.args[0]
        reason = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
        if _PCRE_ONLY.match(reason):
            raise QueryUnbuilt(f"RegexMatch with a pattern that RE2 does not run ({reason})") from None
        return None
    return regex


def _translated(pattern: str, modifiers: str) -> str:
    """The pattern as RE2 reads it."""

    def piece(match: re.Match[str]) -> str:
        if match["comment"] is not None and "x" in modifiers:
            return ""
        if match["end"] is not None and "m" not in modifiers:
            return _LAST_LINE_END
        return match[0]

    return _PIECE.sub(piece, pattern)
