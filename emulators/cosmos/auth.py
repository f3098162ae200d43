"""Who may do what: master keys over the signed payload. Raises Refused with the service's own errors.

Signatures are compared in constant time; keys and signatures never reach a log.
"""

from __future__ import annotations

import base64
import hmac
from email.utils import parsedate_to_datetime
from urllib.parse import unquote

from emulators.base.serving import Request
from emulators.cosmos import errors, limits
from emulators.cosmos.account import Account
from emulators.cosmos.errors import Refused
from emulators.cosmos.wire import Target

_SIGNED_TYPES = {"operations": "colls"}
"""Resource types that clients sign under another name (azure-cosmos _base.py: partitionkey is signed as colls)."""


def authorize(account: Account, request: Request, target: Target) -> None:
    """Return when the request may proceed. Raises Refused."""
    header = request.headers.get("authorization")
    if not header:
        raise Refused(errors.MISSING_AUTHORIZATION)
    kind, signature = _parse(header)
    if kind != "master":
        raise Refused(errors.NOT_BUILT, f"Authorization of type '{kind}' is not implemented in this emulator.")
    payload = signed_payload(request, target)
    expected = base64.b64encode(hmac.digest(account.key, payload.encode(), "sha256"))
    if not hmac.compare_digest(expected, signature.encode("utf-8", "replace")):
        shown = payload.replace("\n", "\\n")
        raise Refused(
            errors.UNAUTHORIZED, f"{errors.UNAUTHORIZED.text} Server used the following payload to sign: '{shown}'"
        )
    _check_date(account, request)


def signed_payload(request: Request, target: Target) -> str:
    """The text that a client has to sign for `request`."""
    kind = _SIGNED_TYPES.get(target.kind, target.kind)
    path = target.owner_path
    if target.kind == "operations":
        path = "/".join(f"{each}/{name}" for each, name in zip(target.types[:2], target.names[:2], strict=True))
    elif is_rid_based(target) or (target.kind == "offers" and target.names):
        path = target.names[-1].lower()
    date, plain_date = request.headers.get("x-ms-date", ""), request.headers.get("date", "")
    return f"{request.method.lower()}\n{kind}\n{path}\n{date.lower()}\n{plain_date.lower()}\n"


def is_rid_based(target: Target) -> bool:
    """Whether a path is made of rids: then its first name is eight characters that stand for four bytes."""
    if not target.names or target.types[0] != "dbs" or len(target.names[0]) != 8:
        return False
    try:
        return len(base64.b64decode(target.names[0].replace("-", "/"), validate=True)) == 4
    except ValueError:
        return False


def _parse(header: str) -> tuple[str, str]:
    """(type, signature) of an authorization header."""
    parts = dict(part.partition("=")[::2] for part in _unquoted(header).split("&"))
    if parts.get("ver") not in ("1.0", "1") or "type" not in parts or "sig" not in parts:
        raise Refused(errors.UNAUTHORIZED, "The format of the authorization header is invalid.")
    return parts["type"], parts["sig"]


def _unquoted(header: str) -> str:
    """The header decoded; clients that do not encode it have no percent sign in it."""
    return unquote(header)


def _check_date(account: Account, request: Request) -> None:
    text = request.headers.get("x-ms-date") or request.headers.get("date", "")
    try:
        seconds = parsedate_to_datetime(text).timestamp()
    except ValueError:
        raise Refused(errors.UNAUTHORIZED, "The request has no valid x-ms-date or date header.") from None
    # Clients sign with real time, which the emulator's user may have turned ahead of.
    real_now = account.clock.now() - account.clock.offset_seconds
    if abs(real_now - seconds) > limits.SIGNATURE_SKEW_SECONDS_MAX:
        raise Refused(errors.DATE_SKEWED)
