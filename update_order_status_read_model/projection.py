"""One delivered event, into every generation that is written: get, project, save, and again if another delivery was
faster. Raising is the retry: Event Grid brings the event again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from order_events import OrderStatusUpdated, UndecodableEvent, decode
from order_telemetry import EventLog, Span, SpanKind, Telemetry, correlated
from order_telemetry.signals import PARKED, PROJECT_SPAN, PROJECTED, PROJECTION_LAG
from update_order_status_read_model.errors import Contended
from update_order_status_read_model.generations import GenerationPointer
from update_order_status_read_model.limits import PROJECT_ATTEMPTS_MAX, PROJECT_PAUSE_SECONDS
from update_order_status_read_model.parking import ParkingLot
from update_order_status_read_model.projector import project_all
from update_order_status_read_model.store import ViewStore

log = EventLog(__name__)

Pause = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Projection:
    """Takes events in. `pause_up_to` waits a random time up to the seconds it is given."""

    pointer: GenerationPointer
    stores: Mapping[int, ViewStore]
    parking: ParkingLot
    pause_up_to: Pause
    now: Callable[[], datetime]
    telemetry: Telemetry

    async def take(self, text: str) -> None:
        """Apply the event in `text`, or park it when it can never be applied. Raises what may pass with time."""
        try:
            event = decode(text)
        except UndecodableEvent as failure:
            parked_id = await self.parking.park(text, str(failure))
            self.telemetry.add(PARKED, 1)
            log.urgent("parked", id=parked_id, reason=str(failure))
            return
        about = {"orders.order_id": event.order_id, "messaging.message.id": event.event_id}
        with (
            self.telemetry.span(PROJECT_SPAN, SpanKind.CONSUMER, about, parent=event.traceparent) as span,
            correlated(span.traceparent or event.traceparent),
        ):
            changed = [
                await apply(self.stores[generation], [event], self.pause_up_to)
                for generation in (await self.pointer.get()).written
            ]
            self._tell(span, event, changed=any(changed))

    def _tell(self, span: Span, event: OrderStatusUpdated, *, changed: bool) -> None:
        result = "applied" if changed else "known"
        lag_seconds = max(0.0, (self.now() - event.occurred_at).total_seconds())
        span.note({"orders.result": result})
        self.telemetry.add(PROJECTED, 1, {"result": result})
        if changed:
            self.telemetry.add(PROJECTION_LAG, lag_seconds)
        log.info(
            "projected",
            order=event.order_id,
            command=event.command_id,
            version=event.version,
            result=result,
            lag_seconds=round(lag_seconds, 3),
        )


async def apply(store: ViewStore, events: Sequence[OrderStatusUpdated], pause_up_to: Pause) -> bool:
    """Apply events of one order to one generation; whether its view changed.

    Raises Contended when rivals never let them through.
    """
    order_id = events[0].order_id
    begins = any(event.version == 1 for event in events)
    view, entries = project_all(None, events)
    # Later events ordinarily find an older view: then one call is all, as for the first.
    if view is not None and not begins and await store.advance(view, entries):
        return True
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
