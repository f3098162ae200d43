"""Refusals of a namespace's data plane: status, code, body, and what a lock token that does not hold is told.

ARM's refusals are the emulator's own (`emulators.eventgrid.errors`).
"""

from __future__ import annotations

from dataclasses import dataclass

import orjson

from emulators.base.serving import Response
from emulators.eventgrid.errors import Kind, Refused

ARGUMENT_INVALID = Kind(400, "ArgumentInvalid")
"""Seen on Azure: azure-sdk-for-python#30570 (maxWaitTime)."""
UNAUTHORIZED = Kind(401, "Unauthorized")
FORBIDDEN = Kind(403, "Forbidden")
"""What the service's description gives for a request that is too large."""
NOT_FOUND = Kind(404, "ResourceNotFound")
METHOD_NOT_ALLOWED = Kind(405, "MethodNotAllowed")
TOPIC_GONE = Kind(410, "Gone")
"""What the service's description gives for a topic that is not there."""
UNSUPPORTED_MEDIA_TYPE = Kind(415, "UnsupportedMediaType")
NOT_BUILT = Kind(501, "NotImplemented")  # the emulator's own


@dataclass(frozen=True, slots=True)
class TokenError:
    """Why a lock token was not settled."""

    code: str
    message: str


TOKEN_LOST = TokenError("TokenLost", "Token has expired.")
"""Seen on Azure: azure-sdk-for-go, aznamespaces/client_test.go. Also what a settled token gets."""
BAD_TOKEN = TokenError("BadToken", "Token is not valid.")
"""The code: seen on Azure, azure-rest-api-specs#23754. The words are ours."""


def answer(refused: Refused) -> Response:
    """The error body, and the code once more as a header."""
    body = {"error": {"code": refused.kind.code, "message": refused.message}}
    headers = {
        "content-type": "application/json; charset=utf-8",
        "x-ms-error-code": refused.kind.code,
        **refused.headers,
    }
    return Response(refused.kind.status, headers, orjson.dumps(body))
