"""Limits: functionTimeout, the throttles of host.json, headers on every answer, several workers as one host."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import pytest
import requests

from emulators.base.tls import authority_directory, certificate_file
from tests.emulators.functions_host.running import CONTROL, failed_start, running_host, write_app

APP = """
import asyncio, os, threading
import azure.functions as func
app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

@app.route("pid")
async def Pid(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(str(os.getpid()))

@app.route("hangs")
async def Hangs(req: func.HttpRequest) -> func.HttpResponse:
    print("hanging", flush=True)
    await asyncio.Event().wait()

@app.route("holds-the-loop")
async def HoldsTheLoop(req: func.HttpRequest) -> func.HttpResponse:
    threading.Event().wait()

@app.route("hangs-in-thread")
def HangsInThread(req: func.HttpRequest) -> func.HttpResponse:
    print("hanging", flush=True)
    threading.Event().wait()

@app.route("waits/{name}")
async def Waits(req: func.HttpRequest) -> func.HttpResponse:
    print("waiting", req.route_params["name"], flush=True)
    while not os.path.exists(req.route_params["name"]):
        await asyncio.sleep(0.01)
    return func.HttpResponse(str(os.getpid()))

@app.route("threads")
def Threads(req: func.HttpRequest) -> func.HttpResponse:
    barrier = barriers.setdefault(req.params["parties"], threading.Barrier(int(req.params["parties"])))
    try:
        barrier.wait(float(req.params["seconds"]))
    except threading.BrokenBarrierError:
        return func.HttpResponse("alone")
    return func.HttpResponse("together")

barriers = {}
"""
TIMEOUT = pytest.mark.read_in_sdk(
    "azure-webjobs-sdk FunctionExecutor.cs, azure-functions-host WebScriptHostExceptionHandler.cs"
)


@pytest.mark.parametrize("path", ["hangs", "hangs-in-thread"])
@TIMEOUT
def test_a_function_that_takes_too_long_costs_its_worker(tmp_path: Path, path: str) -> None:
    """The caller gets 500, the log says so, the worker process is replaced, the port stays."""
    root = write_app(tmp_path, APP, host={"functionTimeout": "00:10:00"})
    with running_host(root) as host, ThreadPoolExecutor() as threads:
        before = host.call("GET", "/api/pid").text
        hanging = threads.submit(host.call, "GET", f"/api/{path}")
        host.until("hanging")
        host.turn_clock(599)
        host.turn_clock(2)
        answer = hanging.result()
        assert (answer.status_code, answer.content) == (500, b"")
        name = "Functions.Hangs" if path == "hangs" else "Functions.HangsInThread"
        host.until(f"Timeout value of 00:10:00 exceeded by function '{name}' (Id: '")
        host.until(f"Timeout value of 00:10:00 was exceeded by function: {name}")
        host.until("A function timeout has occurred. Restarting worker process executing invocationId '")
        host.until("Restart of language worker process(es) completed.")
        assert host.call("GET", "/api/pid").text != before


@TIMEOUT
def test_a_function_that_holds_the_event_loop_costs_its_worker_too(tmp_path: Path) -> None:
    """Nobody can answer its caller any more: the process is ended, another one serves."""
    with running_host(write_app(tmp_path, APP, host={"functionTimeout": "00:00:01"})) as host:
        before = host.call("GET", "/api/pid").text
        with pytest.raises(requests.ConnectionError):
            host.call("GET", "/api/holds-the-loop")
        host.until("holds the event loop beyond functionTimeout")
        assert host.call("GET", "/api/pid").text != before


@pytest.mark.read_in_sdk("azure-functions-host ScriptJobHostOptionsSetup.cs: 30 minutes outside Consumption")
def test_half_an_hour_is_the_limit_when_none_is_given(tmp_path: Path) -> None:
    """Nothing happens before it."""
    with running_host(write_app(tmp_path, APP)) as host, ThreadPoolExecutor() as threads:
        hanging = threads.submit(host.call, "GET", "/api/hangs")
        host.until("hanging")
        host.turn_clock(1790)
        assert not hanging.done()
        host.turn_clock(20)
        assert hanging.result().status_code == 500
        host.until("Timeout value of 00:30:00 exceeded by function")


@pytest.mark.read_in_sdk("azure-functions-host ScriptJobHostOptionsSetup.cs: -1 is no limit")
def test_minus_one_is_no_limit(tmp_path: Path) -> None:
    """After a day the function still waits, and may end well."""
    root = write_app(tmp_path, APP, host={"functionTimeout": "-1"})
    with running_host(root) as host, ThreadPoolExecutor() as threads:
        waiting = threads.submit(host.call, "GET", "/api/waits/end")
        host.until("waiting end")
        host.turn_clock(24 * 3600)
        (root / "end").touch()
        assert waiting.result().status_code == 200


@pytest.mark.parametrize(
    ("host", "values", "expected"),
    [
        ({"functionTimeout": "soon"}, {}, "host.json: functionTimeout: 'soon' is not a time span"),
        ({"functionTimeout": "00:00:00.5"}, {}, "FunctionTimeout must be greater than 00:00:01"),
        ({"extensions": {"http": {"maxConcurrentRequests": 0}}}, {}, "maxConcurrentRequests takes a number from 1"),
        (
            {"extensions": {"http": {"maxOutstandingRequests": 1}}},
            {"FUNCTIONS_WORKER_PROCESS_COUNT": "2"},
            "each worker process needs a share of at least 1",
        ),
        (
            {"extensions": {"http": {"hsts": {"isEnabled": True, "maxAge": "long"}}}},
            {},
            "extensions.http.hsts.maxAge: 'long' is not a time span",
        ),
    ],
)
@pytest.mark.our_choice("a limit that cannot be obeyed stops the start and is named")
def test_limits_that_cannot_be_are_named(
    tmp_path: Path, host: dict[str, object], values: dict[str, str], expected: str
) -> None:
    """The line says which, and what it takes."""
    code, printed = failed_start(write_app(tmp_path, APP, host=host, values=values))
    assert code == 1
    assert expected in printed
    assert "Traceback" not in printed


@pytest.mark.read_in_sdk("azure-functions-host HttpRequestQueue.cs, HttpThrottleMiddleware.cs")
def test_requests_beyond_the_limits_wait_or_are_refused(tmp_path: Path) -> None:
    """One runs, one waits its turn, the third is 429 with the header that asks for more instances."""
    limits = {"maxConcurrentRequests": 1, "maxOutstandingRequests": 2}
    root = write_app(tmp_path, APP, host={"extensions": {"http": limits}})
    with running_host(root) as host, ThreadPoolExecutor() as threads:
        first = threads.submit(host.call, "GET", "/api/waits/a")
        host.until("waiting a")
        others = [threads.submit(host.call, "GET", "/api/waits/b") for _ in range(2)]
        refused = next(as_completed(others))
        assert refused.result().status_code == 429
        assert refused.result().headers["x-function-scaleout"] == "1"
        assert host.call("GET", "/admin/host/status").status_code == 200
        assert not any("waiting b" in line for line in host.lines)
        (root / "a").touch()
        assert first.result().status_code == 200
        host.until("waiting b")
        (root / "b").touch()
        assert sorted(each.result().status_code for each in others) == [200, 429]


@pytest.mark.read_in_sdk("azure-functions-host CustomHttpHeadersMiddleware.cs, HstsConfigurationMiddleware.cs")
def test_every_answer_bears_the_headers_of_host_json(tmp_path: Path) -> None:
    """customHeaders always; hsts only over https and never for this machine's own names."""
    http = {
        "customHeaders": {"X-Frame-Options": "deny"},
        "hsts": {"isEnabled": True, "maxAge": "10.00:00:00", "includeSubDomains": True, "preload": True},
    }
    root = write_app(tmp_path, APP, host={"extensions": {"http": http}})
    with running_host(root, "--useHttps") as host:
        authority = str(certificate_file(authority_directory()))
        for path in ("/api/pid", "/nowhere"):
            answer = host.call("GET", path, headers={"Host": "shop.example"}, verify=authority)
            assert answer.headers["x-frame-options"] == "deny"
            assert answer.headers["strict-transport-security"] == "max-age=864000; includeSubDomains; preload"
        assert "strict-transport-security" not in host.call("GET", "/api/pid", verify=authority).headers


@pytest.mark.parametrize(("count", "heard"), [("2", "together"), ("1", "alone")])
@pytest.mark.read_in_sdk("azure_functions_worker dispatcher.py: PYTHON_THREADPOOL_THREAD_COUNT")
def test_the_pool_of_threads_has_the_size_that_is_set(tmp_path: Path, count: str, heard: str) -> None:
    """With two threads two sync functions meet; with one they do not."""
    root = write_app(tmp_path, APP, values={"PYTHON_THREADPOOL_THREAD_COUNT": count})
    with running_host(root) as host, ThreadPoolExecutor() as threads:
        seconds = 30 if count == "2" else 0.1
        calls = [threads.submit(host.call, "GET", f"/api/threads?parties=2&seconds={seconds}") for _ in range(2)]
        assert {each.result().text for each in calls} == {heard}


@pytest.mark.our_choice("control endpoints speak for the host, not for the worker that happens to answer")
def test_several_workers_are_one_host(tmp_path: Path) -> None:
    """A fault strikes as often as it says over all workers, the clock turns for all, counts add up."""
    root = write_app(tmp_path, APP, values={"FUNCTIONS_WORKER_PROCESS_COUNT": "2"})
    with running_host(root) as host, ThreadPoolExecutor(8) as threads:
        rule = {"match": {"function": "Pid"}, "act": {"status": 503}, "times": 3}
        assert host.call("POST", "/admin/emulator/faults", json=rule, headers=CONTROL).status_code == 201
        statuses = [host.call("GET", "/api/pid").status_code for _ in range(20)]
        assert sorted(statuses) == [200] * 17 + [503] * 3
        rules = [host.call("GET", "/admin/emulator/faults", headers=CONTROL).json()["rules"] for _ in range(8)]
        assert {each[0]["fired"] for each in rules} == {3}
        waiting = [threads.submit(host.call, "GET", "/api/waits/end") for _ in range(8)]
        host.until("waiting end", times=8)
        health = [host.call("GET", "/admin/emulator/health").json() for _ in range(8)]
        assert {(each["workers"], each["outstandingInvocations"]) for each in health} == {(2, 8)}
        host.turn_clock(1801)
        answers = [each.result().status_code for each in waiting]
        assert answers == [500] * 8
        processes = host.call("GET", "/admin/host/processes").json()["processes"]
        assert len(processes) == 3


@pytest.mark.our_choice("what a test has set up outlives the worker that took it")
def test_clock_and_faults_outlive_a_reload(tmp_path: Path) -> None:
    """The new worker's clock stands where the old one's did, and a rule goes on counting."""
    with running_host(write_app(tmp_path, APP)) as host:
        rule = {"match": {"function": "Pid"}, "act": {"status": 503}, "times": 2}
        host.call("POST", "/admin/emulator/faults", json=rule, headers=CONTROL).raise_for_status()
        host.turn_clock(3600)
        assert host.call("GET", "/api/pid").status_code == 503
        (tmp_path / "function_app.py").write_text(APP)
        host.until("Pid: http", times=2)
        assert [host.call("GET", "/api/pid").status_code for _ in range(2)] == [503, 200]
        told: dict[str, Any] = host.call("GET", "/admin/emulator/clock", headers=CONTROL).json()
        assert told["aheadSeconds"] == 3600


@pytest.mark.our_choice("SIGTERM drains: the function in flight ends before its worker does")
def test_sigterm_waits_for_what_is_in_flight(tmp_path: Path) -> None:
    """The answer arrives although the host was told to stop meanwhile."""
    root = write_app(tmp_path, APP)
    with running_host(root) as host, ThreadPoolExecutor() as threads:
        waiting = threads.submit(host.call, "GET", "/api/waits/end")
        host.until("waiting end")
        host.process.terminate()
        began = time.perf_counter()
        (root / "end").touch()
        assert waiting.result().status_code == 200
        assert host.process.wait(30) == 0
        assert time.perf_counter() - began < 10  # the drain's own bound: it did not have to be cut short


RETRIES = """
import azure.functions as func
app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

@app.route("fails")
@app.retry(strategy="STRATEGY", max_retry_count="2", MORE)
def Fails(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    retry = context.retry_context
    print(f"attempt {retry.retry_count} of {retry.max_retry_count}: {retry.exception and retry.exception.message}")
    raise ValueError("again")
"""


@pytest.mark.parametrize(
    ("strategy", "more", "waits"),
    [
        ("fixed_delay", 'delay_interval="00:10:00"', [601, 601]),
        ("exponential_backoff", 'minimum_interval="00:10:00", maximum_interval="01:00:00"', [601, 1321]),
    ],
)
@pytest.mark.read_in_sdk(
    "azure-webjobs-sdk FunctionExecutorExtensions.cs, FunctionIndexer.cs, RandomizedExponentialBackoffStrategy.cs"
)
def test_a_retry_policy_on_a_trigger_that_should_have_none(
    tmp_path: Path, strategy: str, more: str, waits: list[int]
) -> None:
    """The host warns, and tries again all the same: after each wait by its clock, until the policy is used up."""
    root = write_app(tmp_path, RETRIES.replace("STRATEGY", strategy).replace("MORE", more))
    with running_host(root) as host, ThreadPoolExecutor() as threads:
        host.until("Soon retries will not be supported for function 'Functions.Fails'.")
        calling = threads.submit(host.call, "GET", "/api/fails")
        host.until("attempt 0 of 2: None")
        for number, seconds in enumerate(waits, 1):
            while host.call("GET", "/admin/host/drain/status").json()["outstandingRetries"] == 0:
                pass  # the failed attempt has not ended yet
            host.turn_clock(seconds)
            host.until(f"attempt {number} of 2: ValueError: again")
        assert calling.result().status_code == 500
