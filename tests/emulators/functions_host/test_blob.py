"""The blob trigger and blob bindings on the real Azurite, and clients instead of content."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.core.exceptions import ResourceExistsError
from azure.storage.blob import BlobServiceClient

from emulators.functions_host.errors import FunctionInError
from emulators.functions_host.triggers.blob import pattern_of
from local.azurite import StorageAddress
from tests.emulators.functions_host.queues import Queues
from tests.emulators.functions_host.running import RunningHost, running_host, write_app

TRIGGER = "learn.microsoft.com azure-functions functions-bindings-storage-blob-trigger"
BINDINGS = "learn.microsoft.com azure-functions functions-bindings-storage-blob-input and -output"
EXTENSION = "azure-sdk-for-net Microsoft.Azure.WebJobs.Extensions.Storage.Blobs"

APP = """
import logging
import azure.functions as func
import azurefunctions.extensions.bindings.blob as sdk
app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
STORE = {"connection": "Store"}

@app.blob_trigger(arg_name="blob", path="incoming/{name}.{kind}", **STORE)
@app.blob_output(arg_name="copy", path="copies/{name}-{kind}.txt", **STORE)
def Taken(blob: func.InputStream, copy: func.Out[bytes]):
    content = blob.read()
    logging.info("took %s of %s bytes at %s", blob.name, blob.length, blob.uri)
    copy.set(content.upper())

@app.blob_trigger(arg_name="blob", path="failing/{name}", **STORE)
async def Fails(blob: str):
    logging.info("failing on %s", blob)
    raise RuntimeError("cannot")

@app.blob_trigger(arg_name="blob", path="told/{name}", source="EventGrid", **STORE)
async def Told(blob: bytes):
    logging.info("told of %s", blob)

@app.blob_trigger(arg_name="client", path="clients/{name}", **STORE)
def Client(client: sdk.BlobClient):
    logging.info("client of %s has %s", client.blob_name, client.download_blob().readall())

@app.blob_trigger(arg_name="blob", path="everything", **STORE)
def Any(blob: func.InputStream):
    logging.info("any blob: %s", blob.name)

@app.route(route="listed")
@app.blob_input(arg_name="container", path="everything", **STORE)
def Listed(req, container: sdk.ContainerClient):
    return " ".join(container.list_blob_names())

@app.route(route="stream/{name}")
@app.blob_input(arg_name="blob", path="store/{name}.txt", **STORE)
def Stream(req, blob: sdk.StorageStreamDownloader):
    return b"".join(blob.chunks()).decode()

@app.route(route="read/{name}")
@app.blob_input(arg_name="text", path="store/{name}.txt", **STORE)
@app.blob_input(arg_name="raw", path="store/{name}.txt", **STORE)
@app.blob_input(arg_name="stream", path="store/{name}.txt", **STORE)
@app.blob_input(arg_name="client", path="store/{name}.txt", **STORE)
@app.blob_input(arg_name="container", path="store/{name}.txt", **STORE)
def Read(req, text: str, raw: bytes, stream: func.InputStream, client: sdk.BlobClient,
         container: sdk.ContainerClient):
    names = sorted(each.name for each in container.list_blobs())
    if stream is None:
        return f"nothing {text} {raw} {client.exists()}"
    return f"{text} {raw} {stream.read()} {client.download_blob().readall()} {names}"

@app.route(route="write/{name}", methods=["POST"])
@app.blob_output(arg_name="text", path="written/{name}/{rand-guid}.txt", **STORE)
@app.blob_output(arg_name="stamped", path="written/{name}/{DateTime:yyyyMMdd}.txt", **STORE)
async def Write(req: func.HttpRequest, text: func.Out[str], stamped: func.Out[func.InputStream]):
    text.set("text")
    stamped.set(func.blob.InputStream(data=req.get_body()))
    return "written"
"""


@pytest.fixture(scope="module")
def blobs(azurite: StorageAddress) -> Iterator[BlobServiceClient]:
    """The account's blobs."""
    with BlobServiceClient.from_connection_string(azurite.connection_string) as client:
        yield client


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory, azurite: StorageAddress) -> Iterator[RunningHost]:
    """A host that runs APP on Azurite."""
    values = {
        "Store": azurite.connection_string,
        "AzureWebJobsStorage": azurite.connection_string,
        "AzureFunctionsWebHost__hostid": "blobs",
    }
    options = {
        "extensions": {"queues": {"maxPollingInterval": "00:00:00.2"}, "blobs": {"poisonBlobThreshold": 3}},
    }
    with running_host(write_app(tmp_path_factory.mktemp("blobs"), APP, values=values, host=options)) as started:
        for name in ("Taken", "Fails", "Told", "Client"):
            started.until_listening(name)
        yield started


def put(blobs: BlobServiceClient, container: str, name: str, content: bytes) -> str:
    """Upload a blob, into a container that is made for it; its ETag."""
    with contextlib.suppress(ResourceExistsError):
        blobs.create_container(container)
    return str(blobs.get_blob_client(container, name).upload_blob(content, overwrite=True)["etag"])


def content(blobs: BlobServiceClient, container: str, name: str) -> bytes:
    """A blob's bytes."""
    return bytes(blobs.get_blob_client(container, name).download_blob().readall())


@pytest.mark.documented(f"{TRIGGER}: InputStream, blob name patterns; {EXTENSION}: BlobReceiptManager.cs")
def test_a_blob_is_taken_once_for_each_of_its_versions(host: RunningHost, blobs: BlobServiceClient) -> None:
    """A new blob and its next version each run the function once, after a scan; a receipt says so."""
    etag = put(blobs, "incoming", "sub/one.md", b"first")
    put(blobs, "incoming", "not matching", b"-")
    host.turn_clock(10)
    line = host.until("took incoming/sub/one.md of 5 bytes at http")
    assert line.endswith("/incoming/sub/one.md")
    host.until("Executed 'Functions.Taken' (Succeeded")
    assert content(blobs, "copies", "sub/one-md.txt") == b"FIRST"
    receipt = f"blobreceipts/blobs/Host.Functions.Taken/{etag}/incoming/sub/one.md"
    assert blobs.get_blob_client("azure-webjobs-hosts", receipt).get_blob_properties().metadata == {}
    put(blobs, "incoming", "sub/one.md", b"second")
    host.turn_clock(10)
    host.until("took incoming/sub/one.md of 6 bytes")
    host.turn_clock(10)
    host.turn_clock(10)
    assert len([line for line in host.lines if "took incoming/sub/one.md" in line]) == 2


def until_given_up(azurite: StorageAddress, name: str) -> list[dict[str, str]]:
    """The poison queue's messages of a blob, once there are any."""
    queues = Queues(azurite.connection_string)
    for _ in range(1000):
        found = [json.loads(text) for text in queues.all("webjobs-blobtrigger-poison")]
        if given_up := [each for each in found if each and each["BlobName"] == name]:
            return given_up
    raise AssertionError(found)


@pytest.mark.documented(f"{TRIGGER}: poison blobs, poisonBlobThreshold")
def test_a_blob_that_always_fails_ends_in_the_poison_queue(
    host: RunningHost, blobs: BlobServiceClient, azurite: StorageAddress
) -> None:
    """It is tried as often as host.json says, then a message that names it is in webjobs-blobtrigger-poison."""
    put(blobs, "failing", "bad.txt", b"bad content")
    host.turn_clock(10)
    host.until("failing on bad content", times=3)
    [message] = until_given_up(azurite, "bad.txt")
    assert len([line for line in host.lines if "failing on bad content" in line]) == 3
    assert (message["Type"], message["ContainerName"]) == ("BlobTrigger", "failing")
    assert message["FunctionId"] == "Host.Functions.Fails"


@pytest.mark.documented("learn.microsoft.com azure-functions functions-event-grid-blob-trigger")
def test_a_blob_may_be_told_of_by_event_grid(
    host: RunningHost, blobs: BlobServiceClient, azurite: StorageAddress
) -> None:
    """The webhook of blobs takes BlobCreated, for its container only, and answers the handshake."""
    put(blobs, "told", "one", b"by event")
    path = "/runtime/webhooks/blobs?functionName=Host.Functions.Told"

    def send(container: str, kind: str) -> int:
        data = {"url": f"{azurite.blob_url}/{container}/one", "api": "PutBlob"}
        event = {"id": "1", "subject": "s", "eventType": kind, "data": data, "dataVersion": "1"}
        return host.call("POST", path, json=[event], headers={"aeg-event-type": "Notification"}).status_code

    assert send("incoming", "Microsoft.Storage.BlobCreated") == 202
    assert send("told", "Microsoft.Storage.BlobDeleted") == 202
    assert send("told", "Microsoft.Storage.BlobCreated") == 202
    host.until("told of b'by event'")
    host.until("New blob detected(EventGrid): told/one")
    handshake = [{"data": {"validationCode": "7"}, "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent"}]
    answer = host.call("POST", path, json=handshake, headers={"aeg-event-type": "SubscriptionValidation"})
    assert answer.json() == {"validationResponse": "7"}
    unknown = host.call("POST", "/runtime/webhooks/blobs?functionName=Host.Functions.Taken", json=[])
    assert (unknown.status_code, unknown.text) == (404, "cannot find function: 'Host.Functions.Taken'")
    assert len([line for line in host.lines if "told of b'by event'" in line]) == 1


@pytest.mark.documented("learn.microsoft.com azure-functions functions-reference-python: SDK type bindings")
def test_a_trigger_may_hand_over_a_client(host: RunningHost, blobs: BlobServiceClient) -> None:
    """A parameter of the extension library's type gets the SDK's client of the blob."""
    put(blobs, "clients", "one", b"content")
    host.turn_clock(10)
    host.until("client of one has b'content'")


@pytest.mark.our_choice("a message that no host of ours wrote must not stop the ones that follow")
def test_a_foreign_message_in_the_hosts_queue_harms_nobody(
    host: RunningHost, blobs: BlobServiceClient, azurite: StorageAddress
) -> None:
    """It is named and given up; blobs are handled on."""
    Queues(azurite.connection_string).send("azure-webjobs-blobtrigger-blobs", "[]")
    host.until("A message of 'azure-webjobs-blobtrigger-blobs' is not of a blob")
    put(blobs, "clients", "after", b"content")
    host.turn_clock(10)
    host.until("client of after has b'content'")


@pytest.mark.read_in_sdk("azure-functions-host FunctionsController.cs; a blob trigger takes a blob's path")
def test_a_function_can_be_run_by_hand(host: RunningHost, blobs: BlobServiceClient) -> None:
    """POST /admin/functions takes the blob's path; one that is not there is named in the log."""
    put(blobs, "told", "by hand", b"by hand")
    assert host.call("POST", "/admin/functions/Told", json={"input": "told/by hand"}).status_code == 202
    host.until("told of b'by hand'")
    assert host.call("POST", "/admin/functions/Told", json={"input": "told/nothing"}).status_code == 202
    host.until("Exception binding parameter 'blob': 'told/nothing' is not a blob that can be read")


@pytest.mark.documented(f"{BINDINGS}: str, bytes, InputStream; SDK types")
def test_inputs_read_a_blob_as_they_are_annotated(host: RunningHost, blobs: BlobServiceClient) -> None:
    """Text, bytes, a stream and clients; nothing when there is no such blob."""
    put(blobs, "store", "here.txt", b"abc")
    assert host.call("GET", "/api/read/here").text == "abc b'abc' b'abc' b'abc' ['here.txt']"
    assert host.call("GET", "/api/stream/here").text == "abc"
    assert host.call("GET", "/api/read/away").text == "nothing None None False"


@pytest.mark.documented(f"{BINDINGS}; functions-bindings-expressions-patterns: rand-guid, DateTime")
def test_outputs_write_a_blob_under_a_made_up_name(host: RunningHost, blobs: BlobServiceClient) -> None:
    """The container is created; names come from the route, a fresh GUID and the date; streams are read."""
    assert host.call("POST", "/api/write/some", data=b"\x00\x01").text == "written"
    names = sorted(each.name for each in blobs.get_container_client("written").list_blobs())
    assert len(names) == 2
    stamp, guid = sorted((name.removeprefix("some/").removesuffix(".txt") for name in names), key=len)
    assert (len(stamp), stamp[:2], len(guid)) == (8, "20", 36)
    assert content(blobs, "written", f"some/{stamp}.txt") == b"\x00\x01"
    assert content(blobs, "written", f"some/{guid}.txt") == b"text"


@pytest.mark.read_in_sdk(f"{EXTENSION} BlobPathSource.cs, FixedBlobPathSource.cs: a container name only")
def test_a_path_may_be_a_container(host: RunningHost, blobs: BlobServiceClient) -> None:
    """A trigger runs on each of its blobs, a container's client needs no blob."""
    host.until_listening("Any")
    put(blobs, "everything", "deep/one.txt", b"1")
    host.turn_clock(10)
    host.until("any blob: everything/deep/one.txt")
    assert host.call("GET", "/api/listed").text == "deep/one.txt"


@pytest.mark.documented(f"{TRIGGER}: blob name patterns")
@pytest.mark.parametrize(
    ("pattern", "path", "found"),
    [
        ("c/{name}", "c/a/b.txt", {"name": "a/b.txt"}),
        ("c/{name}.{kind}", "c/a.b.txt", {"name": "a.b", "kind": "txt"}),
        ("c/original-{name}", "c/original-1", {"name": "1"}),
        ("c/original-{name}", "c/copy-1", None),
        ("c/exact.txt", "c/exact.txt", {}),
        ("c/exact.txt", "c/exact+txt", None),
        ("c/{n}/{n}-x", "c/a/a-x", {"n": "a"}),
        ("whole", "whole/a/b.txt", {}),
        ("whole", "wholesale/a", None),
    ],
)
def test_patterns(pattern: str, path: str, found: dict[str, Any] | None) -> None:
    """What a pattern matches, and what its names stand for."""
    match = pattern_of(pattern).fullmatch(path)
    assert (match and match.groupdict()) == found


@pytest.mark.our_choice("a name that could never be used in another binding")
def test_a_pattern_with_no_name_is_refused() -> None:
    """The braces' content is named."""
    with pytest.raises(FunctionInError, match="is not a name"):
        pattern_of("c/{a-b}")


@pytest.mark.parametrize(
    ("decorator", "reason"),
    [
        ('@app.blob_trigger(arg_name="x", path="c/", connection="Store")', "Invalid blob trigger path 'c/'."),
        ('@app.blob_trigger(arg_name="x", path="{c}/n", connection="Store")', "cannot contain {resolve} tokens"),
        (
            '@app.blob_trigger(arg_name="x", path="c/{n}", connection="None")',
            "Storage account connection string 'None'",
        ),
        ('@app.blob_trigger(arg_name="x", path="c/{n}", connection="Odd")', "is not a storage connection string"),
        ('@app.blob_trigger(arg_name="x", path="c/{n}", connection="Store", source="Logs")', "'logs' is not one of"),
    ],
)
@pytest.mark.read_in_sdk(f"{EXTENSION} BlobPath.cs; webjobs-sdk storage account lookup")
def test_a_binding_that_cannot_work_is_in_error(tmp_path: Path, decorator: str, reason: str) -> None:
    """The reason is named."""
    source = f"""
import azure.functions as func
app = func.FunctionApp()

{decorator}
async def X(x: bytes):
    pass
"""
    values = {"Store": "UseDevelopmentStorage=true", "Odd": "https://here"}
    with running_host(write_app(tmp_path, source, values=values)) as host:
        assert reason in host.until("The 'X' function is in error:")
