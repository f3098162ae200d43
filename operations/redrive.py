"""`redrive`: dead letters and parked events, listed with their reasons, and brought to the views after all."""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

from rich.table import Table

from operations.arguments import order_id, since
from operations.errors import EXIT_DONE, EXIT_LEFT
from operations.limits import FINDINGS_KEPT_MAX, FINDINGS_SHOWN_MAX
from operations.output import Bars, Outcome, table
from operations.undelivered import Filter, Portion, Source, Undelivered, portions
from operations.wiring import Deployment
from order_events import OrderStatusUpdated
from update_order_status_read_model.projection import apply

SUMMARY = "list dead letters and parked events; --send or --project brings them to the views"
DESCRIPTION = """\
Lists what never reached the views: events that Event Grid gave up (blobs in the container OrdersDeadLetterContainer,
by default dead-letters, of the account AzureWebJobsStorage) and events that the projection parked because it could not
understand them. --send publishes those that the filters select to the topic again, --project applies them to the views
directly; each is deleted only after that. Both may be done twice without harm, and an event that is still not
understood stays where it is.

Exit code: 0 listed, or everything selected was brought; 1 some of it was not; 2 could not tell.
"""
EXAMPLES = """\
  python -m operations redrive                                    # what lies there, and why
  python -m operations redrive --reason MaxDeliveryAttempts --since 2d --send
  python -m operations redrive --parked --send                    # after an upgrade that understands them
  python -m operations redrive --order o-17 --project
  python -m operations redrive --json | jq '.events[].reason'
"""
SENT, NOT_UNDERSTOOD, NOT_TAKEN, KEPT = "sent", "notUnderstood", "notTaken", "cameAgain"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's own flags."""
    act = parser.add_mutually_exclusive_group()
    act.add_argument("--send", action="store_true", help="publish the selected events again")
    act.add_argument(
        "--project", action="store_true", help="apply the selected events to the views, without Event Grid"
    )
    which = parser.add_argument_group("which events (all must hold; without any: all)")
    place = which.add_mutually_exclusive_group()
    for source in Source:
        name = source.value.replace("letter", "letters")
        place.add_argument(f"--{name}", dest="source", action="store_const", const=source, help=f"only {name}")
    which.add_argument("--reason", metavar="TEXT", help="whose reason contains this")
    which.add_argument("--since", type=since, metavar="WHEN", help="that lie there since: 90m, 12h, 7d, or ISO 8601")
    which.add_argument("--order", type=order_id, metavar="ORDER_ID", help="of this order")
    which.add_argument("--event", metavar="EVENT_ID", help="with this id")


async def run(parsed: argparse.Namespace, deployment: Deployment, bars: Bars) -> Outcome:
    """List, or bring what is selected."""
    moment = deployment.now() - parsed.since if isinstance(parsed.since, timedelta) else parsed.since
    chosen = Filter(parsed.source, parsed.reason, moment, parsed.order, parsed.event)
    acts = (parsed.send or parsed.project) and not parsed.dry_run
    redrive = Redrive(deployment, chosen, project=parsed.project)
    advance = bars.begin("redrive" if acts else "list")
    async for portion in portions(deployment.letters, deployment.read.projection.parking, chosen.source):
        await redrive.take(portion, acts=acts)
        advance(1)
    left = acts and redrive.ended.total() != redrive.ended[SENT]
    return Outcome(EXIT_LEFT if left else EXIT_DONE, redrive.document(acts=acts), redrive.tell(acts=acts))


class Redrive:
    """Brings the events that `chosen` admits to the topic, or with `project` to the views, and counts how it ends."""

    def __init__(self, deployment: Deployment, chosen: Filter, *, project: bool) -> None:
        self._deployment = deployment
        self._chosen = chosen
        self._project = project
        self.ended: Counter[str] = Counter()
        self.selected = 0
        self.listed: list[Undelivered] = []

    async def take(self, portion: Portion, *, acts: bool) -> None:
        """Select of `portion`, and bring what is selected if this `acts`."""
        places = [place for place, each in enumerate(portion.events) if self._chosen.admits(each)]
        self.selected += len(places)
        room = FINDINGS_KEPT_MAX - len(self.listed)
        self.listed += [replace(portion.events[place], text="") for place in places[:room]]  # each may be a megabyte
        if not acts or not places:
            return
        events = {place: event for place in places if (event := portion.events[place].event) is not None}
        brought = await self._bring(events)
        self.ended[NOT_UNDERSTOOD] += len(places) - len(events)
        self.ended[NOT_TAKEN] += len(events) - len(brought)
        gone = not brought or await portion.keep(set(range(len(portion.events))) - brought)
        self.ended[SENT if gone else KEPT] += len(brought)

    async def _bring(self, events: dict[int, OrderStatusUpdated]) -> set[int]:
        """The places of those that have arrived."""
        if self._project:
            for event in events.values():
                await self._apply(event)
            return set(events)
        accepted = await self._deployment.write.publisher.send(list(events.values()), by="redrive")
        return set(list(events)[: len(accepted)])

    async def _apply(self, event: OrderStatusUpdated) -> None:
        projection, do = self._deployment.read.projection, self._deployment.patience.do
        for generation in (await do(projection.pointer.get)).written:
            store = projection.stores[generation]
            await do(lambda store=store: apply(store, [event], projection.pause_up_to))  # type: ignore[misc]

    def document(self, *, acts: bool) -> dict[str, Any]:
        """Plain JSON values."""
        document: dict[str, Any] = {
            "selected": self.selected,
            "events": [each.document() for each in self.listed],
            "eventsLeftOut": self.selected - len(self.listed),
        }
        if acts:
            document |= {name: self.ended[name] for name in (SENT, NOT_UNDERSTOOD, NOT_TAKEN, KEPT)}
        return document

    def tell(self, *, acts: bool) -> list[Table | str]:
        """For people."""
        rows = table("lies in", "since", "order", "version", "reason", "not understood because")
        for each in self.listed[:FINDINGS_SHOWN_MAX]:
            order, version = (each.event.order_id, str(each.event.version)) if each.event else ("?", "?")
            since_text = f"{each.since:%Y-%m-%d %H:%M:%S}Z"
            problem = "the same" if each.problem == each.reason else each.problem or ""
            rows.add_row(each.source.value, since_text, order, version, each.reason, problem)
        told: list[Table | str] = [rows] if self.listed else []
        if (left_out := self.selected - FINDINGS_SHOWN_MAX) > 0:
            told.append(f"… and {left_out} more (--json names up to a thousand)")
        if not acts:
            return [*told, f"{self.selected} events; --send or --project brings them to the views"]
        if self.ended[NOT_TAKEN]:
            told.append("Event Grid did not take all; run this again")
        if self.ended[KEPT]:
            told.append("some were delivered or changed once more meanwhile; they were brought and stay listed")
        counts = f"brought {self.ended[SENT] + self.ended[KEPT]} of {self.selected}"
        return [*told, f"{counts}, not understood {self.ended[NOT_UNDERSTOOD]}, not taken {self.ended[NOT_TAKEN]}"]
