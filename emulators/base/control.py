"""The endpoints every emulator has for its user, beside the service it imitates: health, reset, clock, faults.

They live under one prefix (`/_emulator`, on the Functions host `/admin/emulator`). Everything but the health check
demands the header `x-emulator-control`, which a web page cannot send to another origin without a preflight that is
never granted, and a request that names a foreign Origin is refused.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from emulators.base.clock import Clock
from emulators.base.faults import FaultRuleError, Faults
from emulators.base.serving import Request, Response

CONTROL_HEADER = "x-emulator-control"
BODY_BYTES_MAX = 1024 * 1024

Route = Callable[[Request], Awaitable[Response]]


@dataclass
class Control:
    """Answers requests below `prefix`; `extra` adds an emulator's own routes: (method, path below prefix) to route.

    `trees` adds routes that take every method and path that begins with theirs, and bodies of any size.
    """

    service: str
    clock: Clock
    faults: Faults
    health: Callable[[], Mapping[str, Any]]
    reset: Callable[[], Awaitable[None]]
    prefix: str = "/_emulator"
    extra: Mapping[tuple[str, str], Route] = field(default_factory=dict)
    trees: Mapping[str, Route] = field(default_factory=dict)

    def owns(self, path: str) -> bool:
        """Whether `path` is one of ours."""
        return path == self.prefix or path.startswith(self.prefix + "/")

    async def handle(self, request: Request) -> Response:
        """The answer to a request below the prefix."""
        path = request.path[len(self.prefix) :].rstrip("/")
        if refusal := self._refuse(request, path):
            return refusal
        if route := self._own_route(request.method, path):
            return await route(request)
        match request.method, path:
            case "GET", "/health":
                return json_response(200, {"status": "ok", "service": self.service, **self.health()})
            case "POST", "/reset":
                await self.reset()
                self.faults.clear()
                return Response(204)
            case "GET", "/clock":
                return self._tell_clock()
            case "POST", "/clock":
                return self._turn_clock(request)
            case (("GET" | "POST" | "DELETE"), "/faults"):
                return self._faults(request)
            case "DELETE", rule if rule.startswith("/faults/"):
                known = self.faults.remove(rule.removeprefix("/faults/"))
                return Response(204) if known else problem(404, "There is no fault rule of that id.")
        return problem(
            404, f"{request.method} {request.path} is not a control endpoint of the {self.service} emulator."
        )

    def _own_route(self, method: str, path: str) -> Route | None:
        """The emulator's own route for a path below the prefix."""
        tree = next((route for root, route in self.trees.items() if path == root or path.startswith(f"{root}/")), None)
        return self.extra.get((method, path)) or tree

    def _refuse(self, request: Request, path: str) -> Response | None:
        origin = request.headers.get("origin")
        if origin is not None and origin.partition("://")[2] != request.host:
            return problem(403, f"Control endpoints do not answer pages of another origin ({origin}).")
        if (request.method, path) != ("GET", "/health") and CONTROL_HEADER not in request.headers:
            return problem(403, f"Control endpoints need the header {CONTROL_HEADER} with any value, for example 1.")
        if len(request.body) > BODY_BYTES_MAX and not self._own_route(request.method, path):
            return problem(413, f"A control request may carry {BODY_BYTES_MAX} bytes.")
        return None

    def _tell_clock(self) -> Response:
        return json_response(200, {"now": self.clock.utc().isoformat(), "aheadSeconds": self.clock.offset_seconds})

    def _turn_clock(self, request: Request) -> Response:
        document = read_object(request)
        seconds = document.get("advanceSeconds") if document is not None else None
        if isinstance(seconds, bool) or not isinstance(seconds, int | float):
            return problem(400, 'Send {"advanceSeconds": number}.')
        try:
            self.clock.advance(float(seconds))
        except ValueError as refusal:
            return problem(400, str(refusal))
        return self._tell_clock()

    def _faults(self, request: Request) -> Response:
        if request.method == "GET":
            operations = sorted(self.faults.vocabulary.operations)
            named = {"operations": operations} if operations else {}
            return json_response(200, {"rules": self.faults.describe(), **named})
        if request.method == "DELETE":
            self.faults.clear()
            return Response(204)
        document = read_object(request)
        if document is None:
            return problem(
                400, 'Send one rule, for example {"match": {"operation": "docs.*"}, "act": {"status": 429}}.'
            )
        try:
            rule = self.faults.add(document)
        except FaultRuleError as refusal:
            return problem(400, str(refusal))
        return json_response(201, {"id": rule.id})


def read_object(request: Request) -> dict[str, Any] | None:
    """The body as a JSON object, or None."""
    try:
        document = orjson.loads(request.body)
    except orjson.JSONDecodeError:
        return None
    return document if isinstance(document, dict) else None


def json_response(status: int, document: object) -> Response:
    """An answer in JSON."""
    return Response(status, {"content-type": "application/json"}, orjson.dumps(document))


def problem(status: int, detail: str) -> Response:
    """An RFC 9457 answer that says what is wrong and what to do."""
    return Response(
        status, {"content-type": "application/problem+json"}, orjson.dumps({"status": status, "detail": detail})
    )
