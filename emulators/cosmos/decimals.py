"""Whole numbers in what clients send. Pure."""

from __future__ import annotations

DIGITS_MAX = 18
"""Digits of a number that surely fits 64 bits: our choice; Python itself gives up (ValueError) at 4,300."""


def whole_number(text: str) -> int | None:
    """The number that `text` writes in ASCII digits; None for any other text, signs and longer numbers included."""
    if not text.isascii() or not text.isdecimal() or len(text) > DIGITS_MAX:
        return None
    return int(text)
