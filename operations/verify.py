"""`verify`: whether both sides tell the same of every order."""

from __future__ import annotations

import argparse
from datetime import timedelta

from rich.table import Table

from operations.arguments import positive_seconds
from operations.comparison import Verdict
from operations.errors import EXIT_DONE, EXIT_FAILED, EXIT_LEFT
from operations.limits import FINDINGS_SHOWN_MAX, GRACE_SECONDS, WAIT_LOOK_SECONDS
from operations.output import Bars, Outcome, table
from operations.verification import Report, Verification
from operations.wiring import Deployment
from update_order_status_read_model.wiring import GENERATIONS

SUMMARY = "compare every order on both sides; --repair projects anew what differs"
DESCRIPTION = """\
Reads both sides sorted by order id, compares each order's status, version, time of change and history, and tells what
may still be on its way ("in flight": an event that is not published yet, or was published within the grace) from what
has diverged. Reading is all it does, unless --repair is given: that applies the write side's events through the same
projector and gate as deliveries, so it may run beside live traffic.

Exit code: 0 nothing has diverged; 1 something has; 2 could not tell (also when --wait has run out).
"""
EXAMPLES = """\
  python -m operations verify --settings local.settings.json
  python -m operations verify --wait 60           # after an import: until nothing is in flight
  python -m operations verify --repair
  python -m operations verify --json | jq '.findings[].orderId'
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's own flags."""
    parser.add_argument("--repair", action="store_true", help="project anew what has diverged")
    parser.add_argument(
        "--generation", type=int, choices=GENERATIONS, help="of the read side (default: the one that queries read)"
    )
    parser.add_argument(
        "--grace",
        type=positive_seconds,
        default=GRACE_SECONDS,
        metavar="SECONDS",
        help="how long a published event may be on its way (default %(default)g)",
    )
    parser.add_argument(
        "--wait",
        type=positive_seconds,
        default=0.0,
        metavar="SECONDS",
        help="compare again until nothing is in flight, so long at most",
    )


async def run(parsed: argparse.Namespace, deployment: Deployment, bars: Bars) -> Outcome:
    """Compare, and again while something is in flight and there is time."""
    generation = parsed.generation
    if generation is None:
        generation = (await deployment.patience.do(deployment.read.projection.pointer.look)).generations.read
    repair = parsed.repair and not parsed.dry_run
    verification = Verification(deployment, generation, parsed.grace, repair=repair)
    until = deployment.now() + timedelta(seconds=parsed.wait)
    while True:
        report = await verification.run(bars.begin("verify", await verification.count_documents()))
        if report.settled or deployment.now() >= until:
            break
        await deployment.surroundings.sleep(WAIT_LOOK_SECONDS)
    return Outcome(_exit_code(report, waited=parsed.wait > 0), report.document(), _tell(report, repair=repair))


def _exit_code(report: Report, *, waited: bool) -> int:
    if report.counts[Verdict.DIVERGED]:
        return EXIT_LEFT
    if report.counts[Verdict.UNREADABLE] or (waited and not report.settled):
        return EXIT_FAILED
    return EXIT_DONE


def _tell(report: Report, *, repair: bool) -> list[Table | str]:
    counts = table("verdict", "orders", title=f"write side and generation {report.generation}")
    for verdict in Verdict:
        counts.add_row(verdict.value, str(report.counts[verdict]))
    told: list[Table | str] = [counts]
    if report.findings:
        differences = table("order", "verdict", "why")
        for finding in report.findings[:FINDINGS_SHOWN_MAX]:
            differences.add_row(finding.order_id, finding.verdict.value, finding.reason)
        told.append(differences)
        if (left_out := report.counts.total() - report.counts[Verdict.SAME] - FINDINGS_SHOWN_MAX) > 0:
            told.append(f"… and {left_out} more (--json names up to a thousand)")
    if report.repaired:
        told.append(f"{report.repaired} orders were projected anew and agree now")
    told.append(_conclude(report, repair=repair))
    return told


def _conclude(report: Report, *, repair: bool) -> str:
    if report.counts[Verdict.DIVERGED]:
        remedy = "`rebuild` makes the views anew" if repair else "`verify --repair` projects them anew"
        return f"{report.counts[Verdict.DIVERGED]} orders have diverged; {remedy}"
    if report.counts[Verdict.UNREADABLE]:
        return f"{report.counts[Verdict.UNREADABLE]} orders were written by a newer version; run its `verify`"
    if not report.settled:
        return f"nothing has diverged; {report.counts[Verdict.IN_FLIGHT]} orders have events on their way"
    return "both sides are the same"
