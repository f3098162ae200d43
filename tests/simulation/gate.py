"""Where every call between services waits until it is its turn, and meets its fate.

Calls pass one at a time, when nothing else can go on: so the order of calls, and with it every interleaving of the
callers, is a choice. Knows neither what the calls mean nor what the history is about.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

from tests.simulation.choices import Choices
from tests.simulation.fates import FATES, PASSES, Fate, Kind

Answer = TypeVar("Answer")


@dataclass(eq=False)
class Instance:
    """A process that makes calls. Once dead, no call of it is made, and none that it made is answered."""

    name: str
    died: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return not self.died.is_set()

    def kill(self) -> None:
        """As kill -9 does."""
        self.died.set()

    async def outlive(self, work: Awaitable[Answer]) -> Answer:
        """`work`'s result; never returns when this process is dead by then."""
        result = await work
        if not self.alive:
            await asyncio.Future()
        return result


@dataclass(frozen=True, slots=True)
class Call:
    """One call: who makes it (None: a service of Azure), and what a reader of the timeline is told of it."""

    caller: Instance | None
    kind: Kind
    text: str


@dataclass
class Gate:
    """Lets calls pass by `choices`, and writes down what happened."""

    now: Callable[[], float]
    choices: Choices = field(default_factory=Choices)
    timeline: list[str] = field(default_factory=list)
    _waiting: list[tuple[Call, asyncio.Future[Fate]]] = field(default_factory=list)

    def begin(self, choices: Choices) -> None:
        """Start a history."""
        self.choices = choices
        self.timeline = []
        self._waiting = []

    async def turn(self, call: Call) -> Fate:
        """Wait for `call`'s turn; what befalls it."""
        if call.caller is not None and not call.caller.alive:
            await asyncio.Future()
        fate: asyncio.Future[Fate] = asyncio.get_running_loop().create_future()
        self._waiting.append((call, fate))
        return await fate

    def let_one_pass(self) -> bool:
        """Choose the call that goes next, and its fate. False when none waits."""
        self._waiting = [
            each for each in self._waiting if not each[1].done() and (each[0].caller is None or each[0].caller.alive)
        ]
        if not self._waiting:
            return False
        oldest = self._waiting[0][0]
        fates = FATES[oldest.kind]
        option = self.choices.choose(len(self._waiting) + len(fates))
        place, fate = (option, PASSES) if option < len(self._waiting) else (0, fates[option - len(self._waiting)])
        call, waiting = self._waiting.pop(place)
        note = "" if fate is PASSES else f"   <<< {fate}"
        self.tell(f"{call.text}{'   <<< before its turn' if place else ''}{note}")
        waiting.set_result(fate)
        return True

    def tell(self, text: str) -> None:
        """Add a line to the timeline."""
        self.timeline.append(f"{self.now():10.3f} s  [{len(self.choices.taken) - 1:3d}]  {text}")
