"""The queue trigger and output on the real Azurite: each message once, failing ones again, then to the poison queue."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.azurite import StorageAddress
from tests.emulators.functions_host.queues import Queues
from tests.emulators.functions_host.running import RunningHost, failed_start, running_host, write_app

TRIGGER = "learn.microsoft.com azure-functions functions-bindings-storage-queue-trigger"
OUTPUT = "learn.microsoft.com azure-functions functions-bindings-storage-queue-output"

APP = """
import json, logging
import azure.functions as func
app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
STORE = {"connection": "Store"}

@app.queue_trigger(arg_name="message", queue_name="orders", **STORE)
@app.queue_output(arg_name="copy", queue_name="copies-{to}", **STORE)
def Taken(message: func.QueueMessage, copy: func.Out[str]):
    text = message.get_body().decode()
    logging.info("took %s id=%s count=%s pop=%s in=%s out=%s", text, bool(message.id), message.dequeue_count,
                 bool(message.pop_receipt), message.insertion_time is not None, message.expiration_time is not None)
    copy.set(text)

@app.queue_trigger(arg_name="message", queue_name="%Failing%", **STORE)
async def Fails(message: str):
    logging.info("failing %s", message)
    raise RuntimeError("cannot")

@app.queue_trigger(arg_name="message", queue_name="fails-poison", **STORE)
async def Poisoned(message: func.QueueMessage):
    logging.info("poisoned %s", message.get_json())

@app.route(route="put")
@app.queue_output(arg_name="text", queue_name="out-text", **STORE)
@app.queue_output(arg_name="raw", queue_name="out-bytes", **STORE)
@app.queue_output(arg_name="listed", queue_name="out-list", **STORE)
@app.queue_output(arg_name="message", queue_name="out-message", **STORE)
def Put(req, text: func.Out[str], raw: func.Out[bytes], listed: func.Out[func.QueueMessage],
        message: func.Out[func.QueueMessage]):
    text.set("plain text")
    raw.set(b"bytes")
    listed.set(["one", "two"])
    message.set(func.QueueMessage(body="a message"))
    return "put"

@app.queue_trigger(arg_name="message", queue_name="chained", **STORE)
@app.queue_output(arg_name="$return", queue_name="returned", **STORE)
async def Chained(message: func.QueueMessage) -> str:
    return message.get_body().decode() + "!"
"""


@pytest.fixture(scope="module")
def queues(azurite: StorageAddress) -> Queues:
    """The account's queues."""
    return Queues(azurite.connection_string)


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory, azurite: StorageAddress) -> Iterator[RunningHost]:
    """A host that runs APP on Azurite."""
    values = {"Store": azurite.connection_string, "Failing": "fails"}
    options = {"extensions": {"queues": {"maxDequeueCount": 3, "maxPollingInterval": "00:00:00.2"}}}
    with running_host(write_app(tmp_path_factory.mktemp("queues"), APP, values=values, host=options)) as started:
        yield started


@pytest.mark.documented(f"{TRIGGER}: metadata, binding expressions of a JSON message")
def test_a_message_is_taken_once_with_its_metadata(host: RunningHost, queues: Queues) -> None:
    """The function gets body and metadata, then the message is gone; a member of it names another queue."""
    body = json.dumps({"to": "here"})
    queues.send("orders", body)
    line = host.until("took ")
    assert line.endswith(f"took {body} id=True count=1 pop=True in=True out=True")
    assert "New queue message detected on 'orders'." in host.until("Executing 'Functions.Taken'")
    assert queues.until("copies-here", 1) == [body]
    host.until("Executed 'Functions.Taken' (Succeeded")
    assert queues.all("orders") == []


@pytest.mark.documented(f"{TRIGGER}: poison messages, maxDequeueCount")
def test_a_message_that_always_fails_ends_in_the_poison_queue(host: RunningHost, queues: Queues) -> None:
    """It is tried as often as host.json says and then moved; another function may read the poison queue."""
    queues.send("fails", '{"bad": true}')
    assert "MaxDequeueCount of 3. Moving message to queue 'fails-poison'." in host.until("Message has reached")
    host.until("poisoned {'bad': True}")
    assert len([line for line in host.lines if 'failing {"bad": true}' in line]) == 3
    assert queues.all("fails") == []


@pytest.mark.documented(f"{OUTPUT}: str, bytes, a list, QueueMessage; the queue is created")
def test_messages_are_put_in_every_form(host: RunningHost, queues: Queues) -> None:
    """Text, bytes, a list and a message object, each into a queue that did not exist."""
    assert host.call("GET", "/api/put").text == "put"
    assert queues.all("out-text") == ["plain text"]
    assert queues.all("out-bytes") == ["bytes"]
    assert queues.all("out-list") == ["one", "two"]
    assert queues.all("out-message") == ["a message"]


@pytest.mark.documented(f"{OUTPUT}: $return")
def test_a_returned_value_is_a_message(host: RunningHost, queues: Queues) -> None:
    """An async function's return value goes into the queue of `$return`."""
    queues.send("chained", "hello")
    assert "hello!" in queues.until("returned", 1 + ("by hand!" in queues.all("returned")))


@pytest.mark.read_in_sdk("azure-sdk-for-net Storage.Queues QueueListenerFactory.cs: messages that cannot be decoded")
def test_a_message_that_is_not_base64_is_poison(host: RunningHost, queues: Queues) -> None:
    """It is moved without a try, and the log says how to send it."""
    queues.send("fails", "plain, not base64", encodes=False)
    assert 'extensions.queues.messageEncoding to "none"' in host.until("is not base64")


@pytest.mark.read_in_sdk("azure-functions-host FunctionsController.cs")
def test_a_function_can_be_run_by_hand(host: RunningHost, queues: Queues) -> None:
    """POST /admin/functions takes the message's text."""
    assert host.call("POST", "/admin/functions/Chained", json={"input": "by hand"}).status_code == 202
    assert "by hand!" in queues.until("returned", 1 + ("hello!" in queues.all("returned")))


@pytest.mark.read_in_sdk("azure-sdk-for-net Storage.Queues QueueListener.cs: visibility is renewed; the host drains")
def test_a_message_that_takes_long_stays_hidden_and_is_finished(
    tmp_path: Path, azurite: StorageAddress, queues: Queues
) -> None:
    """After ten minutes of work nobody else gets it; a host that stops meanwhile ends it first and deletes it."""
    source = """
import logging, os, threading
import azure.functions as func
app = func.FunctionApp()

@app.queue_trigger(arg_name="message", queue_name="slow", connection="Store")
def Slow(message: func.QueueMessage):
    logging.info("slow has begun")
    while not os.path.exists("finish"):
        threading.Event().wait(0.01)
    logging.info("slow has ended")
"""
    queues.send("slow", "text")
    root = write_app(tmp_path, source, values={"Store": azurite.connection_string})
    with running_host(root, "--verbose") as host:
        host.until("slow has begun")
        host.turn_clock(301)
        host.until("stays hidden for 600 s more.")
        (tmp_path / "finish").touch()
    assert [line.partition("slow has ")[2] for line in host.lines if "slow has" in line] == ["begun", "ended"]
    assert queues.count("slow") == 0


@pytest.mark.read_in_sdk("webjobs-sdk FunctionIndexer.cs CheckRetrySupport: it warns, and the policy is obeyed")
def test_a_retry_policy_on_a_queue_is_warned_of_and_obeyed(
    tmp_path: Path, azurite: StorageAddress, queues: Queues
) -> None:
    """The failing message is tried again within one delivery, and taken at the third try."""
    source = """
import logging
import azure.functions as func
app = func.FunctionApp()

@app.queue_trigger(arg_name="message", queue_name="retried", connection="Store")
@app.retry(strategy="fixed_delay", max_retry_count="3", delay_interval="00:00:00")
async def Retried(message: func.QueueMessage, context: func.Context):
    logging.info("delivery %s try %s", message.dequeue_count, context.retry_context.retry_count)
    if context.retry_context.retry_count < 2:
        raise RuntimeError("not yet")
"""
    queues.send("retried", "text")
    with running_host(write_app(tmp_path, source, values={"Store": azurite.connection_string})) as host:
        host.until("Soon retries will not be supported for function 'Functions.Retried'.")
        host.until("Executed 'Functions.Retried' (Succeeded")
        assert [line.partition("delivery ")[2] for line in host.lines if "delivery " in line] == [
            "1 try 0",
            "1 try 1",
            "1 try 2",
        ]


@pytest.mark.documented("learn.microsoft.com azure-functions functions-host-json: extensions.queues.messageEncoding")
def test_messages_may_be_plain(tmp_path: Path, azurite: StorageAddress, queues: Queues) -> None:
    """With messageEncoding none, text is taken and put as it is."""
    source = """
import azure.functions as func
app = func.FunctionApp()

@app.queue_trigger(arg_name="message", queue_name="plain", connection="Store")
@app.queue_output(arg_name="$return", queue_name="plain-out", connection="Store")
def Plain(message: str) -> str:
    return message.upper()
"""
    queues.send("plain", "text", encodes=False)
    root = write_app(
        tmp_path,
        source,
        values={"Store": azurite.connection_string},
        host={"extensions": {"queues": {"messageEncoding": "none"}}},
    )
    with running_host(root) as host:
        host.until("Executed 'Functions.Plain' (Succeeded")
    with queues.queue("plain-out", encodes=False) as queue:
        assert [each.content for each in queue.peek_messages()] == ["TEXT"]


@pytest.mark.read_in_sdk("webjobs-sdk FunctionListener: a listener that cannot start is tried again")
def test_a_storage_account_that_is_away_is_named(tmp_path: Path) -> None:
    """The listener is unable to start, by name; the host runs on."""
    away = StorageAddress(1, 1, 1).connection_string
    with running_host(write_app(tmp_path, APP, values={"Store": away, "Failing": "fails"})) as host:
        assert "The storage account of 'orders' does not answer" in host.until(
            "The listener for function 'Functions.Taken' was unable to start"
        )


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"batchSize": 33}, "extensions.queues.batchSize takes 1 to 32, got 33."),
        ({"maxDequeueCount": 0}, "extensions.queues.maxDequeueCount must be at least 1, got 0."),
        ({"messageEncoding": "utf-7"}, "extensions.queues.messageEncoding takes base64 or none, got 'utf-7'."),
        ({"maxPollingInterval": "soon"}, "extensions.queues.maxPollingInterval takes hh:mm:ss, got 'soon'."),
    ],
)
@pytest.mark.read_in_sdk("azure-sdk-for-net Storage.Queues QueuesOptions.cs: the ranges")
def test_options_out_of_range_stop_the_start(tmp_path: Path, options: dict[str, Any], reason: str) -> None:
    """host.json's member is named."""
    root = write_app(tmp_path, APP, values={"Failing": "fails"}, host={"extensions": {"queues": options}})
    code, output = failed_start(root)
    assert code != 0
    assert reason in output
