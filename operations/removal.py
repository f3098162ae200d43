"""Takes an order away from both sides for good, leaving a tombstone on each that keeps it away.

The write side first: from then on no command can make another event. Whatever is still on its way meets the tombstones
of the read side, in both generations, whichever is written. Done again, it finishes what was begun.
"""

from __future__ import annotations

from functools import partial

from operations.wiring import Deployment
from update_order_status.domain import Tombstone


async def erase_order(deployment: Deployment, order_id: str, *, at_version: int | None = None) -> Tombstone | None:
    """Erase the order and return its tombstone. None: neither side knows it, or it is not `at_version` any more."""
    do = deployment.patience.do
    versions = [0]
    for generation in deployment.read.upkeep.values():
        viewed = await do(partial(generation.read, order_id))
        if viewed is not None:
            versions += [viewed.view.version if viewed.view else 0, *viewed.steps]
    tombstone = await do(partial(deployment.write.upkeep.erase, order_id, max(versions), deployment.now(), at_version))
    if tombstone is None:
        return None
    for generation in deployment.read.upkeep.values():
        await do(partial(generation.erase, order_id, tombstone.version, tombstone.erased_at))
    return tombstone
