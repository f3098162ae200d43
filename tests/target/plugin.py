"""The options `--target`, `--differences` and `--record-differences`, and what they do to a run."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from tests.target.differences import Differences
from tests.target.selection import reason_to_skip

LIST = Path(__file__).parent / "differences.json"


def add_options(parser: pytest.Parser) -> None:
    """The command line's part."""
    group = parser.getgroup("target")
    group.addoption("--target", choices=["local", "azure"], default="local", help="what the tests are asked of")
    group.addoption("--differences", type=Path, default=LIST, metavar="FILE", help="recorded differences of Azure")
    group.addoption(
        "--record-differences",
        action="store_true",
        help="add what differs to the list instead of failing, drop the rest",
    )


def is_azure(config: pytest.Config) -> bool:
    """Whether this run is asked of Azure."""
    return bool(config.getoption("target") == "azure")


class AgainstAzure:
    """Skips what cannot be asked of Azure, expects the differences that are listed, records new ones."""

    def __init__(self, config: pytest.Config) -> None:
        self._differences = Differences.read(config.getoption("differences"))
        self._recording = bool(config.getoption("record_differences"))

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """A reason for every test that is left out."""
        for item in items:
            if reason := reason_to_skip(item):
                item.add_marker(pytest.mark.skip(reason=f"--target=azure: {reason}"))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
        """A listed difference, or one to be recorded, is an expected failure; a fixture that fails never is."""
        report: pytest.TestReport = yield  # type: ignore[assignment]
        if report.when == "call" and report.failed and (self._recording or item.nodeid in self._differences.listed):
            listed = self._differences.listed.get(item.nodeid, {}).get("answered")
            report.outcome = "skipped"  # with `wasxfail` pytest tells it as an expected failure
            report.wasxfail = listed or str(call.excinfo.value if call.excinfo else "")
        return report  # type: ignore[return-value]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """In the process that speaks to the user: keep what happened."""
        if hasattr(report, "wasxfail"):
            self._differences.failed[report.nodeid] = report.wasxfail
        elif report.when == "call" and report.passed:
            self._differences.passed.add(report.nodeid)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """What differs, and what no longer does."""
        found = self._differences
        terminalreporter.write_line(f"Azure differs in {len(found.failed)} tests; {len(found.passed)} agree.")
        for name in found.gone():
            terminalreporter.write_line(f"no longer differs: {name}")

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the list, in the process that has heard of everything."""
        if self._recording and not hasattr(session.config, "workerinput"):
            self._differences.record(date.today().isoformat())  # noqa: DTZ011 - a person's calendar
