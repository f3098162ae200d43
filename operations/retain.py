"""`retain`: removes what has been kept for long enough."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from operations.errors import EXIT_DONE, CommandFailed
from operations.limits import RETAIN_DAYS_MAX, RETAIN_DAYS_MIN
from operations.output import Bars, Outcome
from operations.removal import erase_order
from operations.wiring import Deployment
from update_order_status.domain import FINAL, Order
from update_order_status.upkeep import WrittenEvent, WrittenOrder

SUMMARY = "remove published events and finished orders that are older than the settings say"
DESCRIPTION = f"""\
Events older than OrdersRetainEventsDays go from the write side, and their steps from the histories; an order's newest
event stays as long as the order. Orders that were delivered, canceled or returned longer ago than
OrdersRetainOrdersDays go as by `erase`. What no setting or flag limits is kept for ever. An event that is not yet
published never goes.

The least is {RETAIN_DAYS_MIN} days: until then Event Grid may still deliver. A command's Idempotency-Key is known for
as long as its event is kept. Run it daily; killed half-way, the next run finishes.

Exit code: 0 done; 2 not done.
"""
EXAMPLES = """\
  python -m operations retain --dry-run --events-days 90
  python -m operations retain --events-days 90 --orders-days 400
"""
EVENTS_SETTING = "OrdersRetainEventsDays"
ORDERS_SETTING = "OrdersRetainOrdersDays"


@dataclass(frozen=True, slots=True)
class Rule:
    """What is old enough to go: events and orders from before these moments (None: none is)."""

    events_before: datetime | None
    orders_before: datetime | None

    def is_order_over(self, written: WrittenOrder) -> bool:
        """Whether the whole order goes."""
        order = written.latest
        return (
            self.orders_before is not None
            and isinstance(order, Order)
            and order.status in FINAL
            and order.updated_at < self.orders_before
            and not any(event.pending for event in written.events)
        )

    def events_over(self, written: WrittenOrder) -> list[WrittenEvent]:
        """The events of a living order that go. Its newest stays, being what the view is made from."""
        if self.events_before is None or not isinstance(written.latest, Order):
            return []
        return [
            each
            for each in written.events
            if each.event is not None
            and not each.pending
            and each.version < written.version
            and each.event.occurred_at < self.events_before
        ]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's own flags."""
    parser.add_argument("--events-days", metavar="N", help=f"instead of {EVENTS_SETTING}")
    parser.add_argument("--orders-days", metavar="N", help=f"instead of {ORDERS_SETTING}")


async def run(parsed: argparse.Namespace, deployment: Deployment, bars: Bars) -> Outcome:
    """Walk over all orders and remove what is over."""
    now, do = deployment.now(), deployment.patience.do
    rule = Rule(
        _before(now, parsed.events_days, deployment.settings, EVENTS_SETTING),
        _before(now, parsed.orders_days, deployment.settings, ORDERS_SETTING),
    )
    if rule.events_before is None and rule.orders_before is None:
        raise CommandFailed(f"Nothing says for how long: set {EVENTS_SETTING} or {ORDERS_SETTING}, or give a flag.")
    orders = events = 0
    advance = bars.begin("retain", await do(deployment.write.upkeep.count_documents))
    async for written in deployment.patience.walk(deployment.write.upkeep.walk):
        if rule.is_order_over(written):
            orders += 1
            if not parsed.dry_run:
                await erase_order(deployment, written.order_id, at_version=written.version)
        elif over := rule.events_over(written):
            events += len(over)
            if not parsed.dry_run:
                await _remove(deployment, written.order_id, over)
        advance(written.documents)
    removed = "would remove" if parsed.dry_run else "removed"
    document = {"events": events, "orders": orders, "dryRun": parsed.dry_run}
    return Outcome(EXIT_DONE, document, [f"{removed} {events} events and {orders} orders"])


async def _remove(deployment: Deployment, order_id: str, events: list[WrittenEvent]) -> None:
    """The histories first: when it breaks, the events that are left show the next run what is to be done."""
    versions = [event.version for event in events]
    for generation in deployment.read.upkeep.values():
        await deployment.patience.do(partial(generation.delete_steps, order_id, versions))
    await deployment.patience.do(partial(deployment.write.upkeep.delete_events, order_id, events))


def _before(now: datetime, flag: str | None, settings: Mapping[str, str], setting: str) -> datetime | None:
    text = flag or settings.get(setting)
    if not text:
        return None
    if not text.isdecimal() or not RETAIN_DAYS_MIN <= int(text) <= RETAIN_DAYS_MAX:
        raise CommandFailed(f"{setting} takes {RETAIN_DAYS_MIN} to {RETAIN_DAYS_MAX} days, not {text!r}.")
    return now - timedelta(days=int(text))
