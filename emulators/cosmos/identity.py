"""Identity tokens for unmodified clients: what a managed identity's endpoint answers, for this account.

azure-identity finds it by two variables, as in App Service: IDENTITY_ENDPOINT is this URL, IDENTITY_HEADER the account
key, or any text where the account has the published one. Such tokens are unsigned and end in the account key, which is
how Microsoft's emulator takes them (`auth`).
"""

from __future__ import annotations

import base64
import hmac

import orjson

from emulators.base.control import json_response, problem
from emulators.base.serving import Request, Response
from emulators.cosmos import limits
from emulators.cosmos.account import WELL_KNOWN_KEY, Account, decode_key

PATH = "/_emulator/identity"
SECRET_HEADER = "x-identity-header"  # noqa: S105 - the header's name
"""A web page cannot send it unasked; so this needs no other control header."""


def token(account: Account, request: Request) -> Response:
    """GET: a token for the resource in the query."""
    if request.method != "GET":
        return problem(405, "Identity tokens are fetched with GET.")
    secret = request.headers.get(SECRET_HEADER)
    key = base64.b64encode(account.key)
    if not secret:
        return problem(400, "Set IDENTITY_HEADER to this account's key: azure-identity sends it as X-IDENTITY-HEADER.")
    if account.key != decode_key(WELL_KNOWN_KEY) and not hmac.compare_digest(secret.encode("utf-8", "replace"), key):
        return problem(401, "This account has a key of its own: set IDENTITY_HEADER to it.")
    resource = dict(request.query).get("resource")
    if not resource:
        return problem(400, "Name what the token is for in the query: ?resource=…")
    now = int(account.clock.now() - account.clock.offset_seconds)  # clients judge by real time
    claims = {"aud": resource, "iss": PATH, "iat": now, "nbf": now, "exp": now + limits.IDENTITY_TOKEN_SECONDS}
    parts = (orjson.dumps({"alg": "none", "typ": "JWT"}), orjson.dumps(claims), key)
    return json_response(
        200,
        {
            "access_token": ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts),
            "expires_on": str(claims["exp"]),
            "resource": resource,
            "token_type": "Bearer",
        },
    )
