"""How Azure Resource Manager speaks, whatever the resource: a call's names and body, a table of routes, operations.

It must not know which resources there are.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

import orjson

from emulators.base.serving import Request, Response
from emulators.eventgrid import errors, limits
from emulators.eventgrid.errors import Refused
from emulators.eventgrid.odata import parse_filter

OPERATIONS = "/providers/microsoft.eventgrid/locations/local/operationsstatus/"
ACCOUNT = r"/subscriptions/(?P<account>[^/]+)"
GROUP = ACCOUNT + r"/resourceGroups/(?P<group>[^/]+)"
_API_VERSION = re.compile(r"\d{4}-\d{2}-\d{2}(?:-preview)?", re.IGNORECASE)

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

    def name(self, of: str) -> str:
        """A name that the path has."""
        return self.names[of]

    def body(self) -> dict[str, Any]:
        """The body as a JSON object. Raises Refused."""
        try:
            document = orjson.loads(self.request.body)
        except orjson.JSONDecodeError as failure:
            raise Refused(errors.ARM_BAD_JSON, f"The request content is not valid JSON: {failure}.") from failure
        if _nests_deeper(document, limits.RESOURCE_DEPTH_MAX):
            message = f"The request content nests deeper than {limits.RESOURCE_DEPTH_MAX} levels."
            raise Refused(errors.ARM_BAD_JSON, message)
        if not isinstance(document, dict):
            raise Refused(errors.ARM_BAD_JSON, "The request content must be a JSON object.")
        return document

    def properties(self) -> dict[str, Any]:
        """The body's `properties`, empty when there are none. Raises Refused."""
        return inner(self.body())

    def page(self, shown: Sequence[dict[str, Any]]) -> Response:
        """The part of a list that `$filter`, `$top` and `$skiptoken` ask for, and a link to more. Raises Refused."""
        query = dict(self.request.query)
        top = _whole(query, "$top", limits.RESOURCES_PER_PAGE, 1, limits.RESOURCES_PER_PAGE_MAX)
        begin = _whole(query, "$skiptoken", 0, 0, 2**53)
        if text := query.get("$filter"):
            wanted = parse_filter(text)
            shown = [each for each in shown if wanted(each["name"])]
        document: dict[str, Any] = {"value": shown[begin : begin + top]}
        if begin + top < len(shown):
            following = urlencode({**query, "$skiptoken": begin + top})
            document["nextLink"] = f"{self.base_url}{quote(self.request.path)}?{following}"
        return json_answer(200, document)


def _nests_deeper(value: object, levels: int) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return bool(inner) and (levels == 0 or any(_nests_deeper(each, levels - 1) for each in inner))


def _whole(query: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    text = query.get(name)
    if text is None:
        return default
    if not text.isdecimal() or not least <= int(text) <= most:
        raise Refused(errors.ARM_INVALID_REQUEST, f"{name} must be a whole number from {least} to {most}.")
    return int(text)


def inner(body: Mapping[str, Any]) -> dict[str, Any]:
    """The `properties` of a body, empty when there are none. Raises Refused."""
    properties = body.get("properties")
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
            if found := pattern.fullmatch(normal(request.path)):
                if method == request.method:
                    return await operation(owner, Call(request, found.groupdict()))
                allowed.append(method)
        if allowed:
            raise Refused(
                errors.ARM_METHOD_NOT_ALLOWED,
                f"{request.method} is not supported here.",
                {"allow": ", ".join(dict.fromkeys(allowed))},
            )
        raise _unknown(request.path)
    except Refused as refused:
        return errors.arm_answer(refused)


def json_answer(status: int, document: object, headers: Mapping[str, str] | None = None) -> Response:
    """An answer in JSON."""
    return Response(
        status, {"content-type": "application/json; charset=utf-8", **(headers or {})}, orjson.dumps(document)
    )


def normal(path: str) -> str:
    """A path with one slash before it: the SDK puts one before scopes that have their own."""
    return "/" + path.strip("/")


def not_found(arm_id: str) -> Refused:
    """ARM's 404."""
    return Refused(errors.ARM_NOT_FOUND, f"The Resource '{arm_id}' was not found.")


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
    version = dict(request.query).get("api-version")
    if not version:
        raise Refused(errors.ARM_NO_API_VERSION, "The api-version query parameter (?api-version=) is required.")
    if not _API_VERSION.fullmatch(version):
        raise Refused(
            errors.ARM_INVALID_API_VERSION,
            f"The api-version '{version:.40}' is invalid. The format is yyyy-mm-dd or yyyy-mm-dd-preview.",
        )


def _unknown(path: str) -> Refused:
    """What Event Grid has and this emulator has not is said by name."""
    found = re.search(r"/providers/Microsoft\.EventGrid/(.+)", path, re.IGNORECASE)
    if found:
        return Refused(errors.ARM_NOT_BUILT, f"This emulator does not have 'Microsoft.EventGrid/{found[1]}'.")
    return Refused(errors.ARM_UNKNOWN_PATH, f"The resource type of '{path}' is not one of Microsoft.EventGrid.")
