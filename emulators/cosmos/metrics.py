"""What the emulator has done: counters in the text form that Prometheus reads, and a log of the latest requests."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote

REQUESTS_KEPT = 500
"""Requests that the log remembers: our choice, some minutes of a developer's work."""


class Served(NamedTuple):
    """One request that was answered: when (seconds since the epoch), how long it took, what it came to.

    A tuple, since one is made for every request and few are ever looked at.
    """

    method: str
    path: str
    operation: str
    status: int
    headers: Mapping[str, str | list[str]]
    moment: float
    seconds: float
    activity_id: str

    @property
    def charge(self) -> float:
        """The request units it came to."""
        return float(str(self.headers.get("x-ms-request-charge", 0)))

    def describe(self) -> dict[str, Any]:
        """As the request log shows it."""
        return {
            "at": self.moment,
            "method": self.method,
            "path": unquote(self.path),
            "operation": self.operation,
            "status": self.status,
            "subStatus": int(str(self.headers.get("x-ms-substatus", 0))),
            "requestCharge": self.charge,
            "milliseconds": round(self.seconds * 1000, 3),
            "activityId": self.activity_id,
        }


class Metrics:
    """Counts requests and request units by operation and status, and keeps the latest requests."""

    def __init__(self) -> None:
        self._requests: Counter[tuple[str, int]] = Counter()
        self._units: defaultdict[str, float] = defaultdict(float)
        self._latest: deque[Served] = deque(maxlen=REQUESTS_KEPT)

    def note(self, served: Served) -> None:
        """Take one request into account."""
        self._requests[served.operation, served.status] += 1
        self._units[served.operation] += served.charge
        self._latest.append(served)

    def latest(self) -> list[dict[str, Any]]:
        """The latest requests, newest first."""
        return [each.describe() for each in reversed(self._latest)]

    def text(self) -> str:
        """The counters in Prometheus's text format."""
        lines = ["# TYPE cosmos_requests_total counter"]
        lines += [
            f'cosmos_requests_total{{operation="{operation}",status="{status}"}} {count}'
            for (operation, status), count in sorted(self._requests.items())
        ]
        lines.append("# TYPE cosmos_request_units_total counter")
        lines += [
            f'cosmos_request_units_total{{operation="{operation}"}} {units:.2f}'
            for operation, units in sorted(self._units.items())
        ]
        return "\n".join(lines) + "\n"
