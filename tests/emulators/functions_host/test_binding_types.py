"""Binding types as such: generic ones, several outputs at once, and those that this host does not have."""

from __future__ import annotations

from pathlib import Path

import azure.functions as func
import pytest

from emulators.functions_host.testing import FunctionsTestHost
from tests.emulators.functions_host.running import running_host, write_app

NOT_BUILT = [
    '@app.service_bus_queue_trigger(arg_name="x", connection="C", queue_name="q")',
    '@app.service_bus_topic_trigger(arg_name="x", connection="C", topic_name="t", subscription_name="s")',
    '@app.event_hub_message_trigger(arg_name="x", connection="C", event_hub_name="h")',
    '@app.kafka_trigger(arg_name="x", topic="t", broker_list="b", event_hub_connection_string="C")',
    '@app.sql_trigger(arg_name="x", table_name="t", connection_string_setting="C")',
    '@app.dapr_topic_trigger(arg_name="x", pub_sub_name="p", topic="t")',
    '@app.generic_trigger(arg_name="x", type="rabbitMQTrigger", queueName="q")',
    '@app.generic_trigger(arg_name="x", type="orchestrationTrigger")',
    '@app.generic_trigger(arg_name="x", type="activityTrigger")',
    '@app.generic_trigger(arg_name="x", type="entityTrigger")',
]


@pytest.mark.our_choice("what is not built says so by name; the real host runs them with the bundle's extensions")
def test_other_trigger_types_are_in_error_and_the_rest_runs(tmp_path: Path) -> None:
    """Each function with such a trigger is in error with 501 and the type's name, Durable Functions too."""
    source = """
import azure.functions as func
app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

@app.route(route="runs")
async def Runs(req):
    return "runs"
"""
    for number, decorator in enumerate(NOT_BUILT):
        source += f"\n{decorator}\nasync def Missing{number}(x):\n    pass\n"
    with running_host(write_app(tmp_path, source)) as host:
        assert host.call("GET", "/api/runs").text == "runs"
        errors = host.call("GET", "/admin/emulator/health").json()["inError"]
        assert set(errors) == {f"Missing{number}" for number in range(len(NOT_BUILT))}
        for error in errors.values():
            assert error.startswith("501: the trigger type '")
        host.until("The 'Missing0' function is in error: 501: the trigger type 'serviceBusTrigger' is not built into")


@pytest.mark.read_in_sdk("azure-functions decorators/function_app.py: generic_trigger")
def test_a_generic_trigger_is_that_of_its_type() -> None:
    """A queue trigger by type and property names gets messages; its text is what the parameter gets."""
    app = func.FunctionApp()
    seen: list[str] = []

    @app.generic_trigger(arg_name="message", type="queueTrigger", queueName="q", connection="Store")
    def take(message: str) -> None:
        seen.append(message)

    with FunctionsTestHost(app, settings={"Store": "UseDevelopmentStorage=true"}) as host:
        assert host.send("take", "text")[0].succeeded
    assert seen == ["text"]


@pytest.mark.read_in_sdk(
    "azure-functions decorators/function_app.py: route(binding_arg_name=); worker tests queue_functions"
)
def test_a_named_parameter_may_be_the_answer() -> None:
    """With binding_arg_name the answer is what that parameter is set to, or 200; what is returned goes elsewhere."""
    app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

    @app.route(route="told", binding_arg_name="answer")
    @app.queue_output(arg_name="$return", queue_name="q", connection="Store")
    def told(req: func.HttpRequest, answer: func.Out[func.HttpResponse]) -> bytes:
        if req.params:
            answer.set(func.HttpResponse("made", status_code=201))
        return b"message"

    with FunctionsTestHost(app, settings={"Store": "UseDevelopmentStorage=true"}, capture_outputs=True) as host:
        answer = host.request("GET", "/api/told", params={"set": "1"})
        assert (answer.status_code, answer.text) == (201, "made")
        answer = host.request("GET", "/api/told")
        assert (answer.status_code, answer.text) == (200, "")
        assert [run.outputs["$return"] for run in host.invocations] == [b"message", b"message"]


@pytest.mark.documented("learn.microsoft.com azure-functions functions-reference-python: outputs, func.Out, $return")
@pytest.mark.parametrize("is_async", [False, True])
def test_several_outputs_are_written_once_each(*, is_async: bool) -> None:
    """Parameters and the return value each go to their own binding; one that was not set is not written."""
    app = func.FunctionApp()

    def work(message: str, one: func.Out[str], two: func.Out[str], unset: func.Out[str]) -> str:
        one.set("first")
        one.set("last")
        assert one.get() == "last"
        two.set("2")
        return "returned"

    async def work_async(message: str, one: func.Out[str], two: func.Out[str], unset: func.Out[str]) -> str:
        return work(message, one, two, unset)

    chosen = work_async if is_async else work
    for name, queue in (("one", "a"), ("two", "b"), ("unset", "c"), ("$return", "d")):
        decorate = app.queue_output(arg_name=name, queue_name=queue, connection="Store")
        decorated = decorate(chosen)
        chosen = decorated
    app.queue_trigger(arg_name="message", queue_name="q", connection="Store")(chosen)
    with FunctionsTestHost(app, settings={"Store": "UseDevelopmentStorage=true"}, capture_outputs=True) as host:
        [run] = host.send("work_async" if is_async else "work", "text")
        assert run.outputs == {"one": "last", "two": "2", "$return": "returned"}
        assert run.returned == "returned"
