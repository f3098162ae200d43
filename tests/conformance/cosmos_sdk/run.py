"""Runs the suite against an emulator it starts, file by file, and holds the outcomes against `passing.txt`.

With `--target azure` it is run against AZURE_COSMOS_ENDPOINT with AZURE_COSMOS_KEY, and what differs from the emulator
goes into `results/cosmos_sdk/differences.json`. A test that is listed and fails is tried once more alone: some of the
suite's tests count background calls or sleep.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from emulators.cosmos.account import WELL_KNOWN_KEY
from tests.conformance.cosmos_sdk.suite import HERE, SuiteError, prepared
from tests.conformance.emulator import running

PASSING = HERE / "passing.txt"
RESULTS = HERE.parent / "results" / "cosmos_sdk"
TEST_SECONDS_MAX = 90
FILE_SECONDS_MAX = 600
QUICK = re.compile(
    r"^test_(crud(_container|_database|_subpartition)?|change_feed|transactional_batch|partition_key|headers|read_items"
    r"|none_options|session_container|feed_range|ttl|cosmos_responses|encoding|query|aggregate|orderby)\.py"
)
"""The files of `--quick`: the synchronous half of what touches the server most."""
TIMED = re.compile(r"timeouts|retry|fault injection|logging")
"""Areas whose tests race clocks and count background calls. `--quick` leaves them out; in a whole run one that is lost
is told and does not fail it: a client that waits 3 µs for an answer gets it or not as its own threads please."""


@dataclass(frozen=True, slots=True)
class Test:
    """One test of the suite. `free` ones pass on a server that answers 404 to everything."""

    id: str
    set: str
    area: str
    free: bool

    @property
    def file(self) -> str:
        """The file that it is in."""
        return self.id.partition("::")[0]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; 0 when every test that is listed as passing still passes."""
    chosen = _arguments().parse_args(arguments)
    tests = [test for test in _catalogue() if _wanted(test, chosen)]
    if not tests:
        print("nothing selected", file=sys.stderr)
        return 2
    passing = _listed()
    try:
        suite = prepared()
    except SuiteError as failure:
        print(failure, file=sys.stderr)
        return 2
    RESULTS.mkdir(parents=True, exist_ok=True)
    with _account(chosen.target) as account:
        outcomes = _run_all(suite, account, tests)
        lost = [test for test in tests if test.id in passing and outcomes[test.id][0] != "passed"]
        outcomes |= _run_all(suite, account, lost)
    if chosen.target == "azure":
        return _tell_differences(tests, outcomes, passing)
    return _judge(tests, outcomes, passing, update=chosen.update)


@dataclass(frozen=True, slots=True)
class Account:
    """What the suite is run against."""

    endpoint: str
    key: str


@contextmanager
def _account(target: str) -> Iterator[Account]:
    if target == "azure":
        if missing := {"AZURE_COSMOS_ENDPOINT", "AZURE_COSMOS_KEY"} - set(os.environ):
            raise SystemExit(f"--target azure: {min(missing)} is not set")
        yield Account(os.environ["AZURE_COSMOS_ENDPOINT"], os.environ["AZURE_COSMOS_KEY"])
    else:
        with running("cosmos", RESULTS / "emulator.log", https=True) as endpoint:  # tokens are not sent over http
            yield Account(endpoint, WELL_KNOWN_KEY)


def _listed() -> set[str]:
    """The tests that are known to pass."""
    return set(PASSING.read_text(encoding="utf-8").splitlines()) if PASSING.exists() else set()


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("tests.conformance", description=__doc__)
    parser.add_argument("selection", nargs="*", help="regular expressions on test ids")
    parser.add_argument(
        "--quick", action="store_true", help="the files that touch the server most, without tests that race clocks"
    )
    parser.add_argument("--sets", default="SQV", help="S, Q, V or several (default: %(default)s)")
    parser.add_argument("--area", default="", help="regular expression on the area")
    parser.add_argument("--target", choices=["local", "azure"], default="local", help="default: %(default)s")
    parser.add_argument("--update", action="store_true", help="add what passes to passing.txt")
    return parser


def _catalogue() -> list[Test]:
    rows = (line.split("\t") for line in (HERE / "tests.tsv").read_text(encoding="utf-8").splitlines())
    return [Test(name, which, area, bool(free)) for which, free, area, name in rows]


def _wanted(test: Test, chosen: argparse.Namespace) -> bool:
    if test.free or test.set not in chosen.sets or not re.search(chosen.area, test.area):
        return False
    if chosen.quick and (not QUICK.match(test.id) or TIMED.search(test.area)):
        return False
    return not chosen.selection or any(re.search(pattern, test.id) for pattern in chosen.selection)


Outcome = tuple[str, str]
"""(passed, failed, skipped or hung; what it complained of)."""


def _run_all(suite: Path, account: Account, tests: Sequence[Test]) -> dict[str, Outcome]:
    by_file: dict[str, list[Test]] = {}
    for test in tests:
        by_file.setdefault(test.file, []).append(test)
    outcomes: dict[str, Outcome] = {}
    for file, members in by_file.items():
        started = time.monotonic()
        outcomes |= _run_file(suite, account, file, [test.id for test in members])
        counts = collections.Counter(outcomes[test.id][0] for test in members)
        told = " ".join(f"{name} {count}" for name, count in sorted(counts.items()))
        print(f"{file:<64} {told}  ({time.monotonic() - started:.0f} s)", flush=True)
    return outcomes


def _run_file(suite: Path, account: Account, file: str, ids: Sequence[str]) -> dict[str, Outcome]:
    """One process a file; when it hangs it is ended, the running test counts as hung, the rest goes on."""
    outcomes: dict[str, Outcome] = {}
    deadline = time.monotonic() + FILE_SECONDS_MAX
    while (left := [each for each in ids if each not in outcomes]) and time.monotonic() < deadline:
        events = RESULTS / f"{file.replace('/', '_')}.jsonl"
        events.unlink(missing_ok=True)
        _pytest(suite, account, file, left, events, deadline - time.monotonic())
        running = _read(events, outcomes)
        if running is None:
            break
        outcomes[running] = ("hung", "")
    return {each: outcomes.get(each, ("missing", "no outcome: not collected, or out of time")) for each in ids}


def _pytest(suite: Path, account: Account, file: str, ids: Sequence[str], events: Path, seconds: float) -> None:
    chosen = events.with_suffix(".ids")
    chosen.write_text("\n".join(ids), encoding="utf-8")
    environment = {
        **{
            name: value for name, value in os.environ.items() if not name.startswith(("ACCOUNT_", "COSMOS_", "GLOBAL_"))
        },
        "ACCOUNT_HOST": account.endpoint,
        "ACCOUNT_KEY": account.key,
        "CONFORMANCE_TESTS": str(chosen),
        "CONFORMANCE_OUTCOMES": str(events),
        "PYTHONPATH": str(HERE / "plugins"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    options = ["-q", "-p", "conformance_plugin", "--timeout", str(TEST_SECONDS_MAX), "-W", "ignore", "--tb=short"]
    command = [sys.executable, "-m", "pytest", *options, file]
    with events.with_suffix(".log").open("w", encoding="utf-8") as log:
        try:
            subprocess.run(command, cwd=suite, env=environment, stdout=log, stderr=log, timeout=seconds, check=False)
        except subprocess.TimeoutExpired:
            print(f"{file}: out of time", file=sys.stderr)


def _read(events: Path, outcomes: dict[str, Outcome]) -> str | None:
    """Add the outcomes that were told; the test that was running when the process ended, if one was."""
    running = None
    for line in events.read_text(encoding="utf-8").splitlines() if events.exists() else ():
        event = json.loads(line)
        if "start" in event:
            running = event["start"]
        elif "test" in event:
            outcomes[event["test"]] = (event["outcome"], event["error"])
            running = None
        else:
            print(f"  set-up step {event['setup']} failed: {event['error']}", file=sys.stderr)
    return running


def _judge(tests: Sequence[Test], outcomes: Mapping[str, Outcome], passing: set[str], *, update: bool) -> int:
    lost = [test for test in tests if test.id in passing and outcomes[test.id][0] != "passed"]
    print()
    for which in sorted({test.set for test in tests}):
        members = [test for test in tests if test.set == which]
        passed = sum(outcomes[test.id][0] == "passed" for test in members)
        print(f"set {which}: {passed} of {len(members)} passed ({100 * passed / len(members):.1f} %)")
    report = {test.id: {"set": test.set, "area": test.area, "outcome": outcomes[test.id]} for test in tests}
    (RESULTS / "outcomes.json").write_text(json.dumps(report, indent=1), encoding="utf-8")
    if update:
        gained = {test.id for test in tests if outcomes[test.id][0] == "passed"}
        # Read again: another run may have added to it meanwhile.
        PASSING.write_text("\n".join(sorted(_listed() | gained)) + "\n", encoding="utf-8")
        print(f"passing.txt: {len(gained - passing)} new")
    for test in lost:
        print(f"{'LOST to a clock' if TIMED.search(test.area) else 'LOST'} {test.id}: {outcomes[test.id]}")
    return 0 if all(TIMED.search(test.area) for test in lost) else 1


def _tell_differences(tests: Sequence[Test], outcomes: Mapping[str, Outcome], passing: set[str]) -> int:
    """What passes on one side only; 1 when there is such a test."""
    differing = {
        test.id: {"emulator": "passed" if test.id in passing else "failed", "azure": list(outcomes[test.id])}
        for test in tests
        if (test.id in passing) != (outcomes[test.id][0] == "passed")
    }
    file = RESULTS / "differences.json"
    file.write_text(json.dumps(differing, indent=1), encoding="utf-8")
    print(f"{len(tests) - len(differing)} of {len(tests)} alike; {len(differing)} differ: {file}")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
