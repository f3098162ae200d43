"""Retry policies: how often and after which wait a failed invocation is tried again. Pure.

Formulas: webjobs-sdk FunctionExecutorExtensions and RandomizedExponentialBackoffStrategy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from emulators.base.ids import Ids
from emulators.functions_host.errors import StartError
from emulators.functions_host.settings import HOST_FILE, Configuration

JITTER = (0.8, 1.2)


@dataclass(frozen=True)
class RetryPolicy:
    """`max_count` -1 means for ever; `fixed` waits `minimum_seconds` each time."""

    fixed: bool
    max_count: int
    minimum_seconds: float
    maximum_seconds: float

    def allows(self, attempt: int) -> bool:
        """Whether attempt number `attempt` (1 is the first retry) may be made."""
        return self.max_count < 0 or attempt <= self.max_count

    def wait_seconds(self, attempt: int, ids: Ids) -> float:
        """How long to wait before retry number `attempt`."""
        if self.fixed or attempt <= 1:
            return self.minimum_seconds
        growth = self.minimum_seconds * 2.0 ** min(attempt - 2, 64) * ids.between(*JITTER)
        return min(self.minimum_seconds + growth, self.maximum_seconds)


def read_retry_policy(setting: Mapping[str, Any] | None) -> RetryPolicy | None:
    """The policy of an `@app.retry` decorator. Raises as the worker does, which fails the whole index."""
    if not setting:
        return None
    max_count = int(setting["max_retry_count"])
    if setting["strategy"] == "fixed_delay":
        delay = _seconds(setting.get("delay_interval"))
        return RetryPolicy(fixed=True, max_count=max_count, minimum_seconds=delay, maximum_seconds=delay)
    return RetryPolicy(
        fixed=False,
        max_count=max_count,
        minimum_seconds=_seconds(setting.get("minimum_interval")),
        maximum_seconds=_seconds(setting.get("maximum_interval")),
    )


def read_host_retry_policy(host: Configuration) -> RetryPolicy | None:
    """The default policy of host.json's `retry` section. Raises StartError."""
    section = host.section("retry")
    if not section:
        return None
    fixed = section.get("strategy", "").lower() == "fixeddelay"
    try:
        minimum = _seconds(section.get("delayinterval" if fixed else "minimuminterval", "00:00:00"))
        maximum = minimum if fixed else _seconds(section.get("maximuminterval", "00:00:00"))
    except ValueError as refusal:
        raise StartError(f"{HOST_FILE}: retry: {refusal}") from refusal
    return RetryPolicy(fixed, host.number("retry:maxRetryCount", -1), minimum, maximum)


def _seconds(interval: Any) -> float:
    """Seconds of `HH:MM:SS`, read with strptime as the worker reads it (so that None raises its TypeError)."""
    parsed = datetime.strptime(interval, "%H:%M:%S")  # noqa: DTZ007 - a duration, not a moment
    return parsed.hour * 3600.0 + parsed.minute * 60 + parsed.second
