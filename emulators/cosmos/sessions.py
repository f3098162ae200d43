"""Consistency: the level a request asks for, and session tokens: what a client has seen, range by range.

One replica is always up to date, so that every level is kept; what can fail is a session token from the future.
A token is `<range id>:<version>#<LSN>[#<region>=<LSN>…]`, several joined by commas (azure-cosmos
_vector_session_token.py).
"""

from __future__ import annotations

from emulators.cosmos import errors
from emulators.cosmos.account import CONSISTENCY_LEVELS
from emulators.cosmos.errors import Refused
from emulators.cosmos.store.catalog import Container, Range
from emulators.cosmos.store.documents import lsn_of
from emulators.cosmos.wire import Call


def check_consistency(call: Call) -> None:
    """Raises Refused (400) when the request asks for an unknown level, or one stronger than the account's."""
    level = call.header("x-ms-consistency-level")
    if not level:
        return
    known = [each.lower() for each in CONSISTENCY_LEVELS]
    if level.lower() not in known:
        raise Refused(errors.BAD_HEADER, f"The consistency level '{level[:100]}' is invalid.")
    if known.index(level.lower()) < CONSISTENCY_LEVELS.index(call.account.consistency):
        raise Refused(
            errors.BAD_HEADER,
            f"The consistency level '{level}' is stronger than the account's, which is {call.account.consistency}.",
        )


def check_session(call: Call, container: Container, range_: Range) -> None:
    """Raises Refused (404/1002) when the request's session token is ahead of `range_`, 400 when it is malformed."""
    token = call.header("x-ms-session-token")
    if not token:
        return
    wanted = parse_token(token).get(range_.id)
    if wanted is None:
        # After a split a client still holds the ancestor's token; the children carry its LSN on.
        wanted = max((lsn for key, lsn in parse_token(token).items() if key in range_.parents), default=0)
    if wanted > lsn_of(call.account.store.connection, range_):
        raise Refused(errors.SESSION_NOT_AVAILABLE)


def parse_token(text: str) -> dict[int, int]:
    """Range id to LSN. Raises Refused."""
    seen: dict[int, int] = {}
    for part in text.split(","):
        range_id, colon, version = part.strip().partition(":")
        fields = version.split("#")
        lsn = fields[1] if len(fields) > 1 else fields[0]
        if not colon or not range_id.isdecimal() or not lsn.lstrip("-").isdecimal():
            raise Refused(errors.BAD_HEADER, f"The session token '{text[:200]}' is invalid.")
        seen[int(range_id)] = int(lsn)
    return seen
