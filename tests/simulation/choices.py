"""Which histories there are: at every choice the first option is the undisturbed one, and a history is named by where
it deviates from that. Nothing here knows what is chosen."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

Deviations = tuple[tuple[int, int], ...]
"""(position of the choice, option taken), rising by position."""

Outcome = TypeVar("Outcome")


@dataclass
class Choices:
    """The choices of one history: `deviations` where they are named, undisturbed elsewhere.

    With `dice`, a choice beyond the named ones deviates with probability `rate` while `budget` lasts.
    """

    deviations: Deviations = ()
    dice: random.Random | None = None
    rate: float = 0.0
    budget: int = 0
    taken: list[int] = field(default_factory=list)
    offered: list[int] = field(default_factory=list)

    def choose(self, options: int) -> int:
        """The option of the next choice, out of so many."""
        position = len(self.taken)
        named = dict(self.deviations).get(position)
        option = min(named, options - 1) if named is not None else 0
        if named is None and self.dice is not None and self.budget and options > 1 and self.dice.random() < self.rate:
            self.budget -= 1
            option = self.dice.randrange(1, options)
        self.taken.append(option)
        self.offered.append(options)
        return option

    @property
    def name(self) -> str:
        """How this history is called for: `14.3-20.1`, or `-` when nothing deviates."""
        return "-".join(f"{at}.{option}" for at, option in enumerate(self.taken) if option) or "-"


def parse_name(name: str) -> Deviations:
    """The deviations of a history's name. Raises ValueError."""
    if name == "-":
        return ()
    pairs = [each.split(".") for each in name.split("-")]
    if any(len(pair) != 2 for pair in pairs):
        raise ValueError(f"{name!r} is not the name of a history; one looks like 14.3-20.1")
    return tuple((int(at), int(option)) for at, option in pairs)


def explore(run: Callable[[Choices], Outcome], deviations_max: int) -> Iterator[tuple[Choices, Outcome]]:
    """Every history with up to so many deviations, each once, the fewest deviations first."""
    waiting: deque[Deviations] = deque([()])
    while waiting:
        deviations = waiting.popleft()
        choices = Choices(deviations)
        yield choices, run(choices)
        if len(deviations) == deviations_max:
            continue
        first = deviations[-1][0] + 1 if deviations else 0
        waiting.extend(
            (*deviations, (position, option))
            for position in range(first, len(choices.offered))
            for option in range(1, choices.offered[position])
        )


def wander(
    run: Callable[[Choices], Outcome], seed: int, *, rate: float, budget: int
) -> Iterator[tuple[Choices, Outcome]]:
    """Histories by chance, with up to `budget` deviations each, without end."""
    dice = random.Random(seed)
    while True:
        choices = Choices(dice=random.Random(dice.getrandbits(64)), rate=rate, budget=budget)
        yield choices, run(choices)
