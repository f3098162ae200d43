"""Moments as .NET writes them, since functions and status blobs see that form. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime


def round_trip(moment: datetime) -> str:
    """.NET's "o" format: seven digits of a second and the offset of the moment's own zone."""
    offset = moment.strftime("%z")
    # strftime's %Y does not pad on every system, and .NET's "never" is the year 1.
    return f"{moment.year:04d}-{moment:%m-%dT%H:%M:%S}.{moment.microsecond * 10:07d}{offset[:3]}:{offset[3:5]}"


def parse_moment(text: str) -> datetime:
    """An aware moment from that form (or any ISO 8601 form). Raises ValueError."""
    parsed = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text))
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
