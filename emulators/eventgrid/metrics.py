"""What was counted, under Azure Monitor's own metric names: as JSON and as Prometheus text.

It must not know what makes an event count.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

PUBLISHED = "PublishSuccessCount"
PUBLISH_FAILED = "PublishFailCount"
MATCHED = "MatchedEventCount"
UNMATCHED = "UnmatchedEventCount"
DELIVERED = "DeliverySuccessCount"
ATTEMPT_FAILED = "DeliveryAttemptFailCount"
DROPPED = "DroppedEventCount"
DEAD_LETTERED = "DeadLetteredCount"
RECEIVED = "SuccessfulReceivedEvents"
ACKNOWLEDGED = "SuccessfulAcknowledgedEvents"
RELEASED = "SuccessfulReleasedEvents"
REJECTED = "SuccessfulRejectedEvents"

PUBLISH_LATENCY = "PublishSuccessLatencyInMs"
PROCESSING_DURATION = "DestinationProcessingDurationInMs"

DURATIONS = (PUBLISH_LATENCY, PROCESSING_DURATION)
NAMES = (
    PUBLISHED, PUBLISH_FAILED, MATCHED, UNMATCHED, DELIVERED, ATTEMPT_FAILED, DROPPED, DEAD_LETTERED,
    RECEIVED, ACKNOWLEDGED, RELEASED, REJECTED,
)  # fmt: skip
SERIES_MAX = 10_000
"""Distinct label sets kept; later ones are counted without labels. Our choice: topics × subscriptions × reasons."""

_Series = tuple[str, tuple[tuple[str, str], ...]]


class Metrics:
    """Counters since the start or the last reset."""

    def __init__(self) -> None:
        self._counts: Counter[_Series] = Counter()
        self._durations: dict[_Series, tuple[int, float]] = {}

    def add(self, name: str, count: int = 1, **labels: str) -> None:
        """Count `count` more of `name`."""
        series = (name, tuple(sorted(labels.items())))
        if series not in self._counts and len(self._counts) >= SERIES_MAX:
            series = (name, ())
        self._counts[series] += count

    def took(self, name: str, milliseconds: float, **labels: str) -> None:
        """Something of `name` took so long."""
        series = (name, tuple(sorted(labels.items())))
        if series not in self._durations and len(self._durations) >= SERIES_MAX:
            series = (name, ())
        count, total = self._durations.get(series, (0, 0.0))
        self._durations[series] = (count + 1, total + milliseconds)

    def clear(self) -> None:
        """Start from nothing."""
        self._counts.clear()
        self._durations.clear()

    def document(self) -> dict[str, Any]:
        """Totals, and every series with its labels."""
        totals = dict.fromkeys(NAMES, 0)
        for (name, _), count in self._counts.items():
            totals[name] += count
        series = [
            {"name": name, "labels": dict(labels), "count": count} for (name, labels), count in self._counts.items()
        ]
        durations = [
            {"name": name, "labels": dict(labels), "count": count, "averageMs": total / count}
            for (name, labels), (count, total) in self._durations.items()
        ]
        return {"totals": totals, "series": series, "durations": durations}

    def prometheus(self) -> str:
        """The text exposition format, version 0.0.4."""
        lines = []
        for name in NAMES:
            metric = f"eventgrid_{_snake(name)}_total"
            lines.append(f"# TYPE {metric} counter")
            for (of, labels), count in self._counts.items():
                if of == name:
                    lines.append(f"{metric}{_inside(labels)} {count}")
        for name in DURATIONS:
            metric = f"eventgrid_{_snake(name)}"
            lines.append(f"# TYPE {metric} summary")
            for (of, labels), (count, total) in self._durations.items():
                if of == name:
                    lines.append(f"{metric}_sum{_inside(labels)} {total:g}")
                    lines.append(f"{metric}_count{_inside(labels)} {count}")
        return "\n".join(lines) + "\n"


def _inside(labels: tuple[tuple[str, str], ...]) -> str:
    inside = ",".join(f'{label}="{_escaped(value)}"' for label, value in labels)
    return f"{{{inside}}}" if inside else ""


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name.removesuffix("Count")).lower()


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
