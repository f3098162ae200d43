"""Query text to tokens with their character offsets. Knows which words are keywords and nothing of grammar."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any, Literal

from emulators.cosmos.sql.errors import refused
from emulators.cosmos.sql.limits import QUERY_CHARACTERS_MAX
from emulators.cosmos.sql.values import number

Kind = Literal["name", "keyword", "number", "string", "parameter", "symbol", "end"]

KEYWORDS = frozenset({
    "ALL", "AND", "ARRAY", "AS", "ASC", "BETWEEN", "BY", "DESC", "DISTINCT", "ESCAPE", "EXISTS", "FALSE", "FIRST",
    "FROM", "GROUP", "IN", "INSERT", "JOIN", "LAST", "LEFT", "LIKE", "LIMIT", "NOT", "NULL", "OFFSET", "OR", "ORDER",
    "RANK", "RIGHT", "SELECT", "TOP", "TRUE", "UDF", "UNDEFINED", "VALUE", "WHERE",
})  # fmt: skip
"""Words with a role in the grammar. The parser also takes those of USABLE_AS_NAMES as identifiers."""
LOWER_CASE_ONLY = frozenset({"true", "false", "null", "undefined", "udf"})
USABLE_AS_NAMES = frozenset({"ALL", "FIRST", "LAST", "RANK", "INSERT", "LIMIT", "OFFSET", "ARRAY", "ESCAPE"})
"""Keywords that still name things; a role wins only where the grammar demands it."""
FUNCTION_KEYWORDS = frozenset({"LEFT", "RIGHT"})
"""Keywords that name a function and nothing else (the .NET SDK's grammar; azure-sdk-for-rust's plan tests)."""


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of text. `value` is the literal's value, or the upper-case keyword, or the text itself."""

    kind: Kind
    value: Any
    text: str
    start: int
    end: int


_TOKEN = re.compile(
    r"""(?P<space>\s+|--[^\n\r]*|/\*.*?\*/)
      |(?P<number>0[xX][0-9A-Fa-f]+|(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)
      |(?P<name>[^\W\d]\w*)
      |(?P<parameter>@\w+)
      |(?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
      |(?P<symbol>>>>|<<|>>|<=|>=|<>|!=|\?\?|\|\||[-+*/%<>=!~&|^?:.,()\[\]{}])""",
    re.VERBOSE | re.DOTALL,
)
_SIMPLE_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "/": "/", "\\": "\\", '"': '"', "'": "'"}
_ESCAPE = re.compile(r"\\(u[0-9A-Fa-f]{4}|.)", re.DOTALL)


def tokens(text: str) -> list[Token]:
    """The tokens of `text`, the last of kind "end". Raises QueryRefused at the first character that starts none."""
    if len(text) > QUERY_CHARACTERS_MAX:
        raise refused("SC3020", 0, len(text), limit=QUERY_CHARACTERS_MAX)
    found: list[Token] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise _no_token(text, at)
        at = match.end()
        if match.lastgroup != "space":
            found.append(_token(match))
    found.append(Token("end", None, "", len(text), len(text)))
    return found


def _token(match: re.Match[str]) -> Token:
    text, start, end = match.group(), match.start(), match.end()
    match match.lastgroup:
        case "name":
            upper = text.upper()
            if upper in KEYWORDS and (text in LOWER_CASE_ONLY or text.lower() not in LOWER_CASE_ONLY):
                return Token("keyword", upper, text, start, end)
            return Token("name", text, text, start, end)
        case "number":
            return Token("number", _number(text, start, end), text, start, end)
        case "string":
            return Token("string", _unescaped(text, start), text, start, end)
        case "parameter":
            return Token("parameter", text, text, start, end)
    return Token("symbol", text, text, start, end)


def _number(text: str, start: int, end: int) -> float:
    if text[:2] in ("0x", "0X"):
        return int(text, 16)
    if text.isdecimal():
        return int(text) if len(text) < 20 else float(text)
    value = float(text)
    if math.isinf(value):
        raise refused("SC1013", start, end, near=text)
    return number(value)


def _unescaped(text: str, start: int) -> str:
    inner = text[1:-1]
    for at, character in enumerate(inner):
        if character < " ":
            raise refused("SC1012", start, start + len(text), near=text[: at + 1])
    if "\\" not in inner:
        return inner

    def replace(match: re.Match[str]) -> str:
        escape = match.group(1)
        if len(escape) == 5:
            return chr(int(escape[1:], 16))
        if escape not in _SIMPLE_ESCAPES:
            raise refused("SC1012", start, start + len(text), near=text)
        return _SIMPLE_ESCAPES[escape]

    unescaped = _ESCAPE.sub(replace, inner)
    try:  # two \u halves of one character become that character
        return unescaped.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        raise refused("SC1012", start, start + len(text), near=text) from None


def _no_token(text: str, at: int) -> Exception:
    if text[at] in "\"'":
        return refused("SC1012", at, len(text), near=text[at:])
    return refused("SC1001", at, at + 1, near=text[at])
