"""Headers that host.json puts on every answer: `extensions.http.customHeaders` and `hsts`. Pure."""

from __future__ import annotations

from emulators.base.serving import Request
from emulators.functions_host.dates import parse_time_span
from emulators.functions_host.errors import StartError
from emulators.functions_host.settings import Configuration

HSTS = "extensions:http:hsts"
HSTS_SECONDS_DEFAULT = 30 * 24 * 3600.0
"""ASP.NET Core, HstsOptions.MaxAge."""
HSTS_EXCLUDED = frozenset({"localhost", "127.0.0.1", "[::1]"})
"""ASP.NET Core, HstsOptions.ExcludedHosts; host.json's `excludedHosts` are added."""


class AnswerHeaders:
    """What an answer bears, beside what the function gave it."""

    def __init__(self, host: Configuration) -> None:
        """Raises StartError."""
        self._always: dict[str, str | list[str]] = {
            "server": "Kestrel",
            **host.section("extensions:http:customHeaders"),
        }
        self._hsts = _hsts(host)
        self._hsts_excluded = HSTS_EXCLUDED | {each.lower() for each in host.items(f"{HSTS}:excludedHosts")}

    def of(self, request: Request) -> dict[str, str | list[str]]:
        """The headers of an answer to `request`."""
        if not self._hsts or request.scheme != "https" or _host_name(request) in self._hsts_excluded:
            return self._always
        return {**self._always, "strict-transport-security": self._hsts}


def _hsts(host: Configuration) -> str:
    if not host.flag(f"{HSTS}:isEnabled", default=False):
        return ""
    text = host.text(f"{HSTS}:maxAge")
    try:
        seconds = parse_time_span(text).total_seconds() if text else HSTS_SECONDS_DEFAULT
    except ValueError as refusal:
        raise StartError(f"host.json: {HSTS.replace(':', '.')}.maxAge: {refusal}") from refusal
    value = f"max-age={int(seconds)}"
    if host.flag(f"{HSTS}:includeSubDomains", default=False):
        value += "; includeSubDomains"
    return value + ("; preload" if host.flag(f"{HSTS}:preload", default=False) else "")


def _host_name(request: Request) -> str:
    name = request.host.lower()
    return name[: name.index("]") + 1] if name.startswith("[") else name.partition(":")[0]
