"""The report: at once, and when its hour comes."""

from emulators.functions_host.testing import FunctionsTestHost
from function_app import app

SETTINGS = {"ReportSchedule": "0 30 9 * * 1-5"}


def test_the_report_is_written_when_the_timer_ticks() -> None:
    """One run, on time."""
    with FunctionsTestHost(app, settings=SETTINGS) as host:
        [run] = host.tick("morning_report")
        assert [log.text for log in run.logs] == ["The report is on time"]


def test_the_report_comes_in_the_morning() -> None:
    """Three days always hold a weekday's half past nine: the clock is turned, nobody waits."""
    with FunctionsTestHost(app, settings=SETTINGS, listen=True) as host:
        host.wait_until_listening("morning_report")
        host.advance(3 * 24 * 3600)
        assert host.wait_for("morning_report")[0].succeeded
