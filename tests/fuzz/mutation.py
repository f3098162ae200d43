"""Makes bytes that nobody means out of bytes that somebody might."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Sequence
from typing import Any

import orjson

SPICES = (
    b"\x00", b"\xff", b"\xed\xa0\x80", b"'", b'"', b"\\", b"\\u0000", b"\\ud800", b"%", b"%00", b"%zz", b"{", b"}",
    b"[", b"]", b"(", b")", b"{}", b"[]", b"[[", b":", b",", b";", b"/", b"//", b"*", b"-", b"-1", b"0", b"1e400",
    b"NaN", b"null", b"true", b"9" * 40, b"1" * 400, "²".encode(), "Ⅷ".encode(), "é".encode(), "\u202e".encode(),
    b"\r\n", b"\n", b" ", b"\t", b"=", b"?", b"~", b"W/", b"@",
)  # fmt: skip
"""What parsers stumble over: quotes, brackets, escapes, numbers beyond any type, digits that are none."""

VALUES: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    1.5,
    1e300,
    2**63,
    "",
    "x" * 300,
    "\u0000",
    [],
    {},
    [[]],
    [{}],
    {"": None},
)
"""What may stand where JSON was to have another type."""


def mutate(dice: random.Random, examples: Sequence[bytes], bytes_max: int) -> bytes:
    """An example, or noise, changed in up to six places."""
    data = dice.choice(examples) if dice.random() < 0.95 else dice.randbytes(dice.randrange(60))
    head, gap, body = data.rpartition(b"\n\n")
    with contextlib.suppress(orjson.JSONDecodeError):
        document = _replaced(dice, orjson.loads(body))
        data = head + gap + orjson.dumps(document)
        if dice.random() < 0.7:
            return data[:bytes_max]
    for _ in range(dice.randint(1, 6)):
        start, end = sorted((dice.randint(0, len(data)), dice.randint(0, len(data))))
        if dice.random() < 0.5:
            end = min(end, start + 2)
        other = dice.choice(examples)
        at = dice.randint(0, len(other))
        piece = dice.choice((b"", data[start:end] * dice.randint(2, 5), dice.choice(SPICES), other[at : at + 12]))
        data = data[:start] + piece + data[end:]
    return data[:bytes_max]


def _replaced(dice: random.Random, value: Any) -> Any:
    """`value` with one of the values in it replaced by one of another type."""
    if isinstance(value, dict) and value and dice.random() < 0.85:
        name = dice.choice(list(value))
        return {**value, name: _replaced(dice, value[name])}
    if isinstance(value, list) and value and dice.random() < 0.85:
        at = dice.randrange(len(value))
        return [*value[:at], _replaced(dice, value[at]), *value[at + 1 :]]
    return dice.choice(VALUES)
