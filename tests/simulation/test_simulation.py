"""Every history with one fault, of the service and of its mistaken variants."""

import random
import subprocess
import sys

import pytest

from tests.simulation.choices import Choices, explore, parse_name
from tests.simulation.exploration import explore_scripts, explorer, find_mistake, wander_scripts
from tests.simulation.scripts import SCRIPTS, working_day
from tests.simulation.variants import VARIANTS

pytestmark = pytest.mark.timeout(600)
"""Seconds of CPU become minutes on a machine that is busy; and a timeout in the middle of a history looks like a fault
that no history has."""


@pytest.mark.parametrize("script", SCRIPTS)
def test_no_single_fault_loses_doubles_or_diverges_anything(script: str) -> None:
    """Whatever befalls any one call, every accepted command is applied once and the read side shows it."""
    with explorer() as exploring:
        found = explore_scripts(exploring, [script], faults_max=1)
    assert [(each.name, each.outcome.violations) for each in found.failures] == []
    assert len(found.distinct) > 100


def test_many_faults_at_once_lose_double_or_diverge_nothing() -> None:
    """Up to six faults in one history, by chance."""
    with explorer() as exploring:
        found = wander_scripts(
            exploring, list(SCRIPTS), seed=20261123, faults_max=6, goes_on=lambda so_far: so_far.histories < 100
        )
    assert [(each.script, each.name, each.outcome.violations) for each in found.failures] == []


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_known_mistake_is_found(variant: str) -> None:
    """The net is fine enough: a service with this one mistake is caught by some single fault."""
    found = find_mistake(variant, faults_max=1)
    assert found.failures, f"{found.histories} histories and nothing noticed"


def test_hours_of_commands_and_faults_end_well() -> None:
    """Two hours, eighty commands of eight clients, two hosts, the timed relay, a fault at each twentieth call."""
    choices = Choices(dice=random.Random(7), rate=0.05, budget=100)
    with explorer() as exploring:
        outcome = exploring.play(working_day(7, hours=2, commands=80), choices)
    assert outcome.violations == []
    assert sum(1 for option in choices.taken if option) > 20


def test_a_history_repeats_itself_exactly() -> None:
    """By name, in emulators that have served other histories as in new ones."""
    name = parse_name("3.4-7.2")
    with explorer() as exploring:
        for seed in range(3):
            exploring.play("both-create", Choices(dice=random.Random(seed), rate=0.2, budget=5))
        later = exploring.replay("rivals", name)
    with explorer() as exploring:
        assert exploring.replay("rivals", name).timeline == later.timeline


def test_exploration_visits_every_history_once() -> None:
    """Three choices of two options: eight histories, seven with at most two deviations."""
    visited = [choices.name for choices, _ in explore(lambda choices: [choices.choose(2) for _ in range(3)], 2)]
    assert sorted(visited) == ["-", "0.1", "0.1-1.1", "0.1-2.1", "1.1", "1.1-2.1", "2.1"]


def test_a_failure_is_replayed_by_one_command() -> None:
    """The timeline is printed, then what is violated; the exit code tells."""
    (failure,) = find_mistake("no-relay", faults_max=1).failures
    command = [sys.executable, "-m", "tests.simulation", "replay", failure.script, failure.name]
    violated = subprocess.run(
        [*command, "--variant", "no-relay"], capture_output=True, text=True, timeout=60, check=False
    )
    assert violated.returncode == 1
    assert "does not come to rest" in violated.stdout
    sound = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (sound.returncode, sound.stdout.splitlines()[-1]) == (0, "Nothing is violated.")
