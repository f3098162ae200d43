"""Whether both sides tell the same of one order. Pure: what each side keeps comes in, a verdict goes out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from order_events import format_moment
from update_order_status.domain import Order, Tombstone
from update_order_status.upkeep import WrittenEvent, WrittenOrder
from update_order_status_read_model.projector import OrderView
from update_order_status_read_model.upkeep import ViewedOrder

STEPS_NAMED_MAX = 10


class Verdict(StrEnum):
    """What the two sides of an order are to each other, the worse ones later."""

    SAME = "same"
    IN_FLIGHT = "in flight"
    """The read side lacks only what may still be on its way."""
    DIVERGED = "diverged"
    UNREADABLE = "unreadable"
    """A newer version of this code wrote some of it."""


SEVERITY = {verdict: place for place, verdict in enumerate(Verdict)}


@dataclass(frozen=True, slots=True)
class Finding:
    """The verdict on one order, and why."""

    order_id: str
    verdict: Verdict
    reason: str = ""

    def document(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {"orderId": self.order_id, "verdict": self.verdict.value, "reason": self.reason}


Complaint = tuple[Verdict, str]


def judge(
    order_id: str, written: WrittenOrder | None, viewed: ViewedOrder | None, now: datetime, grace: timedelta
) -> Finding:
    """The verdict on an order at `now`. An event published less than `grace` ago may still be on its way."""
    complaints = list(_complaints(written, viewed, now - grace))
    verdict = max((verdict for verdict, _ in complaints), key=SEVERITY.__getitem__, default=Verdict.SAME)
    return Finding(order_id, verdict, "; ".join(reason for _, reason in complaints))


def _complaints(written: WrittenOrder | None, viewed: ViewedOrder | None, since: datetime) -> Iterator[Complaint]:
    if written is not None and written.unreadable:
        yield Verdict.UNREADABLE, written.unreadable
    elif written is None:
        if viewed is not None:
            yield Verdict.DIVERGED, "the write side knows nothing of it"
    elif isinstance(written.latest, Tombstone):
        yield from _of_erased(written, written.latest, viewed, since)
    elif written.latest is None:
        yield Verdict.DIVERGED, "the write side has events of it and no order"
    else:
        yield from _of_living(written, written.latest, viewed, since)


def _of_erased(
    written: WrittenOrder, tombstone: Tombstone, viewed: ViewedOrder | None, since: datetime
) -> Iterator[Complaint]:
    verdict = Verdict.IN_FLIGHT if tombstone.erased_at > since else Verdict.DIVERGED
    if written.documents > 1:
        yield verdict, "it is erased, and the write side still has documents of it"
    if viewed is None or viewed.view is None:
        yield verdict, "it is erased, and the read side has no tombstone of it"
    elif not viewed.view.erased:
        yield verdict, "it is erased, and the read side still shows it"
    if viewed is not None and viewed.steps:
        yield verdict, "it is erased, and the read side still has its history"


def _of_living(written: WrittenOrder, order: Order, viewed: ViewedOrder | None, since: datetime) -> Iterator[Complaint]:
    events = {event.version: event for event in written.events}
    if max(events, default=0) != order.version:
        yield Verdict.DIVERGED, f"the order is at version {order.version}, its newest event at {max(events, default=0)}"
        return
    view = viewed.view if viewed else None
    if view is not None and view.erased:
        yield Verdict.DIVERGED, "the read side has erased it, the write side has not"
        return
    yield from _of_view(order, view, events[order.version], since)
    steps = viewed.steps if viewed else frozenset[int]()
    missing = [event for version, event in events.items() if version not in steps]
    if missing:
        under_way = all(_is_under_way(event, since) for event in missing)
        lacking = _named(event.version for event in missing)
        yield Verdict.IN_FLIGHT if under_way else Verdict.DIVERGED, f"the history lacks {lacking}"
    if surplus := steps - events.keys():
        yield Verdict.DIVERGED, f"the history has {_named(iter(surplus))}, of which the write side has no event"


def _of_view(order: Order, view: OrderView | None, newest: WrittenEvent, since: datetime) -> Iterator[Complaint]:
    if view is None or view.version < order.version:
        verdict = Verdict.IN_FLIGHT if _is_under_way(newest, since) else Verdict.DIVERGED
        where = "has no view" if view is None else f"is at version {view.version}"
        yield verdict, f"the read side {where}, the write side at version {order.version}"
    elif view.version > order.version:
        yield Verdict.DIVERGED, f"the read side is at version {view.version}, the write side at {order.version}"
    else:
        for name, on_read, on_write in (
            ("status", view.status, order.status),
            ("previousStatus", view.previous_status, order.previous_status),
            ("updatedAt", format_moment(view.updated_at), format_moment(order.updated_at)),
        ):
            if on_read != on_write:
                yield Verdict.DIVERGED, f"{name} is {on_read} on the read side, {on_write} on the write side"


def _is_under_way(event: WrittenEvent, since: datetime) -> bool:
    return event.pending or event.touched_at > since


def _named(versions: Iterator[int]) -> str:
    numbers = sorted(versions)
    more = f" and {len(numbers) - STEPS_NAMED_MAX} more" if len(numbers) > STEPS_NAMED_MAX else ""
    return "step " + ", ".join(map(str, numbers[:STEPS_NAMED_MAX])) + more
