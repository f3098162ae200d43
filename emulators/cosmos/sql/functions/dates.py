"""Date functions. A date is a string `YYYY-MM-DDThh:mm:ss.fffffffZ`; ticks are 100 ns since 1970, in UTC always."""

from __future__ import annotations

import re
from datetime import date

from emulators.cosmos.sql.functions.date_formats import Moment, formatted
from emulators.cosmos.sql.functions.signatures import Context, Registry
from emulators.cosmos.sql.values import UNDEFINED, Value, is_int64

FUNCTIONS = define = Registry()

TICKS_PER_SECOND = 10_000_000
_DAY_TICKS = 86_400 * TICKS_PER_SECOND
_EPOCH_DAY = date(1970, 1, 1).toordinal()
TICKS_MIN = (1 - _EPOCH_DAY) * _DAY_TICKS
"""0001-01-01."""
TICKS_MAX = (date(9999, 12, 31).toordinal() - _EPOCH_DAY + 1) * _DAY_TICKS - 1
_BIN_ORIGIN_MIN = -116_444_736_000_000_000
"""1601-01-01, the earliest origin that DateTimeBin documents."""

_PARTS = {
    "year": "year", "yyyy": "year", "yy": "year", "month": "month", "mm": "month", "m": "month",
    "day": "day", "dd": "day", "d": "day", "hour": "hour", "hh": "hour", "minute": "minute", "mi": "minute",
    "n": "minute", "second": "second", "ss": "second", "s": "second", "millisecond": "millisecond",
    "ms": "millisecond", "microsecond": "microsecond", "mcs": "microsecond", "nanosecond": "nanosecond",
    "ns": "nanosecond",
}  # fmt: skip
_UNIT_TICKS = {
    "day": _DAY_TICKS, "hour": 3600 * TICKS_PER_SECOND, "minute": 60 * TICKS_PER_SECOND, "second": TICKS_PER_SECOND,
    "millisecond": 10_000, "microsecond": 10,
}  # fmt: skip
_ISO = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,7}))?)?Z?", re.ASCII)
"""What IS_DATETIME's reference page calls a date: time, fraction and Z may be left out, a blank may stand for T."""


def ticks_of(text: str) -> int | None:
    """The ticks of a date, or None when the text is none."""
    match = _ISO.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(each or 0) for each in match.groups()[:6])
    return _ticks(year, month, day, hour, minute, second, int((match.group(7) or "").ljust(7, "0")))


def _ticks(year: int, month: int, day: int, hour: int, minute: int, second: int, fraction: int) -> int | None:
    if not (0 <= hour < 24 and 0 <= minute < 60 and 0 <= second < 60 and 0 <= fraction < TICKS_PER_SECOND):
        return None
    try:
        days = date(year, month, day).toordinal() - _EPOCH_DAY
    except (ValueError, OverflowError):
        return None
    return days * _DAY_TICKS + (hour * 3600 + minute * 60 + second) * TICKS_PER_SECOND + fraction


def text_of(ticks: int) -> Value:
    """The date at those ticks, or UNDEFINED outside the years 1 to 9999."""
    if not TICKS_MIN <= ticks <= TICKS_MAX:
        return UNDEFINED
    days, rest = divmod(ticks, _DAY_TICKS)
    seconds, fraction = divmod(rest, TICKS_PER_SECOND)
    day = date.fromordinal(days + _EPOCH_DAY)
    return (
        f"{day.year:04}-{day.month:02}-{day.day:02}"
        f"T{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{fraction:07}Z"
    )


def _day(ticks: int) -> date:
    return date.fromordinal(ticks // _DAY_TICKS + _EPOCH_DAY)


def _months(ticks: int) -> int:
    day = _day(ticks)
    return day.year * 12 + day.month - 1


@define("GetCurrentDateTime", context=True)
def current_date_time(context: Context) -> Value:
    """The time now."""
    return text_of(context.ticks())


@define("GetCurrentDateTimeStatic", context=True)
def current_date_time_static(context: Context) -> Value:
    """The time when the query began."""
    return text_of(context.static_ticks)


@define("GetCurrentTicks", context=True)
def current_ticks(context: Context) -> int:
    """The time now in ticks."""
    return context.ticks()


@define("GetCurrentTicksStatic", context=True)
def current_ticks_static(context: Context) -> int:
    """The time when the query began in ticks."""
    return context.static_ticks


@define("GetCurrentTimestamp", context=True)
def current_timestamp(context: Context) -> int:
    """The time now in milliseconds."""
    return context.ticks() // 10_000


@define("GetCurrentTimestampStatic", context=True)
def current_timestamp_static(context: Context) -> int:
    """The time when the query began in milliseconds."""
    return context.static_ticks // 10_000


@define("NOW", "string? number?", context=True)
def now(context: Context, part: str = "ns", count: float = 0) -> Value:
    """The time now, with that many of the part added."""
    return _moved(context.ticks(), part, count)


@define("AGO", "string number", context=True)
def ago(context: Context, part: str, count: float) -> Value:
    """The time that many of the part ago."""
    return _moved(context.ticks(), part, -count)


@define("DateTimeAdd", "string number string")
def add(part: str, count: float, text: str) -> Value:
    """The date with that many of the part added; a day past the month's end becomes its last."""
    ticks = ticks_of(text)
    return UNDEFINED if ticks is None else _moved(ticks, part, count)


def _moved(ticks: int, part: str, count: float) -> Value:
    unit = _PARTS.get(part.lower())
    if unit is None or not is_int64(count):
        return UNDEFINED
    whole = int(count)
    if unit in ("year", "month"):
        return _add_months(ticks, whole * (12 if unit == "year" else 1))
    if unit == "nanosecond":
        return text_of(ticks + whole // 100)
    return text_of(ticks + whole * _UNIT_TICKS[unit])


def _add_months(ticks: int, months: int) -> Value:
    year, month = divmod(_months(ticks) + months, 12)
    if not 1 <= year <= 9999:
        return UNDEFINED
    following = date(year + month // 11, (month + 1) % 12 + 1, 1) if (year, month) != (9999, 11) else date.max
    days_in_month = 31 if following == date.max else (following - date(year, month + 1, 1)).days
    day = date(year, month + 1, min(_day(ticks).day, days_in_month))
    return text_of((day.toordinal() - _EPOCH_DAY) * _DAY_TICKS + ticks % _DAY_TICKS)


@define("DateTimeDiff", "string string string")
def difference(part: str, start: str, end: str) -> Value:
    """How many boundaries of the part lie between the dates."""
    unit, first, last = _PARTS.get(part.lower()), ticks_of(start), ticks_of(end)
    if unit is None or first is None or last is None:
        return UNDEFINED
    if unit in ("year", "month"):
        return _months(last) - _months(first) if unit == "month" else _day(last).year - _day(first).year
    if unit == "nanosecond":
        return (last - first) * 100
    return last // _UNIT_TICKS[unit] - first // _UNIT_TICKS[unit]


@define("DateTimeBin", "string string number? string?")
def date_bin(text: str, part: str, size: float = 1, origin: str = "1970-01-01T00:00:00.0000000Z") -> Value:
    """The start of the bin, `size` parts wide and counted from `origin`, in which the date lies."""
    ticks, unit, first = ticks_of(text), _PARTS.get(part.lower()), ticks_of(origin)
    if ticks is None or unit is None or first is None or first < _BIN_ORIGIN_MIN or not is_int64(size) or size <= 0:
        return UNDEFINED
    if unit in ("year", "month"):
        return UNDEFINED
    width = max(int(size) // 100, 1) if unit == "nanosecond" else int(size) * _UNIT_TICKS[unit]
    return text_of((ticks - first) // width * width + first)


@define("DateTimePart", "string string")
def date_part(part: str, text: str) -> Value:
    """One part of a date as a number."""
    unit, ticks = _PARTS.get(part.lower()), ticks_of(text)
    if unit is None or ticks is None:
        return UNDEFINED
    return _part(unit, ticks)


def _part(unit: str, ticks: int) -> int:
    day, rest = _day(ticks), ticks % _DAY_TICKS
    fraction = rest % TICKS_PER_SECOND
    match unit:
        case "year":
            return day.year
        case "month":
            return day.month
        case "day":
            return day.day
        case "hour":
            return rest // _UNIT_TICKS["hour"]
        case "minute":
            return rest // _UNIT_TICKS["minute"] % 60
        case "second":
            return rest // TICKS_PER_SECOND % 60
        case "millisecond":
            return fraction // 10_000
        case "microsecond":
            return fraction // 10
    return fraction * 100


def _shorthand(name: str, unit: str) -> None:
    @define(name, "string")
    def part(text: str) -> Value:
        ticks = ticks_of(text)
        return UNDEFINED if ticks is None else _part(unit, ticks)


_shorthand("YEAR", "year")
_shorthand("MONTH", "month")
_shorthand("DAY", "day")


@define("DateTimeFormat", "string string")
def date_format(text: str, pattern: str) -> Value:
    """The date as the pattern writes it."""
    ticks = ticks_of(text)
    if ticks is None:
        return UNDEFINED
    day, (seconds, fraction) = _day(ticks), divmod(ticks % _DAY_TICKS, TICKS_PER_SECOND)
    moment = Moment(
        *(day.year, day.month, day.day, day.weekday()), seconds // 3600, seconds // 60 % 60, seconds % 60, fraction
    )
    return formatted(moment, pattern)


@define("DateTimeFromParts", "number number number number? number? number? number?")
def from_parts(*parts: float) -> Value:
    """The date of year, month, day, hour, minute, second and 100 ns."""
    if not all(is_int64(each) for each in parts):
        return UNDEFINED
    year, month, day, hour, minute, second, fraction = [int(each) for each in parts] + [0] * (7 - len(parts))
    ticks = _ticks(year, month, day, hour, minute, second, fraction)
    return UNDEFINED if ticks is None else text_of(ticks)


@define("DateTimeToTicks", "string")
def to_ticks(text: str) -> Value:
    """The date in 100 ns since 1970."""
    ticks = ticks_of(text)
    return UNDEFINED if ticks is None else ticks


@define("DateTimeToTimestamp", "string")
def to_timestamp(text: str) -> Value:
    """The date in milliseconds since 1970."""
    ticks = ticks_of(text)
    return UNDEFINED if ticks is None else ticks // 10_000


@define("TicksToDateTime", "number")
def from_ticks(ticks: float) -> Value:
    """The date that many 100 ns after 1970."""
    return text_of(int(ticks)) if is_int64(ticks) else UNDEFINED


@define("TimestampToDateTime", "number")
def from_timestamp(milliseconds: float) -> Value:
    """The date that many milliseconds after 1970."""
    return text_of(int(milliseconds) * 10_000) if is_int64(milliseconds) else UNDEFINED
