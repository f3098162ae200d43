"""Where a query's next page begins, in a token that only this account can make and only the same query can use."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass
from typing import Any

import orjson

from emulators.cosmos import errors
from emulators.cosmos.errors import Refused

SEAL_BYTES = 12
"""Enough of an HMAC-SHA256 that a forged token is never met by chance; short, since clients nest tokens in theirs."""


@dataclass(frozen=True, slots=True)
class Position:
    """A place among a query's results.

    `range_id`, `position` and `rows`: the document and how many of its rows are done. `key`: its place in ORDER BY.
    `passed`: results skipped or given so far, which TOP, OFFSET and LIMIT count. `split`: as in `scopes.Place`.
    """

    range_id: int = -1
    position: int = 0
    rows: int = 0
    passed: int = 0
    key: bytes | None = None
    split: tuple[tuple[int, int], ...] = ()


def write_position(account_key: bytes, query: Any, position: Position) -> str:
    """The token of a position in the results of `query` (any JSON value that identifies it)."""
    key = None if position.key is None else base64.b64encode(position.key).decode()
    content = orjson.dumps([position.range_id, position.position, position.rows, position.passed, key, position.split])
    return base64.urlsafe_b64encode(_seal(account_key, query, content) + content).decode()


def read_position(account_key: bytes, query: Any, token: str) -> Position:
    """The position in a token. Raises Refused (400) for one that was changed or belongs to another query."""
    try:
        whole = base64.urlsafe_b64decode(token.encode("ascii"))
    except (binascii.Error, UnicodeEncodeError):
        whole = b""
    seal, content = whole[:SEAL_BYTES], whole[SEAL_BYTES:]
    if not hmac.compare_digest(seal, _seal(account_key, query, content)):
        raise Refused(errors.BAD_CONTINUATION)
    range_id, position, rows, passed, key, split = orjson.loads(content)
    pairs = tuple((each, read) for each, read in split)
    return Position(range_id, position, rows, passed, None if key is None else base64.b64decode(key), pairs)


def _seal(account_key: bytes, query: Any, content: bytes) -> bytes:
    identity = orjson.dumps(query, option=orjson.OPT_SORT_KEYS)
    return hmac.digest(account_key, hashlib.sha256(identity).digest() + content, "sha256")[:SEAL_BYTES]
