"""Continuation tokens of our own: the key where a page ended and the query it belongs to, signed. Pure.

Signed, because a key is part of a query: nobody may make one up, change one, or use one with another filter.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping

from update_order_status_read_model.limits import CONTINUATION_TOKEN_CHARACTERS_MAX

_SIGNATURE_BYTES = hashlib.sha256().digest_size


class TokenRefused(ValueError):
    """The token is not one of ours, or belongs to another query."""


def sign_token(secret: bytes, query: Mapping[str, str], key: Mapping[str, str | int]) -> str:
    """A token that continues `query` after `key`."""
    payload = json.dumps({"query": dict(query), "key": dict(key)}, separators=(",", ":"), sort_keys=True).encode()
    return _encode(_signature(secret, payload) + payload)


def read_token(secret: bytes, query: Mapping[str, str], token: str) -> Mapping[str, str | int]:
    """The key in `token`. Raises TokenRefused unless it was signed with `secret` for `query`."""
    if len(token) > CONTINUATION_TOKEN_CHARACTERS_MAX:
        raise TokenRefused("the token is too long to be one of ours")
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as failure:
        raise TokenRefused("the token is not base64url") from failure
    if _encode(raw) != token:  # base64 has several spellings for the same bytes; ours is one
        raise TokenRefused("the token is not as this service writes it")
    signature, payload = raw[:_SIGNATURE_BYTES], raw[_SIGNATURE_BYTES:]
    if not hmac.compare_digest(signature, _signature(secret, payload)):
        raise TokenRefused("the token was not made by this service, or has been changed")
    content = json.loads(payload)
    if content["query"] != dict(query):
        raise TokenRefused("the token continues another query; repeat the parameters that came with it")
    key: Mapping[str, str | int] = content["key"]
    return key


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _signature(secret: bytes, payload: bytes) -> bytes:
    return hmac.new(secret, payload, hashlib.sha256).digest()
