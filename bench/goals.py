"""What the figures should be, and whether they are. Pure: values in, rows out.

A goal names its figure by how the figure's name ends, so that benchmarks may name what they measured in full. A goal
whose figure is missing is not met: else a renamed figure would pass unseen.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

SEPARATOR = " · "


@dataclass(frozen=True, slots=True)
class Goal:
    """`figure` of `benchmark` should be at most, or at least, `value`."""

    benchmark: str
    figure: str
    bound: Literal["at most", "at least"]
    value: float

    def is_met_by(self, measured: float) -> bool:
        """Whether `measured` is on the right side."""
        return measured <= self.value if self.bound == "at most" else measured >= self.value


GOALS = (
    Goal("order_service", "rate to bare calls", "at least", 0.85),
    Goal("order_service", "rate to naive", "at least", 0.7),
    Goal("scaling", "CPU growth", "at most", 1.3),
    Goal("scaling", "calls growth", "at most", 1.3),
    Goal("scaling", "units growth", "at most", 1.3),
    Goal("cosmos_rate", "point read", "at least", 0.9),
    Goal("cosmos_rate", "upsert", "at least", 0.8),
    Goal("cosmos_cost", "of the floor", "at most", 1.3),
    Goal("cosmos_cost", "of the peer", "at most", 1.0),
    Goal("cosmos_size", "start to ready, seconds", "at most", 0.7),
    Goal("cosmos_size", "100,000 documents of 1 KB, MiB resident", "at most", 120),
    Goal("cosmos_size", "items beside one among 1,000, CPU", "at most", 1.3),
    Goal("cosmos_size", "over all of them, most MiB resident", "at most", 200),
    Goal("queries", "p50 large to small", "at most", 1.5),
    Goal("queries", "first page to an unordered one", "at most", 3),
    Goal("queries", "Python's time to the query's", "at least", 4),
    Goal("peer", "of the peer", "at most", 0.15),
    Goal("eventgrid", "publish", "at least", 0.85),
    Goal("eventgrid", "publish, batch of 100", "at least", 0.6),
    Goal("eventgrid", "idle lag p50, from the 200", "at most", 5),
    Goal("eventgrid", "idle lag p50, from the request", "at most", 5),
    Goal("eventgrid", "hang", "at most", 1.5),
    Goal("eventgrid", "queued", "at least", 0.8),
    Goal("functions_host", "start to first answer", "at most", 1.8),
    Goal("functions_host", "CPU, async function", "at most", 2.5),
    Goal("functions_host", "CPU, sync function", "at most", 4),
    Goal("functions_host", "two workers against one", "at least", 1.6),
    Goal("functions_host", "reload, seconds", "at most", 1),
    Goal("change_feed", "median", "at most", 1),
)
"""What the project has set itself, benchmark by benchmark."""


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table: a figure, and its goal if it has one. `measured` is None when there is no such figure."""

    benchmark: str
    figure: str
    measured: float | None
    goal: Goal | None = None

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None when there is none."""
        if self.goal is None:
            return None
        return self.measured is not None and self.goal.is_met_by(self.measured)


def flatten(report: Any, name: str = "") -> Iterator[tuple[str, float]]:
    """Each figure of a benchmark's JSON by its path. Rounds are told by their median."""
    if isinstance(report, bool):
        return
    if isinstance(report, (int, float)):
        yield name, float(report)
    elif isinstance(report, Sequence) and not isinstance(report, str):
        if report and all(isinstance(each, (int, float)) for each in report):
            yield name, statistics.median(report)
    elif isinstance(report, Mapping):
        if name and "median" in report:
            yield name, float(report["median"])
            return
        for key, value in report.items():
            yield from flatten(value, f"{name}{SEPARATOR}{key}" if name else str(key))


def table(reports: Mapping[str, Any], goals: Sequence[Goal] = GOALS) -> list[Row]:
    """A row for each figure that has a goal, benchmark by benchmark; `reports` has None for one that failed."""
    rows = []
    for benchmark, report in reports.items():
        figures = dict(flatten(report))
        for goal in goals:
            if goal.benchmark != benchmark:
                continue
            named = [name for name in figures if name == goal.figure] or [
                name for name in figures if name.endswith(goal.figure)
            ]
            rows += [Row(benchmark, name, figures[name], goal) for name in named]
            if not named:
                rows.append(Row(benchmark, goal.figure, None, goal))
        if not any(row.benchmark == benchmark for row in rows):
            rows += [Row(benchmark, name, figure) for name, figure in figures.items()] or [Row(benchmark, "", None)]
    return rows
