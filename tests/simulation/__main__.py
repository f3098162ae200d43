"""`python -m tests.simulation`: explore the service's histories, replay one, or show that known mistakes are found."""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections.abc import Sequence

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from tests.simulation.choices import Choices, parse_name
from tests.simulation.exploration import Found, explore_scripts, explorer, find_mistake, wander_scripts
from tests.simulation.scripts import SCRIPTS, working_day
from tests.simulation.variants import VARIANTS

FAILURES_SHOWN = 3
DAY_RATE = 0.03
"""How likely a call meets a fault in a simulated day."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; the exit code is 1 when something was violated, or a mistake was not found."""
    options = _parser().parse_args(arguments)
    console = Console(stderr=True)
    return int(options.run(options, console))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.simulation",
        description="Plays the order service, with the real Azure SDKs and emulators, through crashes, lost answers, "
        "duplicates, reorderings, refusals and two hosts at once; checks that nothing is lost, doubled or diverges.",
        epilog="Examples:\n  python -m tests.simulation explore --faults 2 --script one-order\n"
        "  python -m tests.simulation wander --minutes 5 --seed 7\n"
        "  python -m tests.simulation replay rivals 3.4-7.2\n  python -m tests.simulation variants",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    explore = verbs.add_parser("explore", help="every history with up to so many faults")
    explore.add_argument("--faults", type=int, default=1, choices=(0, 1, 2, 3), help="per history (1)")
    explore.set_defaults(run=_explore)
    wander = verbs.add_parser("wander", help="histories by chance, with more faults each")
    wander.add_argument("--minutes", type=float, default=1.0, help="how long (1)")
    wander.add_argument("--seed", type=int, default=0, help="the same seed gives the same histories (0)")
    wander.add_argument("--faults", type=int, default=6, help="at most, per history (6)")
    wander.set_defaults(run=_wander)
    day = verbs.add_parser("day", help="a day of commands and faults, in a minute")
    day.add_argument("--hours", type=float, default=24.0, help="of the service's time (24)")
    day.add_argument("--commands", type=int, default=400, help="in all (400)")
    day.add_argument("--seed", type=int, default=0, help="the same seed gives the same day (0)")
    day.set_defaults(run=_day)
    replay = verbs.add_parser("replay", help="one history again, with its timeline")
    replay.add_argument("script", choices=list(SCRIPTS))
    replay.add_argument("name", help="as a failure names it, for example 3.4-7.2; - is the undisturbed one")
    replay.add_argument("--variant", choices=list(VARIANTS), help="of a service with this mistake")
    replay.set_defaults(run=_replay)
    variants = verbs.add_parser("variants", help="how soon each known mistake is found")
    variants.add_argument("--faults", type=int, default=2, choices=(1, 2, 3), help="per history (2)")
    variants.set_defaults(run=_variants)
    for each in (explore, wander):
        each.add_argument("--script", action="append", choices=list(SCRIPTS), help="only this one; may be repeated")
    for each in (explore, wander, variants):
        each.add_argument("--json", action="store_true", help="figures for machines, on stdout")
    return parser


def _explore(options: argparse.Namespace, console: Console) -> int:
    began = time.monotonic()
    with _progress(console) as progress, explorer() as exploring:
        task = progress.add_task("exploring", found="")
        found = explore_scripts(
            exploring,
            options.script or list(SCRIPTS),
            faults_max=options.faults,
            tell=lambda so_far: progress.update(task, found=_figures(so_far)),
        )
    return _report(found, time.monotonic() - began, options, console)


def _wander(options: argparse.Namespace, console: Console) -> int:
    began = time.monotonic()
    with _progress(console) as progress, explorer() as exploring:
        task = progress.add_task(f"wandering, seed {options.seed}", found="")

        def goes_on(found: Found) -> bool:
            progress.update(task, found=_figures(found))
            return bool(time.monotonic() - began < options.minutes * 60)

        found = wander_scripts(
            exploring, options.script or list(SCRIPTS), options.seed, faults_max=options.faults, goes_on=goes_on
        )
    return _report(found, time.monotonic() - began, options, console)


def _day(options: argparse.Namespace, console: Console) -> int:
    began = time.monotonic()
    dice = random.Random(options.seed)
    choices = Choices(dice=dice, rate=DAY_RATE, budget=options.commands)
    script = working_day(options.seed, hours=options.hours, commands=options.commands)
    with console.status(f"{options.hours:g} hours, {options.commands} commands"), explorer() as exploring:
        outcome = exploring.play(script, choices)
    faults = sum(1 for option in choices.taken if option)
    print(
        f"{options.hours:g} hours with {options.commands} commands, {len(choices.taken)} calls and {faults} faults "
        f"took {time.monotonic() - began:.0f} s"
    )
    print("\n".join(outcome.violations) or "Nothing is violated.")
    return 1 if outcome.violations else 0


def _replay(options: argparse.Namespace, console: Console) -> int:
    with explorer(options.variant) as exploring:
        outcome = exploring.replay(options.script, parse_name(options.name))
    print("\n".join(outcome.timeline))
    print("\n".join(outcome.violations) or "Nothing is violated.")
    return 1 if outcome.violations else 0


def _variants(options: argparse.Namespace, console: Console) -> int:
    table = Table("mistake", "what it is", "found after", "as", "says")
    figures: dict[str, int | None] = {}
    for name, variant in VARIANTS.items():
        found = find_mistake(name, faults_max=options.faults)
        figures[name] = found.histories if found.failures else None
        if not found.failures:
            table.add_row(name, variant.says, "[red]never", "", f"{found.histories} histories")
            continue
        failure = found.failures[0]
        table.add_row(
            name,
            variant.says,
            f"{found.histories} histories",
            f"{failure.script} {failure.name}",
            failure.outcome.violations[0],
        )
    if options.json:
        print(json.dumps(figures))
    else:
        Console().print(table)
    return 0 if all(figures.values()) else 1


def _progress(console: Console) -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TextColumn("{task.fields[found]}"),
        TimeElapsedColumn(),
        console=console,
    )


def _figures(found: Found) -> str:
    return f"{found.histories} histories, {len(found.distinct)} distinct, {len(found.failures)} violated"


def _report(found: Found, seconds: float, options: argparse.Namespace, console: Console) -> int:
    if options.json:
        failures = [
            {"script": each.script, "name": each.name, "violations": each.outcome.violations} for each in found.failures
        ]
        figures = {"histories": found.histories, "distinct": len(found.distinct), "seconds": round(seconds, 1)}
        print(json.dumps({**figures, "failures": failures}))
    else:
        print(f"{_figures(found)}; {60 * found.histories / seconds:.0f} a minute")
    for failure in found.failures[:FAILURES_SHOWN]:
        console.print(f"\n[red]{failure.script} {failure.name}[/red]", *failure.outcome.violations, sep="\n  ")
        console.print(*failure.outcome.timeline, sep="\n", highlight=False, markup=False)
        console.print(f"Again: python -m tests.simulation replay {failure.script} {failure.name}", highlight=False)
    return 1 if found.failures else 0


if __name__ == "__main__":
    sys.exit(main())
