"""Moments as .NET writes them, since functions and status blobs see that form. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta


def round_trip(moment: datetime) -> str:
    """.NET's "o" format: seven digits of a second and the offset of the moment's own zone."""
    offset = moment.strftime("%z")
    # strftime's %Y does not pad on every system, and .NET's "never" is the year 1.
    return f"{moment.year:04d}-{moment:%m-%dT%H:%M:%S}.{moment.microsecond * 10:07d}{offset[:3]}:{offset[3:5]}"


def parse_moment(text: str) -> datetime:
    """An aware moment from that form (or any ISO 8601 form). Raises ValueError."""
    parsed = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text))
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def parse_time_span(text: str) -> timedelta:
    """A .NET TimeSpan: `[-][d.]hh:mm[:ss[.fffffff]]`, or a number of days. Raises ValueError."""
    match = re.fullmatch(
        r"(-)?(?:(\d{1,7})|(?:(\d{1,7})\.)?(\d{1,2}):(\d{1,2})(?::(\d{1,2})(\.\d{1,7})?)?)", text.strip()
    )
    if not match or int(match[4] or 0) > 23 or int(match[5] or 0) > 59 or int(match[6] or 0) > 59:
        raise ValueError(f"{text!r} is not a time span such as 00:05:00")
    span = timedelta(
        days=int(match[2] or match[3] or 0),
        hours=int(match[4] or 0),
        minutes=int(match[5] or 0),
        seconds=float((match[6] or "0") + (match[7] or "")),
    )
    return -span if match[1] else span


def time_span(span: timedelta) -> str:
    """A duration as .NET writes it: `[d.]hh:mm:ss[.fffffff]`."""
    minutes, seconds = divmod(span.seconds, 60)
    days = f"{span.days}." if span.days else ""
    fraction = f".{span.microseconds * 10:07d}" if span.microseconds else ""
    return f"{days}{minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}{fraction}"
