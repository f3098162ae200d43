"""Dates and times as clients spell them: ISO 8601, the American form of .NET and Java, RFC 1123. No zone means UTC.

Pure. Shared by events, signatures and resources; it must not know what a moment means to them.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_AMERICAN = re.compile(
    r"(\d{1,2})/(\d{1,2})/(\d{4}) (\d{1,2}):(\d{1,2}):(\d{1,2})(?:\s*([AP])M)?\s*([+-]\d\d:\d\d)?", re.IGNORECASE
)
"""`M/d/yyyy h:mm:ss tt` of .NET and JavaScript, where newer runtimes put U+202F before AM and PM; `M/d/yyyy h:m:s a` of
Java; `MM/dd/yyyy HH:mm:ss` of .NET's invariant culture."""
_RFC_1123 = re.compile(r"[A-Z][a-z]{2}, \d{1,2} [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d .+")


def parse_moment(text: object) -> datetime | None:
    """The moment that `text` names, with a time zone; None when it names none."""
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return _other_than_iso(text.strip())
    return _in_a_zone(moment)


def _other_than_iso(text: str) -> datetime | None:
    try:
        if found := _AMERICAN.fullmatch(text):
            return _american(found)
        if _RFC_1123.fullmatch(text):
            return _in_a_zone(parsedate_to_datetime(text))
        return _in_a_zone(datetime.fromisoformat(text.upper()))  # a small z
    except ValueError:
        return None


def _american(found: re.Match[str]) -> datetime:
    month, day, year, hour, minute, second = (int(each) for each in found.groups()[:6])
    half, offset = found[7], found[8] or "+00:00"
    if half:
        if not 1 <= hour <= 12:
            raise ValueError("not an hour of half a day")
        hour = hour % 12 + (12 if half.upper() == "P" else 0)
    return datetime.fromisoformat(f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{offset}")


def _in_a_zone(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
