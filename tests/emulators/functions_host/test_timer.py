"""Timer triggers, with the host's clock turned instead of waiting."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from azure.storage.blob import BlobServiceClient
from hypothesis import given
from hypothesis import strategies as st

from emulators.functions_host.dates import parse_moment, round_trip
from emulators.functions_host.errors import FunctionInError
from emulators.functions_host.triggers.schedule import parse_schedule
from local.azurite import StorageAddress
from tests.emulators.functions_host.running import running_host, write_app

HOURLY = """
import logging
import azure.functions as func
app = func.FunctionApp()

@app.timer_trigger(arg_name="timer", schedule="%When%", run_on_startup=RUN)
async def Tick(timer: func.TimerRequest) -> None:
    logging.info("tick past_due=%s", timer.past_due)
"""


def app(
    root: Path, storage: str, *, when: str = "0 0 * * * *", run_on_startup: bool = False, host_id: str = ""
) -> Path:
    """An app with one timer."""
    values = {"When": when, "AzureWebJobsStorage": storage, "AzureFunctionsWebHost__hostid": host_id or "timers"}
    return write_app(root, HOURLY.replace("RUN", str(run_on_startup)), values=values)


@pytest.mark.parametrize(
    ("text", "after", "expected"),
    [
        ("0 */5 * * * *", "2026-01-01T10:02:00", "2026-01-01T10:05:00"),
        ("*/5 * * * *", "2026-01-01T10:05:00", "2026-01-01T10:10:00"),
        ("*/10 * * * * *", "2026-01-01T10:00:55.5", "2026-01-01T10:01:00"),
        ("0 30 9 * * Mon-Fri", "2026-01-02T10:00:00", "2026-01-05T09:30:00"),
        ("0 0 0 13 * fri", "2026-01-01T00:00:00", "2026-02-13T00:00:00"),
        ("0 0 0 29 2 *", "2026-01-01T00:00:00", "2028-02-29T00:00:00"),
        ("01:30:00", "2026-01-01T10:00:00", "2026-01-01T11:30:00"),
        ("1.00:00:00", "2026-01-01T10:00:00", "2026-01-02T10:00:00"),
    ],
)
@pytest.mark.documented("learn.microsoft.com azure-functions functions-bindings-timer: NCRONTAB expressions, TimeSpan")
def test_schedules(text: str, after: str, expected: str) -> None:
    """The next occurrence of five and six fields and of intervals; day of month and of week must both match."""
    moment = datetime.fromisoformat(after).replace(tzinfo=UTC)
    assert parse_schedule(text, UTC).after(moment) == datetime.fromisoformat(expected).replace(tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "* * *", "61 * * * * *", "* * * * * Foo", "0 0 0 30 2 *", "25:00:00", "00:00:00"])
@pytest.mark.read_in_sdk("azure-webjobs-sdk-extensions TimerSchedule.cs")
def test_schedules_that_are_refused(text: str) -> None:
    """What is neither crontab nor time span is refused, and so is a date that never comes."""
    with pytest.raises(FunctionInError):
        parse_schedule(text, UTC)


@pytest.mark.read_in_sdk("azure-webjobs-sdk-extensions ScheduleMonitor.cs, StorageScheduleMonitor.cs")
def test_a_timer_fires_and_keeps_its_state(tmp_path: Path, azurite: StorageAddress) -> None:
    """At its hour the function runs, not past due, and the status blob says when it runs next."""
    with running_host(app(tmp_path, azurite.connection_string, host_id="fires")) as host:
        blob = "timers/fires/Host.Functions.Tick/status"
        host.until_listening("Tick")
        host.turn_clock(3600)
        host.until("tick past_due=False")
        host.until("Executed 'Functions.Tick' (Succeeded")
        host.turn_clock(3600)
        host.until("tick past_due=False", times=2)
        host.end()
        with BlobServiceClient.from_connection_string(azurite.connection_string) as client:
            status = client.get_blob_client("azure-webjobs-hosts", blob)
            document = json.loads(status.download_blob().readall())
    assert set(document) == {"Last", "Next", "LastUpdated"}
    assert datetime.fromisoformat(document["Next"][:19]) > datetime.fromisoformat(document["Last"][:19])


@pytest.mark.read_in_sdk("azure-webjobs-sdk-extensions ScheduleMonitor.cs CheckPastDueAsync, TimerListener.cs")
def test_a_missed_occurrence_is_made_up_for(tmp_path: Path, azurite: StorageAddress) -> None:
    """When the stored next occurrence has passed, the function runs at once with past_due, and once only."""
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=3)  # noqa: TID251 - the real state
    with BlobServiceClient.from_connection_string(azurite.connection_string) as client:
        container = client.get_container_client("azure-webjobs-hosts")
        if not container.exists():
            container.create_container()
        document = {
            "Last": round_trip(hour),
            "Next": round_trip(hour + timedelta(hours=1)),
            "LastUpdated": round_trip(hour),
        }
        container.upload_blob("timers/missed/Host.Functions.Tick/status", json.dumps(document))
    with running_host(app(tmp_path, azurite.connection_string, run_on_startup=True, host_id="missed")) as host:
        host.until("tick past_due=True")
        assert "UnscheduledInvocationReason: IsPastDue, OriginalSchedule: " in host.until("Trigger Details:")
        host.end()
    assert sum("tick" in line for line in host.lines) == 1


@pytest.mark.read_in_sdk("azure-webjobs-sdk-extensions StorageScheduleMonitor.cs: DateTime in round-trip form")
@given(st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=-3))])))
def test_a_status_that_was_written_can_be_read(moment: datetime) -> None:
    """Any moment survives, also the year 1, which stands for never: a timer that has not fired has it."""
    assert parse_moment(round_trip(moment)) == moment


@pytest.mark.read_in_sdk("azure-webjobs-sdk-extensions TimerListener.cs")
def test_run_on_startup_runs_at_once(tmp_path: Path, azurite: StorageAddress) -> None:
    """The function runs when the host starts, not past due."""
    with running_host(app(tmp_path, azurite.connection_string, run_on_startup=True, host_id="startup")) as host:
        host.until("tick past_due=False")
        assert "UnscheduledInvocationReason: RunOnStartup" in host.until("Trigger Details:")


@pytest.mark.read_in_sdk("azure-webjobs-sdk FunctionListener.cs: a listener that cannot start is tried again")
def test_without_storage_the_rest_serves_and_the_timer_says_so(tmp_path: Path) -> None:
    """An unreachable account is the listener's failure, repeated with a growing wait; the host answers."""
    nobody = "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=AAAA;BlobEndpoint=http://127.0.0.1:9/a;"
    with running_host(app(tmp_path, nobody)) as host:
        host.until("The listener for function 'Functions.Tick' was unable to start.")
        assert "Tick" in host.call("GET", "/admin/emulator/health").json()["listenersFailing"]
        host.turn_clock(10)
        host.until("The listener for function 'Functions.Tick' was unable to start.", times=2)
        assert host.call("GET", "/").status_code == 200


@pytest.mark.parametrize("content", ["not JSON", "[]", '{"Last": null, "Next": null, "LastUpdated": null}'])
@pytest.mark.our_choice("a status that cannot be read is said, and begun anew")
def test_a_status_that_cannot_be_read_is_begun_anew(tmp_path: Path, azurite: StorageAddress, content: str) -> None:
    """The timer listens all the same."""
    host_id = f"unreadable-{len(content)}"
    with BlobServiceClient.from_connection_string(azurite.connection_string) as client:
        container = client.get_container_client("azure-webjobs-hosts")
        if not container.exists():
            container.create_container()
        container.upload_blob(f"timers/{host_id}/Host.Functions.Tick/status", content)
    with running_host(app(tmp_path, azurite.connection_string, host_id=host_id), "--verbose") as host:
        host.until("The status of timer 'Tick' is unreadable; ignored.")
        host.until_listening("Tick")


@pytest.mark.read_in_sdk("azure-functions-host FunctionsController.cs Invoke")
def test_a_timer_can_be_run_by_hand(tmp_path: Path, azurite: StorageAddress) -> None:
    """POST /admin/functions/NAME answers 202 at once and the function runs; without JSON 415, unknown 404."""
    with running_host(app(tmp_path, azurite.connection_string, host_id="by-hand")) as host:
        assert host.call("POST", "/admin/functions/tick", json={"input": ""}).status_code == 202
        host.until("tick past_due=False")
        assert host.call("POST", "/admin/functions/tick", data="x").status_code == 415
        assert host.call("POST", "/admin/functions/other", json={"input": ""}).status_code == 404


@pytest.mark.read_in_sdk("azure-webjobs-sdk NameResolverExtensions.cs, azure-webjobs-sdk-extensions TimerSchedule.cs")
def test_a_timer_that_cannot_be_is_in_error_and_the_host_runs(tmp_path: Path) -> None:
    """A schedule that is none and a setting that is missing are named."""
    source = HOURLY.replace("RUN", "False") + HOURLY[HOURLY.index("@app") :].replace("RUN", "False").replace(
        "Tick", "Other"
    ).replace("%When%", "%Missing%")
    with running_host(write_app(tmp_path, source, values={"When": "sometimes"})) as host:
        host.until("The 'Tick' function is in error: The schedule expression 'sometimes' was not recognized")
        host.until("The 'Other' function is in error: '%Missing%' does not resolve to a value.")


@pytest.mark.our_choice("a missing storage setting is named with what to write")
def test_a_monitored_timer_without_storage_setting_is_in_error(tmp_path: Path) -> None:
    """AzureWebJobsStorage missing takes out the timer, not the host; a setting STORAGE of the app's own is not it."""
    with running_host(app(tmp_path, ""), environment={"AzureWebJobsStorage": "", "STORAGE": "mine"}) as host:
        host.until("The 'Tick' function is in error: AzureWebJobsStorage is not set.")
