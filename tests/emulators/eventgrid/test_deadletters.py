"""Dead letters: when they are written, where, and that they outlive the storage account's crash."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest
from azure.storage.blob import BlobServiceClient

from emulators.eventgrid import limits
from emulators.eventgrid.application import Options, create
from emulators.eventgrid.storage import DEVELOPMENT_STORAGE, StorageAccount, StorageUnavailable
from local.azurite import StorageAddress
from tests.emulators.eventgrid.conftest import Emulator, event
from tests.emulators.eventgrid.subscriber import Subscriber
from tests.serving import served

RETRY = "articles/event-grid delivery-and-retry"
ACCOUNT = "/subscriptions/s1/resourceGroups/g1/providers/Microsoft.Storage/storageAccounts/devstoreaccount1"


def letters_to(container: str) -> dict[str, object]:
    """ARM's dead-letter destination."""
    return {"endpointType": "StorageBlob", "properties": {"resourceId": ACCOUNT, "blobContainerName": container}}


@dataclass
class Blobs(StorageAccount):
    """Storage in memory; it may be unavailable."""

    kept: dict[str, bytes] = field(default_factory=dict)
    available: bool = True
    defects: int = 0

    def __post_init__(self) -> None:
        super().__init__(DEVELOPMENT_STORAGE)

    async def write(self, container: str, path: str, content: bytes) -> None:
        """Keep a blob, unless it is one of the first `defects`."""
        if self.defects:
            self.defects -= 1
            raise RuntimeError("a defect, or a full disk")
        if not self.available:
            raise StorageUnavailable("switched off")
        self.kept[f"{container}/{path}"] = content

    async def exists(self, container: str, path: str) -> bool:
        """Whether it is there."""
        return f"{container}/{path}" in self.kept

    async def close(self) -> None:
        """Nothing to let go of."""


@pytest.fixture
def blobs() -> Blobs:
    """Storage in memory."""
    return Blobs()


@pytest.fixture
def emulator(blobs: Blobs) -> Iterator[Emulator]:
    """An emulator whose dead letters go to `blobs`."""
    with served(lambda: create(storage=blobs)) as url:
        yield Emulator(url)


def bury_one(emulator: Emulator, webhook: Subscriber, *, status: int = 400) -> None:
    """Let one event end as a dead letter."""
    endpoint = emulator.topic("orders")
    webhook.statuses = [status]
    emulator.subscribe(
        "orders",
        "sub-one",
        webhook.url,
        deadLetterDestination=letters_to("dead"),
        retryPolicy={"maxDeliveryAttempts": 1},
    )
    emulator.publish(endpoint, [event()])
    emulator.until(lambda: len(emulator.control("GET", "/deadletters")["value"]) == 1)


def buried(emulator: Emulator, blobs: Blobs) -> dict[str, Any]:
    """The one dead letter, once its blob has been written."""
    emulator.until(lambda: len(emulator.control("GET", "/deadletters")["value"]) == 1)
    emulator.advance(limits.DEAD_LETTER_DELAY_SECONDS + 1)
    emulator.until(lambda: bool(blobs.kept))
    (content,) = blobs.kept.values()
    (letter,) = orjson.loads(content)
    assert isinstance(letter, dict)
    return letter


@pytest.mark.seen_on_azure("Stack Overflow question 52173869: a dead letter dumped from the live service")
def test_a_dead_letter_has_the_services_path_and_fields(emulator: Emulator, webhook: Subscriber, blobs: Blobs) -> None:
    """Five minutes after the last attempt: an array with the event and why it was given up."""
    bury_one(emulator, webhook)
    emulator.advance(limits.DEAD_LETTER_DELAY_SECONDS - 20)
    assert not blobs.kept
    emulator.advance(30)
    emulator.until(lambda: bool(blobs.kept))
    ((path, content),) = blobs.kept.items()
    assert re.fullmatch(r"dead/SUB-ONE/\d{4}/[1-9]\d?/[1-9]\d?/(0|[1-9]\d?)/[0-9a-f-]{36}\.json", path)
    (letter,) = orjson.loads(content)
    assert {name: letter[name] for name in ("id", "eventType", "data")} == {
        name: event()[name] for name in ("id", "eventType", "data")
    }
    assert letter["deadLetterReason"] == "UndeliverableDueToHttpBadRequest"
    assert (letter["deliveryAttempts"], letter["lastDeliveryOutcome"]) == (1, "BadRequest")
    assert letter["lastHttpStatusCode"] == 400
    assert letter["publishTime"] <= letter["lastDeliveryAttemptTime"]


@pytest.mark.documented(RETRY)
def test_the_last_attempt_ends_in_a_dead_letter(emulator: Emulator, webhook: Subscriber, blobs: Blobs) -> None:
    """With one attempt allowed, a 500 is final."""
    bury_one(emulator, webhook, status=500)
    emulator.advance(limits.DEAD_LETTER_DELAY_SECONDS + 1)
    emulator.until(lambda: bool(blobs.kept))
    (content,) = blobs.kept.values()
    assert orjson.loads(content)[0]["deadLetterReason"] == "MaxDeliveryAttemptsExceeded"


@pytest.mark.documented(RETRY)
def test_storage_that_is_away_gets_its_dead_letter_later(emulator: Emulator, webhook: Subscriber, blobs: Blobs) -> None:
    """It is tried on for hours; then the event is dropped and counted."""
    blobs.available = False
    bury_one(emulator, webhook)
    emulator.advance(limits.DEAD_LETTER_DELAY_SECONDS + 60)
    blobs.available = True
    emulator.advance(limits.DEAD_LETTER_RETRY_SECONDS)
    emulator.until(lambda: bool(blobs.kept))
    assert emulator.totals()["DroppedEventCount"] == 0


@pytest.mark.our_choice("as with lanes: what breaks is told loudly and begins again")
def test_a_defect_does_not_end_dead_lettering(
    emulator: Emulator, webhook: Subscriber, blobs: Blobs, caplog: pytest.LogCaptureFixture
) -> None:
    """The dead letter is written after all."""
    blobs.defects = 1
    bury_one(emulator, webhook)
    emulator.advance(limits.DEAD_LETTER_DELAY_SECONDS + 1)
    emulator.until(lambda: bool(blobs.kept))
    assert "begins again" in caplog.text


@pytest.mark.our_choice("Azurite forgets what it has not saved: a dead letter is ours until its blob has outlived that")
def test_a_blob_that_vanished_is_written_again(emulator: Emulator, webhook: Subscriber, blobs: Blobs) -> None:
    """Under the same name; only a blob that is still there after Azurite's save is let go."""
    bury_one(emulator, webhook)
    emulator.advance(limits.DEAD_LETTER_DELAY_SECONDS + 1)
    emulator.until(lambda: bool(blobs.kept))
    first = set(blobs.kept)
    blobs.kept.clear()
    emulator.until(lambda: bool(blobs.kept))
    assert set(blobs.kept) == first
    assert len(emulator.control("GET", "/deadletters")["value"]) == 1


@pytest.mark.our_choice("Azurite is the real one")
def test_a_dead_letter_lies_in_azurite(azurite: StorageAddress, webhook: Subscriber) -> None:
    """As a JSON blob in the container that the subscription names."""
    options = Options(storage=azurite.connection_string)
    with BlobServiceClient.from_connection_string(azurite.connection_string) as account:
        container = account.create_container("dead")
        with served(lambda: create(options=options)) as url:
            emulator = Emulator(url)
            bury_one(emulator, webhook)
            emulator.advance(limits.DEAD_LETTER_DELAY_SECONDS + 1)
            emulator.until(lambda: bool(list(container.list_blob_names())))
        (name,) = container.list_blob_names()
        assert name.startswith("SUB-ONE/")
        assert orjson.loads(container.download_blob(name).readall())[0]["id"] == "1"
        container.delete_container()


@pytest.mark.documented("articles/event-grid manage-event-delivery: CloudEvents' extra properties are in lower case")
def test_a_dead_cloud_event_has_its_reasons_in_lower_case(
    emulator: Emulator, webhook: Subscriber, blobs: Blobs
) -> None:
    """Extension attributes may be nothing else."""
    endpoint = emulator.topic("clouds", inputSchema="CloudEventSchemaV1_0")
    webhook.statuses = [413]
    emulator.subscribe("clouds", "sub", webhook.url, deadLetterDestination=letters_to("dead"))
    emulator.publish(endpoint, {"id": "1", "type": "T", "source": "/s", "specversion": "1.0", "data": 7})
    letter = buried(emulator, blobs)
    reasons = {name for name in letter if name not in ("id", "type", "source", "specversion", "data")}
    assert reasons == {
        "deadletterreason", "deliveryattempts", "lastdeliveryoutcome", "lasthttpstatuscode", "publishtime",
        "lastdeliveryattempttime",
    }  # fmt: skip
    assert (letter["data"], letter["lastdeliveryoutcome"]) == (7, "PayloadTooLarge")


@pytest.mark.documented("articles/event-grid manage-event-delivery: custom events lie in an Event Grid envelope")
def test_a_dead_custom_event_lies_in_an_envelope(emulator: Emulator, webhook: Subscriber, blobs: Blobs) -> None:
    """Its data is the whole original."""
    mapping = {name: {"defaultValue": "x"} for name in ("eventType", "subject", "dataVersion")}
    wanted = {"inputSchemaMappingType": "Json", "properties": mapping}
    endpoint = emulator.topic("custom", inputSchema="CustomEventSchema", inputSchemaMapping=wanted)
    webhook.statuses = [403]
    emulator.subscribe("custom", "sub", webhook.url, deadLetterDestination=letters_to("dead"))
    emulator.publish(endpoint, [{"n": 1}])
    letter = buried(emulator, blobs)
    assert (letter["data"], letter["eventType"], letter["lastDeliveryOutcome"]) == ({"n": 1}, "x", "Forbidden")


@pytest.mark.documented(RETRY + ": an event that outlives its time is dead-lettered; the reason's word is not certain")
def test_an_event_that_outlives_its_time_is_a_dead_letter(
    emulator: Emulator, webhook: Subscriber, blobs: Blobs
) -> None:
    """With the attempts that there were."""
    endpoint = emulator.topic("orders")
    webhook.statuses = [404] * 3
    short = {"eventTimeToLiveInMinutes": 1}
    emulator.subscribe("orders", "sub", webhook.url, retryPolicy=short, deadLetterDestination=letters_to("dead"))
    emulator.publish(endpoint, [event()])
    emulator.until(lambda: len(emulator.attempts()) == 1)
    emulator.advance(400)
    letter = buried(emulator, blobs)
    assert (letter["deadLetterReason"], letter["deliveryAttempts"]) == ("TimeToLiveExceeded", 1)
    assert (letter["lastDeliveryOutcome"], letter["lastHttpStatusCode"]) == ("NotFound", 404)
