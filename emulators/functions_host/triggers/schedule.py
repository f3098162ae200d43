"""When a timer fires: NCRONTAB of five or six fields, or an interval `[d.]hh:mm:ss`. Pure.

Occurrences are computed on the local wall clock (WEBSITE_TIME_ZONE, TZ, the machine's), as the host does.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Protocol

from emulators.functions_host.dates import parse_time_span
from emulators.functions_host.errors import FunctionInError
from emulators.functions_host.limits import SCHEDULE_YEARS_MAX

MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
DAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")


@dataclass(frozen=True)
class Field:
    """One field of an expression: its bounds and the names it knows."""

    name: str
    low: int
    high: int
    names: Sequence[str] = ()


FIELDS = (
    Field("seconds", 0, 59),
    Field("minutes", 0, 59),
    Field("hours", 0, 23),
    Field("days of month", 1, 31),
    Field("months", 1, 12, MONTHS),
    Field("days of week", 0, 6, DAYS),
)


class Schedule(Protocol):
    """What the timer asks."""

    def after(self, moment: datetime) -> datetime:
        """The first occurrence after `moment` (both aware, in UTC)."""


@dataclass(frozen=True)
class Interval:
    """Every so often, counted from the last start."""

    every: timedelta

    def after(self, moment: datetime) -> datetime:
        """`moment` plus the interval."""
        return moment + self.every


@dataclass(frozen=True)
class Cron:
    """A crontab: each field is the sorted list of values that match."""

    fields: tuple[tuple[int, ...], ...]
    zone: tzinfo | None = None
    """None is the machine's own time zone."""

    def after(self, moment: datetime) -> datetime:
        """The first occurrence after `moment` on the local wall clock. Days of month and of week must both match."""
        seconds, minutes, hours, days, months, weekdays = self.fields
        local = moment.astimezone(self.zone)
        at = local.replace(tzinfo=None, microsecond=0) + timedelta(seconds=1)
        year_max = at.year + SCHEDULE_YEARS_MAX
        while at.year <= year_max:
            if at.month not in months:
                at = _next_month(at)
            elif at.day not in days or (at.isoweekday() % 7) not in weekdays:
                at = at.replace(hour=0, minute=0, second=0) + timedelta(days=1)
            elif at.hour not in hours:
                at = at.replace(minute=0, second=0) + timedelta(hours=1)
            elif at.minute not in minutes:
                at = at.replace(second=0) + timedelta(minutes=1)
            elif at.second not in seconds:
                at = _next_second(at, seconds)
            else:
                found = self._to_utc(at, local.fold)
                if found > moment:
                    return found
                at += timedelta(seconds=1)
        raise FunctionInError("The schedule expression never occurs within the next years.")

    def _to_utc(self, local: datetime, fold: int) -> datetime:
        """A wall-clock time that a clock change skips is moved on by the change, as .NET does."""
        if self.zone is None:
            return local.replace(fold=fold).astimezone(UTC)
        return local.replace(tzinfo=self.zone, fold=fold).astimezone(UTC)


def parse_schedule(text: str, zone: tzinfo | None = None) -> Schedule:
    """The schedule of a timer trigger. Raises FunctionInError in the host's words."""
    refused = FunctionInError(
        f"The schedule expression '{text}' was not recognized as a valid cron expression or timespan string."
    )
    expressions = text.split()
    if len(expressions) in (5, 6):
        if len(expressions) == 5:
            expressions = ["0", *expressions]
        parsed = [_parse_field(expression, field) for expression, field in zip(expressions, FIELDS, strict=True)]
        if any(values is None for values in parsed):
            raise refused
        cron = Cron(tuple(values for values in parsed if values is not None), zone)
        cron.after(datetime(2024, 1, 1, tzinfo=UTC))  # a date that never comes (30 February) is refused here
        return cron
    try:
        every = parse_time_span(text)
    except ValueError:
        raise refused from None
    if every <= timedelta(0):
        raise refused
    return Interval(every)


def _parse_field(expression: str, field: Field) -> tuple[int, ...] | None:
    values: set[int] = set()
    for item in expression.split(","):
        span, _, step_text = item.partition("/")
        if step_text and not (step_text.isdecimal() and int(step_text) > 0):
            return None
        step = int(step_text) if step_text else 1
        if span == "*":
            low, high = field.low, field.high
        else:
            first, dash, last = span.partition("-")
            start, end = _value(first, field), _value(last, field) if dash else None
            if start is None or (dash and end is None):
                return None
            low = start
            high = end if end is not None else (field.high if step_text else start)
            if low > high:
                low, high = high, low  # NCrontab turns a reversed range round
        values.update(range(low, high + 1, step))
    return tuple(sorted(values))


def _value(text: str, field: Field) -> int | None:
    if text.isdecimal():
        return int(text) if field.low <= int(text) <= field.high else None
    if len(text) < 3:
        return None
    matches = [number for number, name in enumerate(field.names, field.low) if name.startswith(text.lower())]
    return matches[0] if matches else None


def _next_month(at: datetime) -> datetime:
    at = at.replace(day=1, hour=0, minute=0, second=0)
    return at.replace(year=at.year + 1, month=1) if at.month == 12 else at.replace(month=at.month + 1)


def _next_second(at: datetime, seconds: tuple[int, ...]) -> datetime:
    position = bisect_left(seconds, at.second)
    if position < len(seconds):
        return at.replace(second=seconds[position])
    return at.replace(second=0) + timedelta(minutes=1)
