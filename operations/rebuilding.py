"""Makes the other generation of the read side anew, beside live traffic, and has queries read it.

Each step may be done twice, and the journal names the next one, so a rebuild that is killed anywhere is run again and
goes on. Nothing depends on the order in which copies and live events meet: both pass the same gate.

A process trusts what it knows of the pointer for some seconds. So after every change of it the rebuild waits for
longer before it relies on it:

* before emptying the target, or a process that still counted it as written would fill it meanwhile;
* before copying: whatever a process projects into the old generation alone was then committed before the copy began
  reading, and is part of it;
* before the old generation is written no more, for until then some process may still answer queries from it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial

from operations.errors import CommandFailed
from operations.journal import Journal
from operations.limits import (
    COPY_ORDERS,
    EMPTY_FACTOR_MAX,
    GRACE_SECONDS,
    LOOKS_AT_ONCE,
    POINTER_CHANGES_MAX,
    VERIFY_PASSES_MAX,
)
from operations.output import Bars
from operations.reprojection import reproject
from operations.verification import Report, Verification
from operations.wiring import Deployment
from update_order_status.upkeep import WrittenOrder
from update_order_status_read_model.generations import Generations
from update_order_status_read_model.limits import EMPTY_PAGE_ITEMS
from update_order_status_read_model.wiring import GENERATIONS


class NotTheSame(CommandFailed):
    """The new generation differs from the write side; it is not read."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step: what it does, in words, and doing it."""

    name: str
    told: str
    do: Callable[[Rebuild], Awaitable[None]]


class Rebuild:
    """A rebuild under way."""

    def __init__(self, deployment: Deployment, journal: Journal, bars: Bars) -> None:
        self._deployment = deployment
        self._do = deployment.patience.do
        self._journal = journal
        self._bars = bars
        self.report: Report | None = None
        self.copied = 0
        self.emptied = 0

    async def run(self, *, only_empty: bool) -> None:
        """Do what is left to do. Raises CommandFailed when another is at work, or the result is not the same."""
        if await self._do(self._journal.look) is None:
            await self._begin()
        else:
            await self._do(self._journal.put)  # it is ours now
        for step in remaining(self._journal.note.step, only_empty=only_empty):
            if self._journal.note.step != step.name:
                await self._do(partial(self._journal.put, step=step.name))
            await step.do(self)
        await self._do(self._journal.end)

    async def _begin(self) -> None:
        source = (await self._do(self._deployment.read.projection.pointer.look)).generations.read
        await self._do(partial(self._journal.begin, source, other(source), STEPS[0].name))

    async def withdraw(self) -> None:
        """No process writes the target."""
        source = self._journal.note.source
        seen = await self._do(self._deployment.read.projection.pointer.look)
        if seen.generations.read != source:  # another rebuild ended between this one's first look and its journal
            await self._do(self._journal.end)
            raise CommandFailed("Another rebuild has just ended. Run this again if it is still wanted.")
        await self._point(Generations(source, (source,)))
        await self._until_seen()

    async def empty(self) -> None:
        """Nothing is left in the target."""
        target = self._journal.note.target
        upkeep = self._deployment.read.upkeep[target]
        count = await self._do(upkeep.count_documents)
        advance = self._bars.begin(f"empty generation {target}", count)
        while met := await self._do(upkeep.empty_some):
            self.emptied += met
            if self.emptied > count * EMPTY_FACTOR_MAX + EMPTY_PAGE_ITEMS:
                raise CommandFailed(f"Something keeps writing into generation {target}, which the pointer forbids.")
            advance(met)
            await self._do(self._journal.renew)

    async def announce(self) -> None:
        """Every process writes the target too."""
        note = self._journal.note
        await self._point(Generations(note.source, (note.source, note.target)))
        await self._until_seen()

    async def copy(self) -> None:
        """All that the write side keeps is in the target."""
        orders = self._deployment.write.upkeep
        advance = self._bars.begin("copy", await self._do(orders.count_documents))
        portion: list[WrittenOrder] = []
        async for written in self._deployment.patience.walk(orders.walk, self._journal.note.after):
            portion.append(written)
            if len(portion) == COPY_ORDERS:
                await self._copy(portion)
                advance(sum(each.documents for each in portion))
                portion = []
        await self._copy(portion)

    async def verify(self) -> None:
        """The target is held against the write side. Raises NotTheSame."""
        verification = Verification(self._deployment, self._journal.note.target, GRACE_SECONDS, repair=True)
        for _ in range(VERIFY_PASSES_MAX):
            advance = self._bars.begin("verify", await verification.count_documents())
            self.report = await verification.run(advance, lambda: self._do(self._journal.renew))
            if self.report.sound:
                return
        raise NotTheSame(
            "The new generation is not the same as the write side, so queries go on reading the old one. "
            f"`verify --generation {self._journal.note.target}` tells why; `rebuild` goes on here."
        )

    async def switch(self) -> None:
        """Queries read the target; both are written until every process does."""
        note = self._journal.note
        await self._point(Generations(note.target, (note.target, note.source)))
        await self._until_seen()

    async def retire(self) -> None:
        """The old generation is written no more, and kept as it is."""
        target = self._journal.note.target
        await self._point(Generations(target, (target,)))

    async def _copy(self, portion: list[WrittenOrder]) -> None:
        gate = asyncio.Semaphore(LOOKS_AT_ONCE)

        async def copy(written: WrittenOrder) -> None:
            async with gate:
                await reproject(self._deployment, self._journal.note.target, written)

        async with asyncio.TaskGroup() as group:
            for written in portion:
                group.create_task(copy(written))
        if portion:
            self.copied += len(portion)
            await self._do(lambda: self._journal.put(after=portion[-1].order_id))

    async def _point(self, generations: Generations) -> None:
        pointer = self._deployment.read.projection.pointer
        for _ in range(POINTER_CHANGES_MAX):
            # Looked at before the journal is found to be ours: whoever takes over after that changes the pointer, and
            # what was seen of it is then no longer good for changing it.
            seen = await self._do(pointer.look)
            await self._do(self._journal.put)
            if seen.etag is not None and seen.generations == generations:
                return
            if await self._do(partial(pointer.point, generations, seen)):
                return
        raise CommandFailed("Somebody else keeps changing the pointer document. Let that finish, then run this again.")

    async def _until_seen(self) -> None:
        seconds = self._deployment.pointer_wait_seconds
        advance = self._bars.begin("wait for processes", round(seconds))
        await self._deployment.surroundings.sleep(seconds)
        advance(round(seconds))
        await self._do(self._journal.renew)


STEPS = (
    Step("withdraw", "no process writes generation {target}", Rebuild.withdraw),
    Step("empty", "empty generation {target}", Rebuild.empty),
    Step("announce", "live events go to both generations", Rebuild.announce),
    Step("copy", "project the write side's events into generation {target}", Rebuild.copy),
    Step("verify", "compare generation {target} with the write side", Rebuild.verify),
    Step("switch", "queries read generation {target}", Rebuild.switch),
    Step("retire", "generation {source} is written no more", Rebuild.retire),
)


def other(generation: int) -> int:
    """The generation that is not `generation`."""
    return next(each for each in GENERATIONS if each != generation)


def remaining(first: str, *, only_empty: bool) -> Sequence[Step]:
    """The steps from the one named `first` on; with `only_empty`, as far as the target is empty."""
    names = [step.name for step in STEPS]
    last = names.index("empty") + 1 if only_empty else len(STEPS)
    return STEPS[names.index(first) : last]
