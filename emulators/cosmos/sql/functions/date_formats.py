r"""How DateTimeFormat writes a date: runs of letters stand for parts of it, all else for itself, `\` keeps a letter.

The reference page shows yyyy, MM, dd, HH, mm, ss, fff and FFF and names no more; the others are those of the .NET
notation that it follows. Knows no dates but their parts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True, slots=True)
class Moment:
    """A date taken apart. `weekday` counts from Monday, 0; `fraction` is in 100 ns."""

    year: int
    month: int
    day: int
    weekday: int
    hour: int
    minute: int
    second: int
    fraction: int


def _year(moment: Moment, width: int) -> str:
    return f"{moment.year:0{width}}" if width > 2 else f"{moment.year % 100:0{width}}"


def _month(moment: Moment, width: int) -> str:
    return _number_or_name(moment.month, width, _MONTHS[moment.month - 1])


def _day(moment: Moment, width: int) -> str:
    return _number_or_name(moment.day, width, _WEEKDAYS[moment.weekday])


def _number_or_name(number: int, width: int, name: str) -> str:
    if width <= 2:
        return f"{number:0{width}}"
    return name[:3] if width == 3 else name


def _short_hour(moment: Moment, width: int) -> str:
    return f"{(moment.hour - 1) % 12 + 1:0{min(width, 2)}}"


def _fraction(moment: Moment, width: int) -> str:
    return f"{moment.fraction:07}"[:width].ljust(width, "0")


def _half(moment: Moment, width: int) -> str:
    return ("AM" if moment.hour < 12 else "PM")[:width]


_PARTS: Mapping[str, Callable[[Moment, int], str]] = {
    "y": _year,
    "M": _month,
    "d": _day,
    "H": lambda moment, width: f"{moment.hour:0{min(width, 2)}}",
    "h": _short_hour,
    "m": lambda moment, width: f"{moment.minute:0{min(width, 2)}}",
    "s": lambda moment, width: f"{moment.second:0{min(width, 2)}}",
    "f": _fraction,
    "F": lambda moment, width: _fraction(moment, width).rstrip("0"),
    "t": _half,
}
_PIECE = re.compile(r"\\(?P<kept>.)|(?P<letter>[yMdHhmsfFt])(?P=letter)*|.", re.DOTALL)


def formatted(moment: Moment, pattern: str) -> str:
    """The moment as the pattern writes it."""

    def piece(match: re.Match[str]) -> str:
        if match["kept"] is not None:
            return match["kept"]
        if match["letter"] is None:
            return match[0]
        return _PARTS[match["letter"]](moment, len(match[0]))

    return _PIECE.sub(piece, pattern)
