"""`erase`: takes everything of one order away, for good."""

from __future__ import annotations

import argparse

from operations.arguments import order_id
from operations.errors import EXIT_DONE, EXIT_LEFT
from operations.output import Bars, Outcome
from operations.removal import erase_order
from operations.undelivered import mentions, portions
from operations.wiring import Deployment
from order_events import format_moment
from update_order_status.domain import Tombstone

SUMMARY = "erase one order: its events, views, history, parked events and dead letters"
DESCRIPTION = """\
Puts a tombstone, which holds the order's id and version and nothing else, in the order's place on both sides, in both
generations of the read side, and deletes all that there is besides: events (published or not), receipts, history,
parked events and dead letters. Commands on the order answer 410 from then on, queries 404, and events that are still
on their way change nothing. It cannot be undone.

Killed half-way, run it again. Run it a second time a day later as well: Event Grid may until then dead-letter an event
that it was still trying to deliver, and a request that was under way may leave a receipt.

Exit code: 0 erased (now or before); 1 there is no such order, or dead letters could not be looked through because
AzureWebJobsStorage is not set; 2 not done, or not wholly.
"""
EXAMPLES = """\
  python -m operations erase o-17 --dry-run
  python -m operations erase o-17
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's own flags."""
    parser.add_argument("order", type=order_id, metavar="ORDER_ID", help="the order to erase")


async def run(parsed: argparse.Namespace, deployment: Deployment, bars: Bars) -> Outcome:
    """Erase, or tell what would be."""
    order = parsed.order
    if parsed.dry_run:
        return await _tell_what_is_kept(deployment, order)
    advance = bars.begin("erase")
    tombstone = await erase_order(deployment, order)
    advance(1)
    removed, stayed = 0, 0
    async for portion in portions(deployment.letters, deployment.read.projection.parking, None):
        staying = {place for place, each in enumerate(portion.events) if not mentions(each, order)}
        if count := len(portion.events) - len(staying):
            gone = await portion.keep(staying)
            removed, stayed = (removed + count, stayed) if gone else (removed, stayed + count)
        advance(1)
    return _outcome(deployment, order, tombstone, removed, stayed)


def _outcome(deployment: Deployment, order: str, tombstone: Tombstone | None, removed: int, stayed: int) -> Outcome:
    known = tombstone is not None or removed > 0
    document = {
        "orderId": order,
        "erased": known,
        "version": tombstone and tombstone.version,
        "erasedAt": tombstone and format_moment(tombstone.erased_at),
        "undeliveredRemoved": removed,
        "undeliveredLeft": stayed,
        "deadLettersLookedThrough": deployment.letters.configured,
    }
    told = [f"{order} is erased" if known else f"nothing is known of an order {order}"]
    if removed:
        told.append(f"{removed} parked events or dead letters of it are deleted")
    if stayed:
        told.append(f"{stayed} were delivered or changed once more meanwhile; run this again")
    if not deployment.letters.configured:
        told.append("dead letters were not looked through: AzureWebJobsStorage is not set")
    whole = known and not stayed and deployment.letters.configured
    return Outcome(EXIT_DONE if whole else EXIT_LEFT, document, told)


async def _tell_what_is_kept(deployment: Deployment, order: str) -> Outcome:
    written = await deployment.patience.do(lambda: deployment.write.upkeep.read(order))
    views = {
        number: await deployment.patience.do(lambda generation=generation: generation.read(order))  # type: ignore[misc]
        for number, generation in deployment.read.upkeep.items()
    }
    undelivered = 0
    async for portion in portions(deployment.letters, deployment.read.projection.parking, None):
        undelivered += sum(mentions(each, order) for each in portion.events)
    counts = {f"generation {number}": viewed.documents if viewed else 0 for number, viewed in views.items()}
    document = {
        "orderId": order,
        "writeSide": written.documents if written else 0,
        **counts,
        "undelivered": undelivered,
    }
    told = [f"{name}: {count}" for name, count in document.items() if name != "orderId"]
    return Outcome(EXIT_DONE, document, [f"documents and events of {order}:", *told])
