"""Holds every order of the write side against one generation of the read side, and mends what differs if asked to.

Both sides are read once, sorted by order id, and merged: memory stays the same however many orders there are. What
differs is looked at a second time by itself, the read side first, because a reader of two containers sees them at
different moments and through replicas that may be late: one sighting proves nothing.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from operations.comparison import Finding, Verdict, judge
from operations.limits import FINDINGS_KEPT_MAX, LOOKS_AT_ONCE
from operations.output import Advance
from operations.reprojection import reproject
from operations.wiring import Deployment
from update_order_status.upkeep import WrittenOrder
from update_order_status_read_model.upkeep import ViewedOrder

Pair = tuple[str, WrittenOrder | None, ViewedOrder | None]
Alive = Callable[[], Awaitable[None]]


@dataclass(slots=True)
class Report:
    """What a comparison found: how many orders of each verdict, how many were mended, and which are not the same."""

    generation: int
    counts: Counter[Verdict] = field(default_factory=Counter)
    repaired: int = 0
    findings: list[Finding] = field(default_factory=list)

    def add(self, finding: Finding) -> None:
        """Count `finding`, and keep it if it tells of a difference and there is room."""
        self.counts[finding.verdict] += 1
        if finding.verdict is not Verdict.SAME and len(self.findings) < FINDINGS_KEPT_MAX:
            self.findings.append(finding)

    @property
    def settled(self) -> bool:
        """Whether nothing is in flight."""
        return not self.counts[Verdict.IN_FLIGHT]

    @property
    def sound(self) -> bool:
        """Whether nothing has diverged, as far as one could tell, which was everywhere."""
        return not self.counts[Verdict.DIVERGED] and not self.counts[Verdict.UNREADABLE]

    def document(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "generation": self.generation,
            "orders": self.counts.total(),
            **{_camel(verdict): self.counts[verdict] for verdict in Verdict},
            "repaired": self.repaired,
            "findings": [finding.document() for finding in self.findings],
            "findingsLeftOut": self.counts.total() - self.counts[Verdict.SAME] - len(self.findings),
        }


class Verification:
    """Compares the write side with `generation`. With `repair`, what has diverged is projected anew."""

    def __init__(self, deployment: Deployment, generation: int, grace_seconds: float, *, repair: bool) -> None:
        self._deployment = deployment
        self._generation = generation
        self._grace = timedelta(seconds=grace_seconds)
        self._repair = repair
        self._views = deployment.read.upkeep[generation]
        self._orders = deployment.write.upkeep

    async def count_documents(self) -> int:
        """How many documents a run reads."""
        do = self._deployment.patience.do
        return await do(self._orders.count_documents) + await do(self._views.count_documents)

    async def run(self, advance: Advance, alive: Alive | None = None) -> Report:
        """Compare every order. `advance` hears of the documents read, `alive` is awaited now and then."""
        report = Report(self._generation)
        room = asyncio.Semaphore(LOOKS_AT_ONCE)

        async def look_again(order_id: str) -> None:
            try:
                report.add(await self._look_again(order_id, report))
            finally:
                room.release()

        async with asyncio.TaskGroup() as group:
            async for order_id, written, viewed in self._pairs():
                finding = judge(order_id, written, viewed, self._deployment.now(), self._grace)
                if finding.verdict is Verdict.DIVERGED:
                    await room.acquire()
                    group.create_task(look_again(order_id))
                else:
                    report.add(finding)
                advance((written.documents if written else 0) + (viewed.documents if viewed else 0))
                if alive is not None:
                    await alive()
        return report

    def _pairs(self) -> AsyncIterator[Pair]:
        walk = self._deployment.patience.walk
        return merge(walk(self._orders.walk), walk(self._views.walk))

    async def _look_again(self, order_id: str, report: Report) -> Finding:
        finding, written = await self._look(order_id)
        if finding.verdict is Verdict.DIVERGED and self._repair and written is not None:
            await reproject(self._deployment, self._generation, written)
            finding, _ = await self._look(order_id)
            report.repaired += finding.verdict is not Verdict.DIVERGED
        return finding

    async def _look(self, order_id: str) -> tuple[Finding, WrittenOrder | None]:
        # The read side first: it can then not be ahead of what is read after it.
        viewed = await self._deployment.patience.do(lambda: self._views.read(order_id))
        written = await self._deployment.patience.do(lambda: self._orders.read(order_id))
        return judge(order_id, written, viewed, self._deployment.now(), self._grace), written


async def merge(written: AsyncIterator[WrittenOrder], viewed: AsyncIterator[ViewedOrder]) -> AsyncIterator[Pair]:
    """Both sides of every order, of two readings that are sorted by order id."""
    left, right = await anext(written, None), await anext(viewed, None)
    while left is not None or right is not None:
        if right is None or (left is not None and left.order_id < right.order_id):
            assert left is not None
            yield left.order_id, left, None
            left = await anext(written, None)
        elif left is None or right.order_id < left.order_id:
            yield right.order_id, None, right
            right = await anext(viewed, None)
        else:
            yield left.order_id, left, right
            left, right = await anext(written, None), await anext(viewed, None)


def _camel(verdict: Verdict) -> str:
    first, *rest = verdict.value.split()
    return first + "".join(word.capitalize() for word in rest)
