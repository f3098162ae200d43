"""ISO 8601 durations, as eventTimeToLive spells them. Pure; it must not know what lasts so long."""

from __future__ import annotations

import re

_DURATION = re.compile(
    r"P(?:(?P<weeks>\d{1,6})W|(?:(?P<years>\d{1,6})Y)?(?:(?P<months>\d{1,6})M)?(?:(?P<days>\d{1,6})D)?"
    r"(?:T(?:(?P<hours>\d{1,6})H)?(?:(?P<minutes>\d{1,6})M)?(?:(?P<seconds>\d{1,6}(?:\.\d{1,7})?)S)?)?)"
)
_SECONDS = {
    "years": 365 * 86_400,
    "months": 30 * 86_400,
    "weeks": 7 * 86_400,
    "days": 86_400,
    "hours": 3_600,
    "minutes": 60,
    "seconds": 1,
}
"""Years and months have no fixed length; .NET, which the service is written in, takes these for them."""


def parse_duration(text: str) -> float | None:
    """The seconds that `text` lasts, or None when it is no duration."""
    found = _DURATION.fullmatch(text)
    if found is None or text.endswith(("P", "T")):
        return None
    return sum(float(count) * _SECONDS[unit] for unit, count in found.groupdict().items() if count)
