"""One delivered event, into every generation that is written: get, project, save, and again if another delivery was
faster. Raising is the retry: Event Grid brings the event again."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from order_events import OrderStatusUpdated, UndecodableEvent, decode
from update_order_status_read_model.errors import Contended
from update_order_status_read_model.generations import GenerationPointer
from update_order_status_read_model.limits import PROJECT_ATTEMPTS_MAX, PROJECT_PAUSE_SECONDS
from update_order_status_read_model.parking import ParkingLot
from update_order_status_read_model.projector import project_all
from update_order_status_read_model.store import ViewStore

log = logging.getLogger(__name__)

Pause = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Projection:
    """Takes events in. `pause_up_to` waits a random time up to the seconds it is given."""

    pointer: GenerationPointer
    stores: Mapping[int, ViewStore]
    parking: ParkingLot
    pause_up_to: Pause

    async def take(self, text: str) -> None:
        """Apply the event in `text`, or park it when it can never be applied. Raises what may pass with time."""
        try:
            event = decode(text)
        except UndecodableEvent as failure:
            parked_id = await self.parking.park(text, str(failure))
            log.error("parked id=%s reason=%s", parked_id, failure)  # noqa: TRY400 - the reason is the news, not our stack
            return
        for generation in (await self.pointer.get()).written:
            await apply(self.stores[generation], [event], self.pause_up_to)


async def apply(store: ViewStore, events: Sequence[OrderStatusUpdated], pause_up_to: Pause) -> bool:
    """Apply events of one order to one generation; whether its view changed.

    Raises Contended when rivals never let them through.
    """
    order_id = events[0].order_id
    begins = any(event.version == 1 for event in events)
    for attempt in range(PROJECT_ATTEMPTS_MAX):
        if attempt:
            await pause_up_to(PROJECT_PAUSE_SECONDS * 2 ** (attempt - 1))
        # The first event of an order needs no look: creating the view is the question and the answer in one call.
        stored = None if begins and not attempt else await store.get(order_id)
        before = stored.view if stored else None
        view, entries = project_all(before, events)
        if not entries:
            return False
        if view is None:
            if await store.save_entries(order_id, entries):
                return False
        elif await store.save(view, entries, stored):
            return True
    raise Contended(f"order {order_id} lost {PROJECT_ATTEMPTS_MAX} races")
