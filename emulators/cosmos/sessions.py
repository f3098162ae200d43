"""Consistency: the level a request asks for, and session tokens: what a client has seen, range by range.

One replica is always up to date, so that every level is kept; what can fail is a session token from the future.
A token is `<range id>:<version>#<LSN>[#<region>=<LSN>…]`, several joined by commas (azure-cosmos
_vector_session_token.py).
"""

from __future__ import annotations

from emulators.cosmos import errors
from emulators.cosmos.account import CONSISTENCY_LEVELS
from emulators.cosmos.decimals import whole_number
from emulators.cosmos.errors import Refused
from emulators.cosmos.store.catalog import Container, Range
from emulators.cosmos.store.documents import lsn_of
from emulators.cosmos.wire import Call, Target

_TWO_REPLICAS = ("strong", "boundedstaleness")
_READS = ("read", "list", "query", "changes")


def check_consistency(call: Call) -> str:
    """The level that the request is served at. Raises Refused (400): unknown, or stronger than the account's."""
    level = call.header("x-ms-consistency-level")
    if not level:
        return call.account.consistency
    known = [each.lower() for each in CONSISTENCY_LEVELS]
    if level.lower() not in known:
        raise Refused(errors.BAD_HEADER, f"The consistency level '{level[:100]}' is invalid.")
    if known.index(level.lower()) < CONSISTENCY_LEVELS.index(call.account.consistency):
        raise Refused(
            errors.BAD_HEADER,
            f"The consistency level '{level}' is stronger than the account's, which is {call.account.consistency}.",
        )
    return level


def charge_factor(level: str, target: Target, action: str) -> float:
    """What a request's charge is multiplied by: reads of items at the two strongest levels ask two replicas."""
    return 2.0 if level.lower() in _TWO_REPLICAS and target.kind == "docs" and action in _READS else 1.0


def check_session(call: Call, container: Container, range_: Range, lsn: int | None = None) -> None:
    """Raises Refused (404/1002) when the request's session token is ahead of `range_`, 400 when it is malformed.

    `lsn` is the range's, read when not given.
    """
    token = call.header("x-ms-session-token")
    if not token:
        return
    seen = parse_token(token)
    wanted = seen.get(range_.id)
    if wanted is None:
        # After a split a client still holds the ancestor's token; the children carry its LSN on.
        wanted = max((reached for key, reached in seen.items() if key in range_.parents), default=0)
    if wanted > (lsn_of(call.account.store.connection, range_) if lsn is None else lsn):
        raise Refused(errors.SESSION_NOT_AVAILABLE)


def parse_token(text: str) -> dict[int, int]:
    """Range id to LSN. Raises Refused."""
    seen: dict[int, int] = {}
    for part in text.split(","):
        before, _, version = part.strip().partition(":")
        fields = version.split("#")
        written = fields[1] if len(fields) > 1 else fields[0]
        range_id, lsn = whole_number(before), whole_number(written.removeprefix("-"))
        if range_id is None or lsn is None:
            raise Refused(errors.BAD_HEADER, f"The session token '{text[:200]}' is invalid.")
        seen[range_id] = -lsn if written.startswith("-") else lsn
    return seen
