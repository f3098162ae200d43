"""Cross-origin requests, by the rules of ASP.NET Core's CORS middleware as Core Tools sets it up. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from emulators.base.serving import Request, Response
from emulators.functions_host.errors import StartError


@dataclass(frozen=True)
class Cors:
    """Which origins may call; any header and any method."""

    origins: tuple[str, ...] = ()
    credentials: bool = False

    def __post_init__(self) -> None:
        if self.credentials and "*" in self.origins:
            raise StartError("CORS: '*' and credentials exclude each other. Name the origins.")

    def preflight(self, request: Request) -> Response | None:
        """The answer to a preflight, or None when the request is none."""
        asked = request.headers.get("access-control-request-method")
        if not self.origins or request.method != "OPTIONS" or "origin" not in request.headers or not asked:
            return None
        headers = self.headers(request)
        if headers:
            headers["access-control-allow-methods"] = asked
            if wanted := request.headers.get("access-control-request-headers"):
                headers["access-control-allow-headers"] = wanted
        return Response(204, headers)

    def headers(self, request: Request) -> dict[str, str | list[str]]:
        """What an answer to `request` bears."""
        origin = request.headers.get("origin")
        if not self.origins or origin is None:
            return {}
        if "*" in self.origins:
            return {"access-control-allow-origin": "*"}
        if origin.rstrip("/") not in {each.rstrip("/") for each in self.origins}:
            return {}
        headers: dict[str, str | list[str]] = {"access-control-allow-origin": origin, "vary": "Origin"}
        if self.credentials:
            headers["access-control-allow-credentials"] = "true"
        return headers
