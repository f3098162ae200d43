"""The chaos run, short: real processes, real deaths."""

import json
import subprocess
import sys

import pytest


@pytest.mark.timeout(240)
def test_nothing_is_lost_doubled_or_diverged_when_processes_die_under_load() -> None:
    """A quarter of a minute of kills, stalls, full disks and faults; then every accepted command is on both sides."""
    run = subprocess.run(
        [sys.executable, "-m", "local", "chaos", "--minutes", "0.25", "--seed", "7", "--json"],
        capture_output=True,
        text=True,
        check=False,
        timeout=230,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    report = json.loads(run.stdout)
    assert report["holds"] is True
    assert (report["lost"], report["doubled"], report["mistold"]) == ([], [], [])
    assert report["verify"]["orders"] > 0
    assert report["kills"] >= 2, "it must have been a storm"
    assert report["accepted"] > 50


def test_a_share_of_kills_that_is_none_is_refused() -> None:
    """More than all of them cannot be."""
    run = subprocess.run(
        [sys.executable, "-m", "local", "chaos", "--kill-share", "2"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert run.returncode == 2
    assert "'2' is not a share: give a number from 0 to 1" in run.stderr
