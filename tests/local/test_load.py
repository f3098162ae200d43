"""The load commands, small: real processes, what they find, and that they find what is wrong."""

import json
import subprocess
import sys

import pytest

from local.load.footprint import Memory
from local.load.race import Told, check_written
from local.write_side import WrittenOrder


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "local", *arguments], capture_output=True, text=True, check=False, timeout=230
    )


@pytest.mark.timeout(240)
def test_a_backlog_drains_when_the_read_side_is_back() -> None:
    """Every event that waited is delivered, no view goes back, memory stays, both sides agree."""
    run = _run("backlog", "--events", "600", "--json")
    assert run.returncode == 0, run.stdout + run.stderr
    report = json.loads(run.stdout)
    assert report["holds"] is True
    assert (report["events"], report["notDelivered"], report["backwards"], report["grown"]) == (600, 0, [], [])
    assert report["viewChangesSeen"] >= 120, "each of the orders was seen"
    assert (report["verify"]["orders"], report["verify"]["diverged"]) == (120, 0)


@pytest.mark.timeout(240)
def test_each_change_takes_effect_once_when_32_clients_race_for_it() -> None:
    """One is told that it made the change, the others that it was theirs before, is done, is stale or not allowed."""
    run = _run("race", "--commands", "256", "--orders", "4", "--clients", "32", "--json")
    assert run.returncode == 0, run.stdout + run.stderr
    report = json.loads(run.stdout)
    assert (report["commandsSent"], report["changes"], report["wrong"]) == (256, 8, [])
    assert report["answers"]["applied"] + report["askedAgainWhileBusy"] >= 8
    assert report["answers"]["replayed"] >= 7 * 7, "the sendings of one command"
    assert report["answers"]["refused 409"] == 4 * 8, "nonsense, at each second change"
    assert sum(report["answers"].values()) == 256
    assert report["conflicts"] > 0
    assert (report["verify"]["orders"], report["verify"]["diverged"]) == (4, 0)


def test_a_race_that_no_order_lives_long_enough_for_is_refused() -> None:
    """The text says what to change."""
    run = _run("race", "--commands", "10000", "--orders", "1", "--clients", "10")
    assert run.returncode == 1
    assert "Give more --orders or --clients" in run.stderr


def test_a_change_that_was_made_twice_is_noticed() -> None:
    """And so is one that is missing, and one of a command that asked for something else."""

    def event(version: int, status: str, key: str) -> dict[str, object]:
        return {"version": version, "status": status, "commandId": key}

    told = Told(keys={("o", 1): {"1-0"}, ("o", 2): {"2-0"}})
    right = (event(1, "created", "1-0"), event(2, "approved", "2-0"))
    assert list(check_written([WrittenOrder("o", "approved", 2, right)], told, 1, 2)) == []
    twice = (*right, event(2, "approved", "2-0"))
    assert "its events are" in next(iter(check_written([WrittenOrder("o", "approved", 2, twice)], told, 1, 2)))
    assert "its events are" in next(iter(check_written([WrittenOrder("o", "created", 1, right[:1])], told, 1, 2)))
    foreign = (right[0], event(2, "approved", "2-3"))
    (said,) = check_written([WrittenOrder("o", "approved", 2, foreign)], told, 1, 2)
    assert "asked for something else" in said
    assert list(check_written([], told, 1, 2)) == ["0 orders instead of 1"]


def test_growth_counts_from_when_a_service_was_warm() -> None:
    """What it took before is its size; the most it held since is what counts, not where it ended."""
    assert Memory(first=50, warm=80, highest=95, last=70).growth == 15
