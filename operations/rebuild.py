"""`rebuild`: the read side made anew beside live traffic, without downtime."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from operations.errors import EXIT_DONE, CommandFailed
from operations.journal import Journal, Note
from operations.output import Bars, Outcome
from operations.rebuilding import STEPS, Rebuild, Step, other, remaining
from operations.wiring import Deployment
from order_events import format_moment

SUMMARY = "make the read side anew in its other generation, then have queries read that"
DESCRIPTION = """\
Projects the write side's events into the generation that is not read, while live events go to both, compares the result
with the write side, and only then switches the pointer that queries follow. Nothing stands still meanwhile. Wherever it
is killed, run it again: it goes on from its journal. Data-plane roles are enough, since both generations exist already.

The old generation is kept as it was until the next rebuild, or until --empty-old frees it.

Exit code: 0 done; 2 not done (another rebuild is at work, or the result differs from the write side and is not read).
"""
EXAMPLES = """\
  python -m operations rebuild --dry-run          # what is left to do
  python -m operations rebuild
  python -m operations rebuild --take-over        # the one before was killed less than a minute ago
  python -m operations rebuild --empty-old        # free the generation that is not read
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's own flags."""
    parser.add_argument("--empty-old", action="store_true", help="only empty the generation that is not read")
    parser.add_argument(
        "--take-over",
        action="store_true",
        help="go on although another rebuild seems to be at work: you know it is not",
    )


async def run(parsed: argparse.Namespace, deployment: Deployment, bars: Bars) -> Outcome:
    """Go on with the rebuild that is under way, or begin one."""
    journal = Journal(deployment.read.bookkeeping, deployment.now, deployment.surroundings.new_id())
    note = await deployment.patience.do(journal.look)
    first = note.step if note else STEPS[0].name
    left = remaining(first, only_empty=parsed.empty_old)
    if not left:
        raise CommandFailed(f"A rebuild is under way and at the step {first!r}. Finish it with `rebuild` first.")
    if parsed.dry_run:
        return await _tell_plan(deployment, left, note)
    if note is not None and journal.is_held() and not parsed.take_over:
        raise CommandFailed(
            f"Another rebuild is at work, at the step {note.step!r}. If it was killed, run this again after "
            f"{format_moment(note.held_until)}, or now with --take-over."
        )
    rebuild = Rebuild(deployment, journal, bars)
    await rebuild.run(only_empty=parsed.empty_old)
    pointer = await deployment.patience.do(deployment.read.projection.pointer.look)
    read = pointer.generations.read
    document = {
        "read": read,
        "written": list(pointer.generations.written),
        "resumed": note is not None,
        "ordersCopied": rebuild.copied,
        "documentsEmptied": rebuild.emptied,
        "verification": rebuild.report and rebuild.report.document(),
    }
    if parsed.empty_old:
        return Outcome(EXIT_DONE, document, [f"generation {other(read)} is empty; queries read generation {read}"])
    told = f"queries read generation {read}; it agrees with the write side ({rebuild.copied} orders copied in this run)"
    return Outcome(EXIT_DONE, document, [told])


async def _tell_plan(deployment: Deployment, left: Sequence[Step], note: Note | None) -> Outcome:
    pointer = await deployment.patience.do(deployment.read.projection.pointer.look)
    read = pointer.generations.read
    source, target = (note.source, note.target) if note else (read, other(read))
    steps = [step.told.format(source=source, target=target) for step in left]
    document = {
        "read": read,
        "written": list(pointer.generations.written),
        "resumed": note is not None,
        "left": steps,
    }
    lines = [f"queries read generation {read}; " + ("a rebuild is under way. Left to do:" if note else "to do:")]
    return Outcome(EXIT_DONE, document, lines + [f"  {number}. {step}" for number, step in enumerate(steps, 1)])
