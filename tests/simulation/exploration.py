"""Explores a service, faulty or not, script by script, and says what it saw."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from tests.simulation.choices import Choices, Deviations, explore, wander
from tests.simulation.history import GOOD_MANNERS, Outcome, play
from tests.simulation.loop import VirtualLoop
from tests.simulation.scripts import SCRIPTS, Script
from tests.simulation.variants import VARIANTS, Variant
from tests.simulation.world import World

HISTORIES_PER_WORLD = 100
"""After so many, the emulators start anew: their stores grow, and with them the relay's query."""
WANDER_RATE = 0.12
"""How likely a choice deviates in a history by chance: some six of the fifty choices that a script makes."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A history in which something was violated; script and name replay it."""

    script: str
    name: str
    outcome: Outcome


@dataclass
class Found:
    """What an exploration saw. Two histories are the same when their timelines are."""

    histories: int = 0
    distinct: set[int] = field(default_factory=set)
    failures: list[Failure] = field(default_factory=list)


@dataclass
class Explorer:
    """Plays histories of one variant of the service; None is the service itself."""

    variant: Variant | None = None
    _world: World | None = None
    _loop: VirtualLoop | None = None

    def play(self, script: str | Script, choices: Choices) -> Outcome:
        """One history."""
        if self._world is None or self._world.histories >= HISTORIES_PER_WORLD:
            self.close()
            self._open()
        assert self._world is not None
        known = SCRIPTS[script] if isinstance(script, str) else script
        outcome = play(self._world, known, choices, self.variant.manners if self.variant else GOOD_MANNERS)
        if outcome.violations:
            self.close()  # what is left of it must not touch the next
        return outcome

    def replay(self, script: str, deviations: Deviations) -> Outcome:
        """The history of that name."""
        return self.play(script, Choices(deviations))

    def _open(self) -> None:
        self._loop = VirtualLoop()
        self._world = World(self._loop)
        if self.variant is not None:
            self._world.build = self.variant.build
        self._loop.run_until_complete(self._world.open())

    def close(self) -> None:
        """End the emulators."""
        if self._loop is None or self._world is None:
            return
        self._loop.run_until_complete(self._world.close())
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()
        self._loop = self._world = None


@contextlib.contextmanager
def explorer(variant: str | None = None) -> Iterator[Explorer]:
    """An explorer of that variant. The service's log is silent meanwhile: it would tell of faults by the thousand."""
    exploring = Explorer(VARIANTS[variant] if variant else None)
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield exploring
    finally:
        logging.disable(before)
        exploring.close()


def explore_scripts(
    exploring: Explorer,
    scripts: Sequence[str],
    *,
    faults_max: int,
    until_failure: bool = False,
    tell: Callable[[Found], None] = lambda found: None,
) -> Found:
    """Every history of `scripts` with up to `faults_max` deviations; `tell` hears of each."""
    found = Found()
    for script in scripts:
        for choices, outcome in explore(partial(exploring.play, script), faults_max):
            _note(found, script, choices, outcome)
            tell(found)
            if until_failure and found.failures:
                return found
    return found


def find_mistake(variant: str, *, faults_max: int) -> Found:
    """Histories of a mistaken service until one is violated, those with the fewest faults first."""
    before = 0
    for faults in range(1, faults_max + 1):
        with explorer(variant) as exploring:
            found = explore_scripts(exploring, list(SCRIPTS), faults_max=faults, until_failure=True)
        before += found.histories
        if found.failures:
            break
    found.histories = before
    return found


def wander_scripts(
    exploring: Explorer,
    scripts: Sequence[str],
    seed: int,
    *,
    faults_max: int,
    goes_on: Callable[[Found], bool],
) -> Found:
    """Histories by chance, of `scripts` in turn, while `goes_on`."""
    found = Found()
    wanderers = [
        (script, wander(partial(exploring.play, script), seed + place, rate=WANDER_RATE, budget=faults_max))
        for place, script in enumerate(scripts)
    ]
    while True:
        for script, wanderer in wanderers:
            choices, outcome = next(wanderer)
            _note(found, script, choices, outcome)
            if not goes_on(found):
                return found


def _note(found: Found, script: str, choices: Choices, outcome: Outcome) -> None:
    found.histories += 1
    found.distinct.add(hash((script, *outcome.timeline)))
    if outcome.violations:
        found.failures.append(Failure(script, choices.name, outcome))
