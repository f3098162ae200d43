"""`relay`: publishes now what no request could, instead of at the timer's next tick."""

from __future__ import annotations

import argparse
from datetime import timedelta

from operations.arguments import positive_seconds
from operations.errors import EXIT_DONE, EXIT_LEFT
from operations.limits import RELAY_PORTIONS_MAX
from operations.output import Bars, Outcome
from operations.wiring import Deployment
from update_order_status.limits import RELAY_EVENTS_MAX

SUMMARY = "publish the events that no request could publish, oldest first, until none is left"
DESCRIPTION = """\
Does what the timer function PublishPendingOrderEvents does, portion after portion. Publishing an event twice does no
harm, so it may run beside the timer.

Exit code: 0 nothing is left; 1 Event Grid did not take all, or some were written by a newer version; 2 could not tell.
"""
EXAMPLES = """\
  python -m operations relay --dry-run            # how many wait, and how long the oldest has
  python -m operations relay
  python -m operations relay --grace 0            # the youngest ones too
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's own flags."""
    parser.add_argument(
        "--grace",
        type=positive_seconds,
        metavar="SECONDS",
        help="leave younger events to the requests that made them (default: OrdersRelayGraceSeconds)",
    )


async def run(parsed: argparse.Namespace, deployment: Deployment, bars: Bars) -> Outcome:
    """Publish portions until nothing is pending, or nothing is taken any more."""
    relay, do = deployment.write.relay, deployment.patience.do
    grace = relay.grace if parsed.grace is None else timedelta(seconds=parsed.grace)
    if parsed.dry_run:
        return await _tell_pending(deployment, grace)
    advance = bars.begin("publish")
    found = sent = unreadable = 0
    oldest_seconds = 0.0
    for _ in range(RELAY_PORTIONS_MAX):
        relayed = await do(lambda: relay.tick(grace))
        found += relayed.found
        sent += relayed.sent
        unreadable = relayed.unreadable
        oldest_seconds = max(oldest_seconds, relayed.oldest_age_seconds)
        advance(relayed.sent)
        if relayed.found < RELAY_EVENTS_MAX or relayed.sent < relayed.found:
            break
    document = {"found": found, "sent": sent, "unreadable": unreadable, "oldestPendingSeconds": oldest_seconds}
    told = [f"found {found}, sent {sent}, oldest pending {oldest_seconds:.1f} s"]
    if unreadable:
        told.append(f"{unreadable} events of a newer version wait for the code that knows it")
    return Outcome(EXIT_LEFT if sent < found or unreadable else EXIT_DONE, document, told)


async def _tell_pending(deployment: Deployment, grace: timedelta) -> Outcome:
    now = deployment.now()
    pending = await deployment.patience.do(lambda: deployment.write.orders.list_pending(now - grace, RELAY_EVENTS_MAX))
    count = len(pending.events)
    oldest_seconds = (now - pending.events[0].occurred_at).total_seconds() if count else 0.0
    document = {
        "found": count,
        "sent": 0,
        "unreadable": pending.unreadable,
        "oldestPendingSeconds": oldest_seconds,
        "more": count == RELAY_EVENTS_MAX,
    }
    more = " or more" if count == RELAY_EVENTS_MAX else ""
    return Outcome(EXIT_DONE, document, [f"would send {count}{more}, oldest pending {oldest_seconds:.1f} s"])
