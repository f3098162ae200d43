"""How Azure Resource Manager speaks, whatever the resource: a call's names and body, a table of routes, operations.

It must not know which resources there are.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import orjson

from emulators.base.serving import Request, Response
from emulators.eventgrid import errors
from emulators.eventgrid.errors import Refused

OPERATIONS = "/providers/microsoft.eventgrid/locations/local/operationsstatus/"
ACCOUNT = r"/subscriptions/(?P<account>[^/]+)"
GROUP = ACCOUNT + r"/resourceGroups/(?P<group>[^/]+)"

Owner = TypeVar("Owner")


@dataclass(frozen=True, slots=True)
class Call:
    """One ARM request: the path's names, the body, and the address it was called by."""

    request: Request
    names: Mapping[str, str]

    @property
    def base_url(self) -> str:
        """Scheme and authority as the client called them."""
        return f"{self.request.scheme}://{self.request.host}"

    @property
    def group_id(self) -> str:
        """The resource group of the path."""
        return f"/subscriptions/{self.names['account']}/resourceGroups/{self.names['group']}"

    def body(self) -> dict[str, Any]:
        """The body as a JSON object. Raises Refused."""
        try:
            document = orjson.loads(self.request.body)
        except orjson.JSONDecodeError as failure:
            raise Refused(errors.ARM_BAD_JSON, f"The request content is not valid JSON: {failure}.") from failure
        if not isinstance(document, dict):
            raise Refused(errors.ARM_BAD_JSON, "The request content must be a JSON object.")
        return document

    def properties(self) -> dict[str, Any]:
        """The body's `properties`, empty when there are none. Raises Refused."""
        properties = self.body().get("properties")
        if properties is not None and not isinstance(properties, dict):
            raise Refused(errors.ARM_INVALID_REQUEST, "properties must be an object.")
        return properties or {}


Operation = Callable[[Owner, Call], Awaitable[Response]]
Row = tuple[str, re.Pattern[str], Operation[Owner]]


def routes(*rows: tuple[str, str, Operation[Owner]]) -> list[Row[Owner]]:
    """(method, path, operation); paths are matched without regard to case."""
    return [(method, re.compile(path, re.IGNORECASE), operation) for method, path, operation in rows]


async def answer(table: Sequence[Row[Owner]], owner: Owner, request: Request) -> Response:
    """The answer of the operation that `table` has for a request."""
    try:
        _check(request)
        allowed = []
        for method, pattern, operation in table:
            if found := pattern.fullmatch(request.path.rstrip("/")):
                if method == request.method:
                    return await operation(owner, Call(request, found.groupdict()))
                allowed.append(method)
        if allowed:
            raise Refused(
                errors.ARM_METHOD_NOT_ALLOWED, f"{request.method} is not supported here.", {"allow": ", ".join(allowed)}
            )
        raise _unknown(request.path)
    except Refused as refused:
        return errors.arm_answer(refused)


def json_answer(status: int, document: object, headers: Mapping[str, str] | None = None) -> Response:
    """An answer in JSON."""
    return Response(
        status, {"content-type": "application/json; charset=utf-8", **(headers or {})}, orjson.dumps(document)
    )


def accepted(call: Call) -> Response:
    """202 for what is done already; the operation it names has succeeded."""
    address = f"{call.base_url}{OPERATIONS}done?{call.request.query_string}"
    return Response(202, {"azure-asyncoperation": address, "location": address, "retry-after": "0"})


def key_name(call: Call) -> str:
    """Which key is to be regenerated. Raises Refused."""
    name = call.body().get("keyName")
    if name not in ("key1", "key2"):
        raise Refused(errors.ARM_INVALID_REQUEST, "keyName must be key1 or key2.")
    return str(name)


def keys_answer(keys: tuple[str, str]) -> Response:
    """Both keys."""
    return json_answer(200, {"key1": keys[0], "key2": keys[1]})


def _check(request: Request) -> None:
    if not request.headers.get("authorization", "").lower().startswith("bearer "):
        raise Refused(
            errors.ARM_NO_TOKEN,
            "Authentication failed. The 'Authorization' header is missing.",
            {"www-authenticate": 'Bearer error="invalid_token"'},
        )
    if not dict(request.query).get("api-version"):
        raise Refused(errors.ARM_NO_API_VERSION, "The api-version query parameter (?api-version=) is required.")


def _unknown(path: str) -> Refused:
    """What Event Grid has and this emulator has not is said by name."""
    found = re.search(r"/providers/Microsoft\.EventGrid/(.+)", path, re.IGNORECASE)
    if found:
        return Refused(errors.ARM_NOT_BUILT, f"This emulator does not have 'Microsoft.EventGrid/{found[1]}'.")
    return Refused(errors.ARM_UNKNOWN_PATH, f"The resource type of '{path}' is not one of Microsoft.EventGrid.")
