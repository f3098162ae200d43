"""Storage events: what happens to blobs in the real Azurite arrives as events of the account's system topic."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests
from azure.storage.blob import BlobBlock, BlobServiceClient, ContainerClient, ContentSettings, StandardBlobTier

from emulators.base.ids import Ids
from emulators.eventgrid.application import Options, create
from emulators.eventgrid.storage import Blob
from emulators.eventgrid.storagewatch import compare
from emulators.eventgrid.watches import Watched
from local.azurite import StorageAddress
from tests.emulators.eventgrid.conftest import BEARER, VERSION, Emulator
from tests.emulators.eventgrid.subscriber import Received, Subscriber
from tests.emulators.eventgrid.test_deadletters import ACCOUNT
from tests.serving import served

SCHEMA = "articles/event-grid event-schema-blob-storage"
CREATED, DELETED, TIER_CHANGED = (f"Microsoft.Storage.Blob{what}" for what in ("Created", "Deleted", "TierChanged"))
SUBSCRIPTION = f"{ACCOUNT}/providers/Microsoft.EventGrid/eventSubscriptions/sub"


@contextmanager
def emulating(azurite: StorageAddress, data: Path | None = None) -> Iterator[Emulator]:
    """An emulator that looks often."""
    options = Options(storage=azurite.connection_string, storage_look_seconds=0.05)
    with served(lambda: create(data, options=options)) as url:
        yield Emulator(url)


@pytest.fixture
def emulator(azurite: StorageAddress) -> Iterator[Emulator]:
    """An emulator beside the real Azurite."""
    with emulating(azurite) as one:
        yield one


@pytest.fixture
def container(azurite: StorageAddress) -> Iterator[ContainerClient]:
    """A container of its own."""
    with BlobServiceClient.from_connection_string(azurite.connection_string) as account:
        made = account.create_container(f"c{Ids().guid()}")
        yield made
        if made.exists():
            made.delete_container()


def subscribe(emulator: Emulator, webhook: Subscriber, container: ContainerClient, **properties: Any) -> None:
    """Subscribe to the events of one container of the account itself, as `az eventgrid` does."""
    inside = f"/blobServices/default/containers/{container.container_name}/"
    wanted = {"subjectBeginsWith": inside, **properties.pop("filter", {})}
    destination = {"endpointType": "WebHook", "properties": {"endpointUrl": webhook.url}}
    body = {"properties": {"destination": destination, "filter": wanted, **properties}}
    address = emulator.url + SUBSCRIPTION

    def call(method: str, sent: object = None) -> requests.Response:
        return requests.request(method, address, params=VERSION, headers=BEARER, json=sent, timeout=30)

    assert call("PUT", body).status_code == 201
    emulator.until(lambda: call("GET").json()["properties"]["provisioningState"] == "Succeeded")


def told(deliveries: list[Received]) -> list[tuple[str, str, str]]:
    """Event type, API and blob of each delivery, in order of their sequencers."""
    events = sorted((each.document[0] for each in deliveries), key=lambda each: each["data"]["sequencer"])
    return [(each["eventType"], each["data"]["api"], each["subject"].rpartition("/blobs/")[2]) for each in events]


@pytest.mark.documented(SCHEMA)
def test_a_new_blob_is_told_with_the_services_fields(
    emulator: Emulator, webhook: Subscriber, container: ContainerClient
) -> None:
    """Subject, url, length, type, ETag, a sequencer; the topic is the storage account."""
    subscribe(emulator, webhook, container)
    blob = container.upload_blob("folder/a file.txt", b"hello", content_type="text/plain")
    (told_event,) = webhook.wait_for(1)[0].document
    data = told_event["data"]
    assert told_event["topic"] == ACCOUNT
    assert told_event["subject"] == (
        f"/blobServices/default/containers/{container.container_name}/blobs/folder/a file.txt"
    )
    assert (told_event["eventType"], told_event["dataVersion"], told_event["metadataVersion"]) == (CREATED, "", "1")
    assert data["url"] == blob.url.replace("folder%2F", "folder/")
    assert data["eTag"].strip('"') == str(blob.get_blob_properties().etag).strip('"')
    assert (data["api"], data["blobType"], data["contentLength"]) == ("PutBlob", "BlockBlob", 5)
    rest = {"api", "requestId", "eTag", "contentType", "contentLength", "blobType"}
    assert set(data) == rest | {"url", "sequencer", "storageDiagnostics"}


@pytest.mark.documented(SCHEMA)
def test_what_happens_to_a_blob_is_told_by_its_call(
    emulator: Emulator, webhook: Subscriber, container: ContainerClient
) -> None:
    """Blocks, replacements, a copy, a deletion; another tier only for who asks for it; metadata is no event."""
    wanted = {"includedEventTypes": [CREATED, DELETED, TIER_CHANGED]}
    subscribe(emulator, webhook, container, filter=wanted)
    steps: list[Callable[[], object]] = [
        lambda: container.upload_blob("one", b"1"),
        lambda: container.upload_blob("one", b"22", overwrite=True),
        lambda: blocks("two"),
        lambda: container.get_blob_client("three").start_copy_from_url(container.get_blob_client("one").url),
        lambda: container.get_blob_client("one").set_standard_blob_tier(StandardBlobTier.COOL),
        lambda: blocks("two"),
        lambda: container.delete_blob("two"),
    ]

    def blocks(name: str) -> None:
        blob = container.get_blob_client(name)
        blob.stage_block("MQ==", b"x")
        blob.commit_block_list([BlobBlock("MQ==")])

    for count, step in enumerate(steps, 1):
        step()
        webhook.wait_for(count)
    container.get_blob_client("three").set_blob_metadata({"a": "b"})
    container.get_blob_client("three").set_http_headers(ContentSettings(content_type="text/css"))
    container.upload_blob("zzz", b"")  # listed after "three"
    assert told(webhook.wait_for(len(steps) + 1)) == [
        (CREATED, "PutBlob", "one"),
        (CREATED, "PutBlob", "one"),
        (CREATED, "PutBlockList", "two"),
        (CREATED, "CopyBlob", "three"),
        (TIER_CHANGED, "SetBlobTier", "one"),
        (CREATED, "PutBlockList", "two"),
        (DELETED, "DeleteBlob", "two"),
        (CREATED, "PutBlob", "zzz"),
    ]


@pytest.mark.our_choice("listing shows what there is, not since when: the second of the subscription decides")
def test_what_was_there_before_is_no_news(azurite: StorageAddress, webhook: Subscriber) -> None:
    """A blob from before the first look's second is remembered in silence; deleting it is told."""
    old = Blob("a", "1", 100.0, 100.0, "BlockBlob", 1, "", "Hot", copied=False)
    assert compare(None, old, since=101.5) is None
    assert compare(None, old, since=100.9) == CREATED
    assert compare(None, old, since=None) == CREATED


@pytest.mark.our_choice("a listing tells whole seconds")
@pytest.mark.parametrize(
    ("changes", "happened"),
    [
        ({}, None),
        ({"etag": "2", "modified": 105.0}, CREATED),
        ({"etag": "2", "about": "other metadata"}, None),
        ({"etag": "2", "about": "other metadata", "md5": ""}, None),
        ({"etag": "2", "about": "other metadata", "size": 2}, CREATED),
        ({"etag": "2", "about": "other metadata", "md5": "n"}, CREATED),
        ({"etag": "2", "kind": "AppendBlob"}, CREATED),
        ({"etag": "2", "created": 101.0, "modified": 101.0}, CREATED),
        ({"tier": "Cool"}, TIER_CHANGED),
    ],
)
def test_the_table_of_what_two_looks_tell(changes: dict[str, Any], happened: str | None) -> None:
    """Another creation time is a new blob; another ETag is a second write, unless it is metadata's or headers'."""
    before = Watched("c", "a", "1", 100.0, "BlockBlob", "", "Hot", 1, "m", "metadata")
    same = Blob("a", "1", 100.0, 100.0, "BlockBlob", 1, "", "Hot", copied=False, md5="m", about="metadata")
    assert compare(before, replace(same, **changes), since=None) == happened


@pytest.mark.our_choice("appending to a blob is not creating it; the service has no event for it")
def test_appending_is_no_event(emulator: Emulator, webhook: Subscriber, container: ContainerClient) -> None:
    """The creation is told, what follows is not."""
    subscribe(emulator, webhook, container)
    blob = container.get_blob_client("log")
    blob.create_append_blob()
    webhook.wait_for(1)
    blob.append_block(b"line")
    container.upload_blob("after", b"")
    assert [name for _, _, name in told(webhook.wait_for(2))] == ["log", "after"]


@pytest.mark.our_choice("what the last look found is on disk")
def test_what_happens_while_the_emulator_is_stopped_is_told_at_its_next_start(
    azurite: StorageAddress, webhook: Subscriber, container: ContainerClient, tmp_path: Path
) -> None:
    """Once, and not again at the start after that."""
    with emulating(azurite, tmp_path) as emulator:
        subscribe(emulator, webhook, container)
        container.upload_blob("kept", b"1")
        container.upload_blob("gone", b"1")
        webhook.wait_for(2)
    container.delete_blob("gone")
    container.upload_blob("new", b"1")
    for _ in range(2):
        with emulating(azurite, tmp_path) as emulator:
            container.upload_blob(Ids().guid(), b"a new blob for each start")
            emulator.until(lambda: emulator.totals()["DeliverySuccessCount"] > 0)
            webhook.wait_for(5)
    counted = [(kind, name) for kind, _, name in told(webhook.wait_for(6)) if name in ("kept", "gone", "new")]
    assert sorted(counted) == [(CREATED, "gone"), (CREATED, "kept"), (CREATED, "new"), (DELETED, "gone")]


@pytest.mark.documented("Delete Container is no DeleteBlob: " + SCHEMA)
def test_deleting_a_container_tells_nothing_of_its_blobs(
    emulator: Emulator, webhook: Subscriber, container: ContainerClient, azurite: StorageAddress
) -> None:
    """As in Azure, where only DeleteBlob is told."""
    subscribe(emulator, webhook, container, filter={"subjectBeginsWith": "/blobServices/default/containers/c"})
    container.upload_blob("inside", b"1")
    webhook.wait_for(1)
    container.delete_container()
    with BlobServiceClient.from_connection_string(azurite.connection_string) as account:
        other = account.create_container(f"c{Ids().guid()}")
        other.upload_blob("elsewhere", b"1")
        names = [name for _, _, name in told(webhook.wait_for(2))]
        other.delete_container()
    assert names == ["inside", "elsewhere"]


@pytest.mark.documented(SCHEMA)
def test_storage_events_may_be_cloud_events(
    emulator: Emulator, webhook: Subscriber, container: ContainerClient
) -> None:
    """Its source is the storage account."""
    subscribe(emulator, webhook, container, eventDeliverySchema="CloudEventSchemaV1_0")
    container.upload_blob("one", b"1")
    delivered = webhook.wait_for(1)[0].document
    assert (delivered["source"], delivered["type"], delivered["specversion"]) == (ACCOUNT, CREATED, "1.0")


@pytest.mark.our_choice("the account may be started later")
def test_an_account_that_is_away_is_told_of_in_the_log(webhook: Subscriber, caplog: pytest.LogCaptureFixture) -> None:
    """Once, not every second."""
    with emulating(StorageAddress(1, 1, 1)) as emulator:
        absent = ContainerClient.from_connection_string(StorageAddress(1, 1, 1).connection_string, "nothing")
        with absent:
            subscribe(emulator, webhook, absent)
        emulator.until(lambda: "no storage events while" in caplog.text)
        assert emulator.control("GET", "/health")["status"] == "ok"
    assert caplog.text.count("no storage events while") == 1
