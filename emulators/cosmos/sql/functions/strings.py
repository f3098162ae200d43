"""String functions. Positions count characters; comparison is ordinal, or without regard to case where asked."""

from __future__ import annotations

import math

from emulators.cosmos.sql.functions.regexes import regex_matches
from emulators.cosmos.sql.functions.signatures import Registry
from emulators.cosmos.sql.limits import STRING_CHARACTERS_MAX
from emulators.cosmos.sql.values import UNDEFINED, Value

FUNCTIONS = define = Registry()


def _cased(ignore_case: bool, *texts: str) -> tuple[str, ...]:
    return tuple(text.lower() for text in texts) if ignore_case else texts


@define("CONCAT", "string string+")
def concat(*texts: str) -> str:
    """The strings one after the other."""
    return "".join(texts)


@define("CONTAINS", "string string boolean?")
def contains(text: str, part: str, ignore_case: bool = False) -> bool:
    """Whether `part` occurs in `text`."""
    text, part = _cased(ignore_case, text, part)
    return part in text


@define("STARTSWITH", "string string boolean?")
def starts_with(text: str, part: str, ignore_case: bool = False) -> bool:
    """Whether `text` begins with `part`."""
    text, part = _cased(ignore_case, text, part)
    return text.startswith(part)


@define("ENDSWITH", "string string boolean?")
def ends_with(text: str, part: str, ignore_case: bool = False) -> bool:
    """Whether `text` ends with `part`."""
    text, part = _cased(ignore_case, text, part)
    return text.endswith(part)


@define("STRINGEQUALS", "string string boolean?")
def string_equals(left: str, right: str, ignore_case: bool = False) -> bool:
    """Whether both are the same string."""
    left, right = _cased(ignore_case, left, right)
    return left == right


@define("CONTAINS_ANY_CI", "string string+")
def contains_any_ci(text: str, *parts: str) -> bool:
    """Whether one of the strings occurs, in whatever case."""
    folded = text.lower()
    return any(part.lower() in folded for part in parts)


@define("CONTAINS_ANY_CS", "string string+")
def contains_any_cs(text: str, *parts: str) -> bool:
    """Whether one of the strings occurs, in its case."""
    return any(part in text for part in parts)


@define("CONTAINS_ALL_CI", "string string+")
def contains_all_ci(text: str, *parts: str) -> bool:
    """Whether all of the strings occur, in whatever case."""
    folded = text.lower()
    return all(part.lower() in folded for part in parts)


@define("CONTAINS_ALL_CS", "string string+")
def contains_all_cs(text: str, *parts: str) -> bool:
    """Whether all of the strings occur, in their case."""
    return all(part in text for part in parts)


@define("INDEX_OF", "string string number?")
def index_of(text: str, part: str, start: float = 0) -> int:
    """Where `part` first occurs at or after `start`, or -1."""
    begin = _position(start)
    return text.find(part, begin) if 0 <= begin <= len(text) else -1


@define("LASTINDEXOF", "string string number?")
def last_index_of(text: str, part: str, start: float = math.inf) -> int:
    """Where `part` last begins, at or before `start` when given, or -1."""
    if start < 0:
        return -1
    last = len(text) - len(part) if start == math.inf else _position(start)
    return text.rfind(part, 0, last + len(part)) if last >= 0 else -1


def _position(value: float) -> int:
    return int(value) if math.isfinite(value) else -1


@define("LEFT", "string number")
def left(text: str, count: float) -> str:
    """The first `count` characters."""
    return text[: max(_count(count), 0)]


@define("RIGHT", "string number")
def right(text: str, count: float) -> str:
    """The last `count` characters."""
    kept = max(_count(count), 0)
    return text[-kept:] if kept else ""


def _count(value: float) -> int:
    if math.isnan(value):
        return 0
    return int(max(min(value, 2**31), -(2**31)))


@define("LENGTH", "string")
def length(text: str) -> int:
    """How many characters it has."""
    return len(text)


@define("LOWER", "string")
def lower(text: str) -> str:
    """In lower case."""
    return text.lower()


@define("UPPER", "string")
def upper(text: str) -> str:
    """In upper case."""
    return text.upper()


@define("REPLACE", "string string string")
def replace(text: str, find: str, replacement: str) -> Value:
    """Every `find` replaced; undefined when there is nothing to find."""
    return text.replace(find, replacement) if find else UNDEFINED


@define("REPLICATE", "string number")
def replicate(text: str, count: float) -> Value:
    """The string that many times, up to 10,000 characters."""
    times = _count(count)
    if times < 0 or len(text) * times > STRING_CHARACTERS_MAX:
        return UNDEFINED
    return text * times


@define("REVERSE", "string")
def reverse(text: str) -> str:
    """Backwards."""
    return text[::-1]


@define("SUBSTRING", "string number number")
def substring(text: str, start: float, count: float) -> str:
    """`count` characters from `start`; empty when either lies outside."""
    begin, kept = _count(start), _count(count)
    if begin < 0 or begin >= len(text) or kept <= 0:
        return ""
    return text[begin : begin + kept]


@define("TRIM", "string string?")
def trim(text: str, characters: str | None = None) -> str:
    """Without white space, or any of `characters`, at both ends."""
    return text if characters == "" else text.strip(characters)


@define("LTRIM", "string string?")
def trim_left(text: str, characters: str | None = None) -> str:
    """Without white space, or any of `characters`, at the start."""
    return text if characters == "" else text.lstrip(characters)


@define("RTRIM", "string string?")
def trim_right(text: str, characters: str | None = None) -> str:
    """Without white space, or any of `characters`, at the end."""
    return text if characters == "" else text.rstrip(characters)


@define("StringSplit", "string string")
def string_split(text: str, separator: str) -> list[str]:
    """The pieces between the separators."""
    return text.split(separator) if separator else [text]


@define("StringJoin", "array string")
def string_join(texts: list[Value], separator: str) -> Value:
    """The strings of an array with the separator between them; undefined if one is no string."""
    return separator.join(texts) if all(type(each) is str for each in texts) else UNDEFINED


@define("RegexMatch", "string string string?")
def regex_match(text: str, pattern: str, flags: str = "") -> Value:
    """Whether the regular expression matches anywhere in `text`; flags are m, s, i, x."""
    return regex_matches(text, pattern, flags)
