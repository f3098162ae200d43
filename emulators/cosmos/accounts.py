"""Several accounts on one server: which of them a request is for.

In the service an account is a host name. Where such names resolve (`http://orders.localhost:8081`) they are used here
too; where they do not, and for a client that calls 127.0.0.1, the account is the one whose key made the request's
authorization. What names no account is the first one's; a header that names another is refused. Each account has its
own data, faults and control endpoints.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from emulators.base.control import problem
from emulators.base.serving import Application, Request, Response
from emulators.cosmos.auth import is_signed_by
from emulators.cosmos.wire import target_of

ACCOUNT_HEADER = "x-emulator-account"
"""Names an account to the control endpoints, which are called without authorization."""
NAME = re.compile(r"[a-z0-9][a-z0-9-]{2,43}")
"""The service's rule for account names: 3 to 44 lower-case letters, digits and hyphens."""


@dataclass(frozen=True, slots=True)
class Member:
    """One of the accounts: its raw key and what serves it."""

    key: bytes
    application: Application


def together(members: Mapping[str, Member]) -> Application:
    """One application for accounts by name; the first takes what names none."""
    first = next(iter(members.values()))

    def member_of(request: Request) -> Member | None:
        named = request.headers.get(ACCOUNT_HEADER)
        if named is not None:
            return members.get(named.lower())
        if by_host := members.get(request.host.partition(":")[0].partition(".")[0].lower()):
            return by_host
        target = target_of(request)
        return next((each for each in members.values() if is_signed_by(each.key, request, target)), first)

    async def handle(request: Request) -> Response:
        member = member_of(request)
        if member is None:
            return problem(404, f"{ACCOUNT_HEADER} names no account: there are {', '.join(members)}.")
        return await member.application.handle(request)

    async def close() -> None:
        for each in members.values():
            await each.application.close()

    shared = first.application
    return Application(handle, shared.refuse_body, shared.body_bytes_max, close=close)


def parse_account(text: str) -> tuple[str, str]:
    """(name, key) of NAME=KEY. Raises ValueError."""
    name, _, key = text.partition("=")
    if not NAME.fullmatch(name) or not key:
        raise ValueError(f"{name!r} is no account: give NAME=KEY, the name of 3 to 44 of a-z, 0-9 and -.")
    return name, key
