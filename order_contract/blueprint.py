"""The function that serves the contract."""

from __future__ import annotations

import hashlib
import json
from functools import cache

import azure.functions as func

from order_contract.document import build

MAX_AGE_SECONDS = 300
"""How long a consumer may keep the contract without asking: it changes with deployments only."""

blueprint = func.Blueprint()  # type: ignore[no-untyped-call]


@cache
def _contract() -> tuple[bytes, str]:
    """The document as it is sent, and its tag."""
    text = json.dumps(build(), separators=(",", ":")).encode()
    return text, f'"{hashlib.sha256(text).hexdigest()[:32]}"'


@blueprint.function_name("GetOpenApi")
@blueprint.route("openapi.json", methods=[func.HttpMethod.GET], auth_level=func.AuthLevel.ANONYMOUS)
async def get_open_api(req: func.HttpRequest) -> func.HttpResponse:
    """The contract, in OpenAPI 3.1."""
    text, tag = _contract()
    headers = {"ETag": tag, "Cache-Control": f"public, max-age={MAX_AGE_SECONDS}"}
    known = req.headers.get("If-None-Match", "")
    if known.strip() == "*" or tag in known:
        return func.HttpResponse(status_code=304, headers=headers)
    return func.HttpResponse(text, headers=headers, mimetype="application/json")
