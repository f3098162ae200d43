"""Who may do what: the master key's signature, resource tokens, identity tokens.

Raises Refused with the service's own errors. Signatures are compared in constant time; keys and signatures never
reach a log.
"""

from __future__ import annotations

import base64
import hmac
from email.utils import parsedate_to_datetime
from functools import lru_cache
from urllib.parse import unquote

import orjson

from emulators.base.serving import Request
from emulators.cosmos import errors, limits
from emulators.cosmos.account import Account
from emulators.cosmos.errors import Refused
from emulators.cosmos.partitioning import Key, PartitionKeyError, canonical, is_same, parse_header
from emulators.cosmos.store.documents import identity_of_rid
from emulators.cosmos.tokens import CATALOGUED, Grant, Scope, redeem, resolve, resolve_link
from emulators.cosmos.wire import Target

READS = ("read", "list", "query", "plan", "changes")
"""Actions that a Read grant permits, and an identity on descriptions."""
_SIGNED_TYPES = {"operations": "colls"}
"""Resource types that clients sign under another name (azure-cosmos _base.py: partitionkey is signed as colls)."""
_ITEM_DEPTH = 6
"""Types and names in an item's path."""


def authorize(account: Account, request: Request, target: Target, action: str) -> None:
    """Return when the request, which asks for `action`, may proceed. Raises Refused."""
    kind, signature = _parse(require_authorization(request))
    match kind:
        case "master":
            _check_master(account, request, target, signature)
        case "resource":
            _check_grant(account, request, target, action, redeem(account.key, signature))
        case "aad":
            _check_identity(account, target, action, signature)
        case "sas":
            raise Refused(errors.NOT_BUILT, "Authorization by a SAS token is not implemented in this emulator.")
        case _:
            raise Refused(errors.UNAUTHORIZED, f"Authorization of type '{kind[:40]}' is unknown.")


def require_authorization(request: Request) -> str:
    """The authorization header. Raises Refused when there is none."""
    header = request.headers.get("authorization")
    if not header:
        raise Refused(errors.MISSING_AUTHORIZATION)
    return header


def is_signed_by(key: bytes, request: Request, target: Target) -> bool:
    """Whether a request's authorization was made with this raw account key, whatever it permits."""
    try:
        kind, signature = _parse(request.headers.get("authorization", ""))
    except Refused:
        return False
    match kind:
        case "master":
            return _is_master(key, signed_payload(request, target), signature)
        case "resource":
            return redeem(key, signature) is not None
    parts = signature.split(".")
    return len(parts) == 3 and _holds_key(key, parts[2])


def _is_master(key: bytes, payload: str, signature: str) -> bool:
    expected = base64.b64encode(hmac.digest(key, payload.encode("utf-8", "replace"), "sha256"))
    return hmac.compare_digest(expected, signature.encode("utf-8", "replace"))


def _holds_key(key: bytes, part: str) -> bool:
    """Whether the third part of an identity token is an account's key."""
    return hmac.compare_digest(_base64url(part), base64.b64encode(key))


def _check_master(account: Account, request: Request, target: Target, signature: str) -> None:
    payload = signed_payload(request, target)
    if not _is_master(account.key, payload, signature):
        shown = payload.replace("\n", "\\n")
        raise Refused(
            errors.UNAUTHORIZED, f"{errors.UNAUTHORIZED.text} Server used the following payload to sign: '{shown}'"
        )
    _check_date(account, request)


def _check_grant(account: Account, request: Request, target: Target, action: str, grant: Grant | None) -> None:
    """A resource token serves its resource and what is below it; any token reads the account document."""
    if grant is None:
        raise Refused(errors.UNAUTHORIZED)
    if account.clock.now() >= grant.expires:
        raise Refused(errors.TOKEN_EXPIRED)
    if not target.types:
        return
    catalog = account.store.catalog
    scope = resolve_link(catalog, grant.link)
    asked = resolve(catalog, target.types, target.names)
    if scope is None or asked is None:
        raise Refused(errors.FORBIDDEN)
    # To use an item's token a client has to learn its container's partition key and ranges first.
    if target.kind in ("colls", "pkranges") and action in ("read", "list") and scope[: len(asked)] == asked[:4]:
        return
    key = _key(request.headers.get("x-ms-documentdb-partitionkey", ""))
    if asked[: len(scope)] != scope and not _is_same_item(account, scope, asked, key):
        raise Refused(errors.FORBIDDEN)
    itself = len(asked) == len(scope) and not target.is_feed
    writes_description = itself and target.kind in CATALOGUED and action in ("replace", "delete")
    if writes_description or (grant.mode.lower() != "all" and action not in READS):
        raise Refused(errors.FORBIDDEN)
    if grant.partition_key is not None and target.kind == "docs":
        permitted = _key(orjson.dumps(grant.partition_key).decode())
        if key is None or permitted is None or not is_same(key, permitted):
            raise Refused(errors.FORBIDDEN)


def _key(text: str) -> Key | None:
    """The partition key in a text, None where there is none or nobody can read it."""
    try:
        return parse_header(text)
    except PartitionKeyError:
        return None


def _is_same_item(account: Account, scope: Scope, asked: Scope, key: Key | None) -> bool:
    """Whether an item granted under one of its two names, its id and its rid, is asked for under the other."""
    if len(scope) != _ITEM_DEPTH or len(asked) != _ITEM_DEPTH or scope[:5] != asked[:5] or scope[4] != "docs":
        return False
    container = account.store.catalog.container_by_rid(scope[3])
    if container is None or key is None:
        return False
    granted, wanted = (identity_of_rid(account.store.connection, container, name) for name in (scope[5], asked[5]))
    if granted:
        return granted == (asked[5], canonical(key))
    return wanted == (scope[5], canonical(key))


def _check_identity(account: Account, target: Target, action: str, token: str) -> None:
    """Entra tokens cannot be verified offline; like Microsoft's emulator we take one whose third part is the key."""
    parts = token.split(".")
    claims = _decode(parts[1]) if len(parts) == 3 else None
    if not isinstance(claims, dict) or not _holds_key(account.key, parts[2]):
        raise Refused(errors.UNAUTHORIZED)
    expires = claims.get("exp")
    real_now = account.clock.now() - account.clock.offset_seconds
    if not isinstance(expires, int | float) or expires <= real_now:
        raise Refused(errors.TOKEN_EXPIRED)
    if action not in READS and target.kind in (*CATALOGUED, "offers") and action != "execute":
        raise Refused(errors.AAD_METADATA_WRITE)


def _decode(part: str) -> object:
    try:
        return orjson.loads(_base64url(part))
    except orjson.JSONDecodeError:
        return None


def _base64url(part: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except ValueError:
        return b""


def signed_payload(request: Request, target: Target) -> str:
    """The text that a client has to sign for `request`."""
    kind = _SIGNED_TYPES.get(target.kind, target.kind)
    path = target.owner_path
    if target.kind == "operations":
        path = "/".join(f"{each}/{name}" for each, name in zip(target.types[:2], target.names[:2], strict=True))
    elif target.is_rid_based or (target.kind == "offers" and target.names):
        path = target.names[-1].lower()
    date, plain_date = request.headers.get("x-ms-date", ""), request.headers.get("date", "")
    return f"{request.method.lower()}\n{kind}\n{path}\n{date.lower()}\n{plain_date.lower()}\n"


def _parse(header: str) -> tuple[str, str]:
    """(type, signature) of an authorization header."""
    parts = dict(part.partition("=")[::2] for part in unquote(header).split("&"))
    if parts.get("ver") not in ("1.0", "1") or "type" not in parts or "sig" not in parts:
        raise Refused(errors.UNAUTHORIZED, "The format of the authorization header is invalid.")
    return parts["type"], parts["sig"]


def _check_date(account: Account, request: Request) -> None:
    seconds = _moment(request.headers.get("x-ms-date") or request.headers.get("date", ""))
    if seconds is None:
        raise Refused(errors.UNAUTHORIZED, "The request has no valid x-ms-date or date header.")
    # Clients sign with real time; the emulator's user may have turned its clock ahead, and a simulation lives by it.
    turned, real = account.clock.now(), account.clock.now() - account.clock.offset_seconds
    if min(abs(turned - seconds), abs(real - seconds)) > limits.SIGNATURE_SKEW_SECONDS_MAX:
        raise Refused(errors.DATE_SKEWED)


@lru_cache(maxsize=64)
def _moment(text: str) -> float | None:
    """An HTTP date in seconds; the requests of one second share it."""
    try:
        return parsedate_to_datetime(text).timestamp()
    except ValueError:
        return None
