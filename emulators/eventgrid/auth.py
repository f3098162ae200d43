"""Who may publish: access keys, shared access signatures in every spelling the SDKs produce, bearer tokens.

Pure: it is given a request's headers, the topic's keys and the time. It must not know what is published.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from urllib.parse import unquote, unquote_plus, urlsplit

from emulators.eventgrid.errors import INVALID_SAS, UNAUTHORIZED, Refused
from emulators.eventgrid.moments import parse_moment

DEVELOPMENT_KEY = "bG9jYWwtZXZlbnQtZ3JpZC1kZXZlbG9wbWVudC1rZXk="
"""key1 of every topic unless --key says otherwise. It is no secret: anybody may read it here."""
SECOND_DEVELOPMENT_KEY = "bG9jYWwtZXZlbnQtZ3JpZC1kZXZlbG9wbWVudC1rZXktMg=="
"""key2 of every topic, so that rotation has something to rotate to."""

KEY_HEADER = "aeg-sas-key"
TOKEN_HEADER = "aeg-sas-token"  # noqa: S105 - a header's name
_SIGNATURE_SCHEME = "sharedaccesssignature "
_BEARER_SCHEME = "bearer "
_LOST_PLUS = re.compile(r"(:\d\d(?:\.\d+)?) (\d\d:\d\d)$")


def authorize(
    headers: Mapping[str, str],
    query: Mapping[str, str],
    *,
    path: str,
    keys: Sequence[str],
    now: datetime,
    bearer_allowed: bool,
) -> None:
    """Return when the request to `path` may publish; raise Refused (400 or 401) when it may not.

    `keys` is empty where local authentication is disabled.
    """
    host = headers.get("host", "")
    key = headers.get(KEY_HEADER, query.get(KEY_HEADER))
    authorization = headers.get("authorization", "")
    if key is not None:
        _check_key(key, keys, host)
    elif TOKEN_HEADER in headers:
        _check_signature(headers[TOKEN_HEADER], keys, host, path, now)
    elif authorization.lower().startswith(_SIGNATURE_SCHEME):
        _check_signature(authorization[len(_SIGNATURE_SCHEME) :].strip(), keys, host, path, now)
    elif authorization.lower().startswith(_BEARER_SCHEME):
        if not (bearer_allowed and authorization[len(_BEARER_SCHEME) :].count(".") == 2):
            raise Refused(UNAUTHORIZED, "Unable to read access token.")
    else:
        raise Refused(
            UNAUTHORIZED,
            "Request must contain one of the following authorization signature: aeg-sas-token, aeg-sas-key.",
        )


def _check_key(key: str, keys: Sequence[str], host: str) -> None:
    if not key:
        raise Refused(INVALID_SAS, "Request must have a value for aeg-sas-key.")
    given = key.encode("utf-8", "surrogateescape")
    if not any(hmac.compare_digest(given, each.encode()) for each in keys):
        raise _not_authorized(host, _refusal_of_keys(keys) or "The key does not match either key of the topic.")


def _check_signature(token: str, keys: Sequence[str], host: str, path: str, now: datetime) -> None:
    """The signature covers the text as it came, so it is verified before anything is decoded."""
    signed, found, encoded_signature = token.rpartition("&s=")
    fields = dict(part.partition("=")[::2] for part in signed.split("&"))
    if not found or "r" not in fields or "e" not in fields:
        raise _not_authorized(host, "The token is not of the form r={resource}&e={expiry}&s={signature}.")
    given = unquote(encoded_signature).encode("utf-8", "surrogateescape")
    if not any(hmac.compare_digest(given, sign(signed, each)) for each in keys):
        raise _not_authorized(host, _refusal_of_keys(keys) or "The signature of the token does not match.")
    expiry = parse_expiry(unquote_plus(fields["e"]))
    if expiry is None:
        raise _not_authorized(host, "The expiry of the token cannot be read.")
    if expiry <= now:
        raise _not_authorized(host, "The token has expired.")
    resource = urlsplit(unquote_plus(fields["r"])).path.rstrip("/").lower()
    if not (path.rstrip("/").lower() + "/").startswith(resource + "/"):
        raise _not_authorized(host, "The token is for another resource.")


def sign(text: str, key: str) -> bytes:
    """Base64 of the HMAC-SHA256 of `text` under the base64 `key`, as ASCII bytes."""
    try:
        secret = base64.b64decode(key, validate=True)
    except binascii.Error:
        secret = key.encode()
    return base64.b64encode(hmac.digest(secret, text.encode("utf-8", "surrogateescape"), hashlib.sha256))


def parse_expiry(text: str) -> datetime | None:
    """The moment `text` names, in any of the SDKs' spellings: a decoded `+00:00` may have become ` 00:00`."""
    return parse_moment(_LOST_PLUS.sub(r"\1+\2", text.strip()))


def _refusal_of_keys(keys: Sequence[str]) -> str:
    return "" if keys else "Local authentication is disabled for this topic."


def _not_authorized(host: str, reason: str) -> Refused:
    return Refused(
        UNAUTHORIZED,
        f"The request authorization key is not authorized for {host.upper()}. This is due to the reason: {reason}",
    )
