"""HTTP triggers: from a request to the datum that the converter decodes, and from what came back to a response.

Pure. Must not know how functions are found (routes) or who may call them (keys).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import parse_qsl

from emulators.base.serving import Request, Response
from emulators.functions_host.converters import Datum

TEXT = "text/plain; charset=utf-8"
OWNED_BY_SERVER = frozenset({"content-length", "transfer-encoding", "connection", "set-cookie"})
"""Headers of a function's answer that the server computes itself."""


def request_datum(request: Request, route_values: Mapping[str, str]) -> Datum:
    """The request as the host sends it to the worker: lower-case names, joined duplicates, no empty query value.

    The body is empty unless Content-Length announces one: a chunked body never reaches a worker.
    """
    query: dict[str, str] = {}
    if request.query_string:
        for name, value in parse_qsl(request.query_string):
            query[name] = f"{query[name]},{value}" if name in query else value
    body = request.body if "content-length" in request.headers else b""
    return Datum(
        {
            "method": Datum(request.method, "string"),
            "url": Datum(f"{request.scheme}://{request.host}{request.target}", "string"),
            "headers": {name: Datum(value, "string") for name, value in request.headers.items()},
            "params": {name: Datum(value, "string") for name, value in route_values.items()},
            "query": {name: Datum(value, "string") for name, value in query.items()},
            "body": Datum(body, "bytes"),
        },
        "http",
    )


def response(answer: Datum | None) -> Response:
    """The answer for what the function gave its HTTP output, encoded by the library's converter; 200 for nothing."""
    if answer is None or answer.type is None:
        return Response(200)
    if answer.type == "http":
        return _from_http(answer.value)
    return _from_text(str(answer.value))


def text_response(status: int, text: str) -> Response:
    """An answer of the host's own, in plain text."""
    return Response(status, {"content-type": TEXT}, text.encode())


def _from_http(value: Mapping[str, Any]) -> Response:
    headers: dict[str, str | list[str]] = {}
    for name, datum in value["headers"].items():
        lower = name.lower()
        if lower not in OWNED_BY_SERVER:
            headers[lower] = datum.value
    if value.get("cookies"):
        headers["set-cookie"] = [line for cookie in value["cookies"] for line in _cookie_lines(cookie)]
    return Response(int(value["status_code"].value), headers, value["body"].value)


def _cookie_lines(cookie: SimpleCookie) -> list[str]:
    return [morsel.OutputString() for morsel in cookie.values()]


def _from_text(text: str) -> Response:
    """A returned string: JSON is taken apart as the host's HttpBinding does, anything else is the body."""
    try:
        document = json.loads(text)
    except ValueError:
        return text_response(200, text)
    if isinstance(document, dict):
        folded = {name.lower(): value for name, value in document.items()}
        if "body" in folded:
            return _from_response_object(folded)
    return text_response(200, _plain(document))


def _from_response_object(document: Mapping[str, Any]) -> Response:
    status = document.get("statuscode", document.get("status", 200))
    given = document.get("headers") or {}
    if not isinstance(given, dict):
        raise ValueError("the headers of the returned response object are not an object")  # noqa: TRY004
    headers: dict[str, str | list[str]] = {
        name.lower(): str(value) for name, value in given.items() if name.lower() not in OWNED_BY_SERVER
    }
    headers.setdefault("content-type", TEXT)
    try:
        code = int(status)
    except (TypeError, ValueError):
        raise ValueError(f"Invalid status code {status!r} in the returned response object") from None
    return Response(code, headers, _plain(document["body"]).encode())


def _plain(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return json.dumps(value, indent=2, ensure_ascii=False)
