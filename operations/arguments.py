"""Reads what operators write on the command line: numbers, moments, ids. A wrong one is refused with what it takes."""

from __future__ import annotations

import argparse
import re
from datetime import UTC, datetime, timedelta

from order_events import ORDER_ID_RULE, is_order_id

_AGO = re.compile(r"(\d{1,6})([smhd])\Z")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def positive_seconds(text: str) -> float:
    """A number of seconds, zero included."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 10**7:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds")
    return seconds


def order_id(text: str) -> str:
    """An order's id."""
    if not is_order_id(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no order id: {ORDER_ID_RULE}")
    return text


def since(text: str) -> timedelta | datetime:
    """A moment: so long ago (90m, 12h, 7d), or ISO 8601; without an offset it is UTC."""
    if match := _AGO.match(text):
        return timedelta(**{_UNITS[match[2]]: int(match[1])})
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as failure:
        raise argparse.ArgumentTypeError(f"{text!r} is neither an age like 12h nor an ISO 8601 time") from failure
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
