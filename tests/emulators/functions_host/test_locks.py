"""Two hosts, one timer: the lock decides who runs it, and who does when the other is gone."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest
from azure.storage.blob import BlobClient, BlobLeaseClient

from local.azurite import StorageAddress
from tests.emulators.functions_host.running import RunningHost, running_host, write_app

APP = """
import logging, os
import azure.functions as func
app = func.FunctionApp()

@app.timer_trigger(arg_name="timer", schedule="0 0 * * * *")
async def Tick(timer: func.TimerRequest) -> None:
    logging.info("tick")

@app.route("exit", auth_level=func.AuthLevel.ANONYMOUS)
def Exit(req: func.HttpRequest) -> func.HttpResponse:
    os._exit(3)
"""
SOURCE = pytest.mark.read_in_sdk("azure-webjobs-sdk SingletonListener.cs, BlobLeaseDistributedLockManager.cs")


def app(root: Path, azurite: StorageAddress, host_id: str) -> Path:
    """The app, as one of the hosts with that id."""
    values = {"AzureWebJobsStorage": azurite.connection_string, "AzureFunctionsWebHost__hostid": host_id}
    return write_app(root, APP, values=values)


def lock(azurite: StorageAddress, host_id: str) -> BlobClient:
    """The blob whose lease is the lock."""
    name = f"locks/{host_id}/Host.Functions.Tick.Listener"
    return BlobClient.from_connection_string(azurite.connection_string, "azure-webjobs-hosts", name)


def until_fired(host: RunningHost) -> None:
    """An hour passes, and the timer fires here."""
    before = sum("Succeeded" in line for line in host.lines)
    host.turn_clock(3600)
    host.until("Executed 'Functions.Tick' (Succeeded", times=before + 1)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
@SOURCE
def test_a_host_takes_over_from_one_that_was_killed(tmp_path: Path, azurite: StorageAddress) -> None:
    """While the first lives the second does not run the timer; when its lease has run out, the second does."""
    with running_host(app(tmp_path / "first", azurite, "rivals")) as first:
        first.until_listening("Tick")
        with running_host(app(tmp_path / "second", azurite, "rivals"), "--user-log-level", "debug") as second:
            until_fired(first)
            second.turn_clock(3700)
            assert second.call("GET", "/admin/emulator/health").json()["listening"] == []
            _, worker = first.call("GET", "/admin/host/processes").json()["processes"]
            os.kill(worker["processId"], signal.SIGKILL)
            first.process.kill()
            first.until_ended()
            with lock(azurite, "rivals") as blob:
                BlobLeaseClient(blob).break_lease(0)  # what the 15 s without a renewal would do
            second.turn_clock(61)
            second.until_listening("Tick")
            until_fired(second)


@SOURCE
def test_a_host_that_is_stopped_leaves_the_lock_free(tmp_path: Path, azurite: StorageAddress) -> None:
    """The next one need not wait for the lease to run out."""
    with running_host(app(tmp_path, azurite, "stopped")) as first:
        first.until_listening("Tick")
        with lock(azurite, "stopped") as blob:
            assert blob.get_blob_properties().lease.state == "leased"
    with lock(azurite, "stopped") as blob:
        assert blob.get_blob_properties().lease.state == "available"
    with running_host(tmp_path) as second:
        second.until_listening("Tick")
        until_fired(second)


@pytest.mark.our_choice("the lock is the host's: a worker that dies does not cost a minute without timers")
def test_the_worker_in_the_place_of_another_goes_on_with_its_lock(tmp_path: Path, azurite: StorageAddress) -> None:
    """After a worker's death, and after a reload, the timer is listened to at once."""
    with running_host(app(tmp_path, azurite, "replaced")) as host:
        host.until_listening("Tick")
        with pytest.raises(OSError, match="Connection aborted"):
            host.call("GET", "/api/exit")
        host.until_listening("Tick")
        until_fired(host)
        (tmp_path / "function_app.py").write_text(APP)
        host.until("\tTick: timerTrigger", times=2)
        host.until_listening("Tick")
        until_fired(host)


@pytest.mark.our_choice("a host that has lost its lock stops running the timer, which webjobs-sdk leaves open")
def test_a_lock_that_is_lost_stops_the_timer(tmp_path: Path, azurite: StorageAddress) -> None:
    """Somebody else takes the lease: the timer is not listened to until it is free again."""
    with running_host(app(tmp_path, azurite, "lost")) as host, lock(azurite, "lost") as blob:
        host.until_listening("Tick")
        BlobLeaseClient(blob).break_lease(0)
        thief = blob.acquire_lease(60)
        host.until("The lock of function 'Tick' was lost; another host may run it.")
        thief.release()
        host.turn_clock(61)
        host.until_listening("Tick")
        until_fired(host)
