"""Brings one order of one generation up to the write side, through the same projector and the same gate as events.

What it does to an order may be done twice, late, and beside live events: versions and ETags decide, as ever.
"""

from __future__ import annotations

from functools import partial

from operations.limits import COPY_EVENTS_MAX
from operations.wiring import Deployment
from update_order_status.domain import Tombstone
from update_order_status.upkeep import WrittenOrder
from update_order_status_read_model.projection import apply


async def reproject(deployment: Deployment, generation: int, written: WrittenOrder) -> None:
    """Apply what the write side keeps of an order, its events or its tombstone, to `generation`."""
    if isinstance(written.latest, Tombstone):
        await _finish_erasure(deployment, generation, written, written.latest)
        return
    store, pause = deployment.read.projection.stores[generation], deployment.surroundings.pause_up_to
    events = [each.event for each in written.events if each.event is not None]
    for start in range(0, len(events), COPY_EVENTS_MAX):
        some = events[start : start + COPY_EVENTS_MAX]
        await deployment.patience.do(partial(apply, store, some, pause))


async def _finish_erasure(deployment: Deployment, generation: int, written: WrittenOrder, tombstone: Tombstone) -> None:
    order_id, do = written.order_id, deployment.patience.do
    if written.documents > 1:
        await do(lambda: deployment.write.upkeep.erase(order_id, tombstone.version, tombstone.erased_at))
    await do(lambda: deployment.read.upkeep[generation].erase(order_id, tombstone.version, tombstone.erased_at))
