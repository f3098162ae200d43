"""The in-process test host, as another project's tests use it: sync and async, each trigger, captured outputs."""

from __future__ import annotations

import logging
import os
from typing import Any

import azure.functions as func
import pytest
from azure.cosmos import PartitionKey

from emulators.base.ids import Ids
from emulators.functions_host.errors import AppNotIndexed
from emulators.functions_host.testing import AsyncFunctionsTestHost, FunctionsTestHost
from tests.emulators.functions_host.conftest import Cosmos

OWN = "our own feature: no official host runs in process"
CONNECTIONS = {"Store": "UseDevelopmentStorage=true", "Shop": "AccountEndpoint=http://127.0.0.1:1/;AccountKey=a2V5;"}

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)
blueprint = func.Blueprint()  # type: ignore[no-untyped-call]


@app.route(route="hello/{name}")
async def hello(req: func.HttpRequest) -> func.HttpResponse:
    logging.info("hello %s", req.route_params["name"])
    return func.HttpResponse(f"{os.environ.get('GREETING', 'Hello')} {req.route_params['name']} {req.params.get('q')}")


@app.route(route="sync", methods=["POST"])
@app.queue_output(arg_name="message", queue_name="out", connection="Store")
def accept(req: func.HttpRequest, message: func.Out[str]) -> str:
    message.set(str(req.get_json()["text"]))
    return "accepted"


@app.route(route="fails")
async def fails(req: func.HttpRequest) -> str:
    raise RuntimeError("cannot")


@app.event_grid_trigger(arg_name="event")
@app.cosmos_db_output(arg_name="made", connection="Shop", database_name="d", container_name="c")
async def on_event(event: func.EventGridEvent, made: func.Out[func.Document]) -> None:
    made.set(func.Document.from_dict({"id": event.id, "n": event.get_json()["n"]}))


@app.timer_trigger(arg_name="timer", schedule="0 0 * * * *", use_monitor=False)
async def hourly(timer: func.TimerRequest) -> None:
    logging.info("past due %s", timer.past_due)


@app.queue_trigger(arg_name="message", queue_name="in", connection="Store")
@app.cosmos_db_input(
    arg_name="found", connection="Shop", database_name="d", container_name="c", id="{id}", partition_key="{id}"
)
def on_message(message: func.QueueMessage, found: func.DocumentList) -> None:
    logging.info("%s finds %s", message.get_json()["id"], [dict(each) for each in found])


@app.cosmos_db_trigger(arg_name="documents", connection="Shop", database_name="d", container_name="c")
@app.retry(strategy="fixed_delay", max_retry_count="2", delay_interval="00:00:00")
async def on_change(documents: func.DocumentList, context: func.Context) -> None:
    if context.retry_context.retry_count < 1:
        raise RuntimeError("not yet")


@app.blob_trigger(arg_name="blob", path="in/{name}", connection="Store")
@app.blob_output(arg_name="$return", path="out/{name}", connection="Store")
def on_blob(blob: func.InputStream) -> bytes:
    return (blob.name or "").encode() + b":" + blob.read()


@blueprint.route(route="blue")
async def blue(req: func.HttpRequest) -> str:
    return "blue"


def host(**options: Any) -> FunctionsTestHost:
    """A test host for the app above."""
    return FunctionsTestHost(app, **{"settings": CONNECTIONS, "capture_outputs": True, **options})


@pytest.mark.our_choice(OWN)
def test_a_request_is_answered_and_its_run_can_be_looked_at() -> None:
    """Route, query and settings reach the function; its log lines are with its run."""
    with host(settings={**CONNECTIONS, "GREETING": "Salut"}) as opened:
        answer = opened.request("GET", "/api/hello/ada", params={"q": "1"})
        assert (answer.status_code, answer.text) == (200, "Salut ada 1")
        [run] = opened.invocations
        assert (run.function, run.succeeded, [log.text for log in run.logs]) == ("hello", True, ["hello ada"])
        assert opened.request("GET", "/api/none").status_code == 404
    assert "GREETING" not in os.environ


@pytest.mark.our_choice(OWN)
def test_captured_outputs_are_not_written() -> None:
    """What an output was set to is with the run; no storage account answers here, and none is asked."""
    with host() as opened:
        assert opened.request("POST", "/api/sync", json={"text": "hi"}).text == "accepted"
        assert opened.invocations[-1].outputs == {"message": "hi"}
        [run] = opened.emit_event({"id": "7", "data": {"n": 3}})
        assert run.outputs == {"made": [{"id": "7", "n": 3}]}
        [run] = opened.send_blob("on_blob", "in/one.txt", b"content")
        assert run.outputs == {"$return": b"in/one.txt:content"}


@pytest.mark.our_choice(OWN)
def test_outputs_are_written_unless_they_are_captured() -> None:
    """Without capturing, a store that is away fails the invocation, as on Azure."""
    away = "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=a2V5;QueueEndpoint=http://127.0.0.1:1/a;"
    settings = {**CONNECTIONS, "Store": away + "BlobEndpoint=http://127.0.0.1:1/a;"}
    with FunctionsTestHost(blueprint_with_queue(), settings=settings) as opened:
        assert opened.request("GET", "/api/put").status_code == 500
        assert opened.invocations[-1].outputs == {"message": "x"}
        assert not opened.invocations[-1].succeeded


def blueprint_with_queue() -> func.Blueprint:
    """One HTTP function with a queue output whose client tries once."""
    made = func.Blueprint()  # type: ignore[no-untyped-call]

    @made.route(route="put", auth_level=func.AuthLevel.ANONYMOUS)
    @made.queue_output(arg_name="message", queue_name="out", connection="Store")
    async def put_message(req: func.HttpRequest, message: func.Out[str]) -> str:
        message.set("x")
        return "put"

    return made


@pytest.mark.our_choice(OWN)
def test_inputs_can_be_given() -> None:
    """A binding whose value the test gives asks no service."""
    with host(inputs={"found": [{"id": "9", "n": 1}]}) as opened:
        [run] = opened.send("on_message", {"id": "9"})
        assert [log.text for log in run.logs] == ["9 finds [{'id': '9', 'n': 1}]"]


@pytest.mark.our_choice(OWN)
def test_a_failure_and_its_retries_are_runs() -> None:
    """The exception is with the run; each retry is a run of its own."""
    with host() as opened:
        assert opened.request("GET", "/api/fails").status_code == 500
        assert isinstance(opened.invocations[-1].error, RuntimeError)
        runs = opened.send("on_change", [{"id": "1"}])
        assert [(run.retry_count, run.succeeded) for run in runs] == [(0, False), (1, True)]


@pytest.mark.our_choice(OWN)
def test_timers_tick_on_request_and_by_the_clock() -> None:
    """`tick` runs a timer now; with listeners, `advance` brings its moment."""
    with host() as opened:
        [run] = opened.tick("hourly")
        assert run.logs[0].text == "past due False"
        assert opened.tick()[0].function == "hourly"
    timers = func.FunctionApp()
    timers.timer_trigger(arg_name="timer", schedule="0 0 * * * *", use_monitor=False)(later)
    with FunctionsTestHost(timers, listen=True) as opened:
        opened.advance(3600)
        assert opened.wait_for("later")[0].reason.startswith("Timer fired at")


async def later(timer: func.TimerRequest) -> None:
    """A timer function."""


@pytest.mark.our_choice(OWN)
async def test_the_async_host_lives_on_the_tests_loop() -> None:
    """The same by await, with a blueprint; the app may run in any number of hosts."""
    for _ in range(2):
        async with AsyncFunctionsTestHost(blueprint) as opened:
            assert (await opened.request("GET", "/api/blue")).text == "blue"
            await opened.drain()
            assert [run.function for run in opened.invocations] == ["blue"]


@pytest.mark.our_choice(OWN)
def test_faults_strike_functions_on_request() -> None:
    """A rule refuses a function's requests as often as it says; a dropped answer is a connection error."""
    with host() as opened:
        opened.add_fault({"match": {"function": "hello"}, "act": {"status": 503}, "times": 1})
        assert [opened.request("GET", "/api/hello/x").status_code for _ in range(2)] == [503, 200]
        opened.add_fault({"match": {"function": "hello"}, "act": {"drop": "before"}})
        with pytest.raises(ConnectionError):
            opened.request("GET", "/api/hello/x")
        opened.clear_faults()
        assert opened.request("GET", "/api/hello/x").status_code == 200
        with pytest.raises(ValueError, match="act"):
            opened.add_fault({"act": {"explode": True}})


@pytest.mark.our_choice(OWN)
def test_what_cannot_run_says_why() -> None:
    """Unknown names, functions in error, apps that do not index, hosts that were not entered."""
    with FunctionsTestHost(app) as opened:
        assert "Cosmos DB connection configuration 'Shop' does not exist" in opened.errors["on_change"]
        with pytest.raises(ValueError, match="in error: Cosmos DB connection"):
            opened.send("on_change", [])
        with pytest.raises(ValueError, match="There is no function 'Nobody'; the app has"):
            opened.send("Nobody", "")
    with pytest.raises(RuntimeError, match="Enter the test host first"):
        host().request("GET", "/")
    wrong = func.FunctionApp()
    wrong.route(route="x")(later)
    with (
        pytest.raises(AppNotIndexed, match="the following parameters are declared in Python"),
        FunctionsTestHost(wrong),
    ):
        pass


@pytest.mark.our_choice(OWN)
def test_listeners_reach_real_services(cosmos: Cosmos) -> None:
    """With `listen`, a change in a Cosmos DB container runs the function in this process."""
    database = cosmos.client.create_database(f"db-{Ids().guid()}")
    container = database.create_container("c", PartitionKey("/id"))
    container.create_item({"id": "1"})
    changes = func.FunctionApp()

    @changes.cosmos_db_trigger(
        arg_name="documents",
        connection="Shop",
        database_name="%Database%",
        container_name="c",
        create_lease_container_if_not_exists=True,
        start_from_beginning=True,  # type: ignore[arg-type]  # the library says it is a time
    )
    async def changed(documents: func.DocumentList) -> None:
        logging.info("changed %s", [each["id"] for each in documents])

    settings = {"Shop": cosmos.connection_string, "Database": database.id}
    with FunctionsTestHost(changes, settings=settings, listen=True) as opened:
        [run] = opened.wait_for("changed")
        assert run.logs[0].text == "changed ['1']"


@pytest.mark.our_choice(OWN)
def test_a_host_that_cannot_open_leaves_nothing_behind() -> None:
    """Its settings are out of the environment at once and it listens to no log, not only when it is collected."""
    broken = func.FunctionApp()
    broken.route("x")(lambda: None)
    before = logging.root.level, list(logging.root.handlers)
    opening = FunctionsTestHost(broken, settings={"LEFT_BEHIND": "1"})
    with pytest.raises(AppNotIndexed), opening:
        pass
    assert "LEFT_BEHIND" not in os.environ
    assert (logging.root.level, list(logging.root.handlers)) == before


@pytest.mark.our_choice(OWN)
def test_a_suite_that_silences_logging_still_sees_what_functions_say() -> None:
    """`logging.disable` is undone while the host is open, and in force again afterwards."""
    logging.disable(logging.CRITICAL)
    try:
        with host(settings={**CONNECTIONS, "GREETING": "Salut"}) as opened:
            opened.request("GET", "/api/hello/ada", params={"q": "1"})
            assert [log.text for log in opened.invocations[0].logs] == ["hello ada"]
        assert logging.root.manager.disable == logging.CRITICAL
    finally:
        logging.disable(logging.NOTSET)
