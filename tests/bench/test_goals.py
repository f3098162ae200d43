"""The table over all benchmarks: what is missed or missing must be seen."""

import pytest

from bench.__main__ import BENCHMARKS
from bench.goals import GOALS, Goal, flatten, table


def test_a_goal_is_met_missed_or_without_its_figure() -> None:
    """Three rows, three verdicts; a figure that is not there counts as missed."""
    goals = (Goal("b", "fast", "at least", 2), Goal("b", "small", "at most", 10), Goal("b", "renamed", "at most", 1))
    rows = table({"b": {"very fast": 3.0, "small": 11}}, goals)
    assert [(row.figure, row.measured, row.met) for row in rows] == [
        ("very fast", 3.0, True),
        ("small", 11.0, False),
        ("renamed", None, False),
    ]


def test_a_benchmark_that_failed_misses_all_its_goals() -> None:
    """And one without goals still has a row that says so."""
    rows = table({"b": None, "c": None}, (Goal("b", "fast", "at least", 2),))
    assert [(row.benchmark, row.measured, row.met) for row in rows] == [("b", None, False), ("c", None, None)]


def test_every_kind_of_report_is_flattened() -> None:
    """Rounds and summaries of rounds become their median; names are paths."""
    report = {"a": [3, 1, 2], "b": {"median": 5, "min": 1}, "c": {"d": {"e": 1.5}}, "text": "x", "holds": True}
    assert dict(flatten(report)) == {"a": 2, "b": 5, "c · d · e": 1.5}
    assert dict(flatten({"median": 0.5, "p95": 0.9})) == {"median": 0.5, "p95": 0.9}


def test_an_exact_name_wins_over_an_ending() -> None:
    """`publish` is not `batch, publish`."""
    rows = table({"b": {"publish": 1, "slow publish": 0}}, (Goal("b", "publish", "at least", 1),))
    assert [(row.figure, row.met) for row in rows] == [("publish", True)]


@pytest.mark.parametrize("goal", GOALS, ids=lambda goal: f"{goal.benchmark} {goal.figure}")
def test_every_goal_is_of_a_benchmark_that_is_run(goal: Goal) -> None:
    """A goal of nothing could never be missed."""
    assert goal.benchmark in BENCHMARKS
