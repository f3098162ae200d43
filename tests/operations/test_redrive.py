"""`redrive`: dead letters in the real Azurite and parked events, listed, filtered, brought and deleted."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from azure.core.exceptions import AzureError
from azure.storage.blob import ContainerClient

from emulators.base.ids import Ids
from emulators.eventgrid.conversion import DeliverySchema
from emulators.eventgrid.deadletters import blob_path, letter_content
from local.azurite import StorageAddress
from operations.errors import advice
from order_events import OrderStatusUpdated, decode, to_cloud_event, to_event_grid_event
from tests.operations.operator import later, operate
from tests.order_service import Service, body

EXPIRED = "MaxDeliveryAttemptsExceeded"


@pytest.fixture
def letters(azurite: StorageAddress, service: Service) -> Iterator[ContainerClient]:
    """The container of dead letters, named in the service's settings."""
    name = f"dead-{Ids().guid()}"
    service.settings |= {"AzureWebJobsStorage": azurite.connection_string, "OrdersDeadLetterContainer": name}
    with ContainerClient.from_connection_string(azurite.connection_string, name) as container:
        container.create_container()
        yield container


async def lost(service: Service, order_id: str, status: str = "created") -> OrderStatusUpdated:
    """An event that was published and never projected."""
    await service.update(order_id, status)
    return decode(await asyncio.to_thread(service.stack.deliveries.get, True, 20))


def bury(
    service: Service,
    letters: ContainerClient,
    *events: OrderStatusUpdated,
    reason: str = EXPIRED,
    schema: DeliverySchema = DeliverySchema.EVENT_GRID,
) -> None:
    """Write a blob of dead letters as Event Grid does."""
    now = service.time.now()
    write = to_cloud_event if schema is DeliverySchema.CLOUD_EVENT else to_event_grid_event
    contents = [
        letter_content(
            write(event),
            schema,
            reason=reason,
            attempts=30,
            outcome="GenericError",
            status=500,
            published=now.timestamp(),
            last_attempt=now.timestamp(),
        )
        for event in events
    ]
    letters.upload_blob(blob_path("order-read-model", now, Ids().guid()), b"[" + b",".join(contents) + b"]")


def listed(outcome: Any) -> list[str | None]:
    """The orders of the events that are listed."""
    return sorted(event["orderId"] or "?" for event in outcome.document["events"])


async def test_what_never_arrived_is_listed_with_its_reason(service: Service, letters: ContainerClient) -> None:
    """Dead letters of both schemas and parked events are listed with where they lie, since when and why."""
    bury(service, letters, await lost(service, "o-1"))
    bury(service, letters, await lost(service, "o-2"), schema=DeliverySchema.CLOUD_EVENT)
    await service.read.projection.take('{"eventType": "Other"}')
    outcome = await operate(service, "redrive")
    assert (outcome.exit_code, outcome.document["selected"]) == (0, 3)
    by_order = {event["orderId"]: event for event in outcome.document["events"]}
    assert by_order["o-1"]["source"] == by_order["o-2"]["source"] == "dead-letter"
    assert by_order["o-1"]["reason"] == by_order["o-2"]["reason"] == f"{EXPIRED} (GenericError)"
    assert (by_order[None]["source"], by_order[None]["reason"]) == (
        "parked",
        "event type 'Other' is not OrderStatusUpdated",
    )
    assert len(list(letters.list_blobs())) == 2


@pytest.mark.parametrize("schema", [DeliverySchema.EVENT_GRID, DeliverySchema.CLOUD_EVENT])
async def test_sent_events_reach_the_views_and_are_deleted(
    service: Service, letters: ContainerClient, schema: DeliverySchema
) -> None:
    """--send publishes to the topic, from where the event is delivered as any other; then the blob is gone."""
    bury(service, letters, await lost(service, "o-1"), schema=schema)
    assert (await service.get("orders/o-1")).status_code == 404
    outcome = await operate(service, "redrive", "--send")
    assert (outcome.exit_code, outcome.document["sent"]) == (0, 1)
    await service.deliver()
    assert body(await service.get("orders/o-1"))["status"] == "created"
    assert list(letters.list_blobs()) == []
    later(service)
    assert (await operate(service, "verify")).document["same"] == 1


async def test_projected_events_need_no_event_grid(service: Service, letters: ContainerClient) -> None:
    """--project applies to every generation that is written, while Event Grid is away."""
    bury(service, letters, await lost(service, "o-1"), await lost(service, "o-1", "approved"))
    service.fault("eventgrid", {"status": 503}, {"operation": "*"}, times=1000)
    refused = await operate(service, "redrive", "--send")
    assert (refused.exit_code, refused.document["notTaken"]) == (1, 2)
    assert len(list(letters.list_blobs())) == 1
    outcome = await operate(service, "redrive", "--project")
    assert (outcome.exit_code, outcome.document["sent"]) == (0, 2)
    assert body(await service.get("orders/o-1"))["version"] == 2
    assert list(letters.list_blobs()) == []


async def test_a_dry_run_sends_nothing(service: Service, letters: ContainerClient) -> None:
    """--dry-run lists what would be sent."""
    bury(service, letters, await lost(service, "o-1"))
    outcome = await operate(service, "redrive", "--send", "--dry-run")
    assert (outcome.exit_code, listed(outcome)) == (0, ["o-1"])
    assert "sent" not in outcome.document
    assert len(list(letters.list_blobs())) == 1


async def test_filters_select(service: Service, letters: ContainerClient) -> None:
    """Reason, age, order, event id and where it lies each narrow what is meant, and only that is brought."""
    first = await lost(service, "o-1")
    bury(service, letters, first, await lost(service, "o-10"))
    bury(service, letters, await lost(service, "o-2"), reason="TimeToLiveExceeded")
    parked = {**to_event_grid_event(await lost(service, "o-3")), "dataVersion": "9.0"}
    await service.read.projection.take(json.dumps(parked))
    for flags, orders in (
        (["--reason", "timetolive"], ["o-2"]),
        (["--reason", "GenericError"], ["o-1", "o-10", "o-2"]),
        (["--order", "o-1"], ["o-1"]),
        (["--order", "o-3"], ["?"]),
        (["--event", first.event_id], ["o-1"]),
        (["--parked"], ["?"]),
        (["--dead-letters", "--since", "1h"], ["o-1", "o-10", "o-2"]),
        (["--since", "2099-01-01"], []),
    ):
        assert listed(await operate(service, "redrive", *flags)) == orders, flags
    assert (await operate(service, "redrive", "--order", "o-1", "--send")).document["sent"] == 1
    assert listed(await operate(service, "redrive")) == ["?", "o-10", "o-2"]


async def test_a_parked_event_is_sent_once_it_is_understood(service: Service) -> None:
    """What is not understood stays parked and says so; what is understood by now is sent and let go."""
    event = await lost(service, "o-1")
    poison = await service.read.projection.parking.park("{}", "never understood")
    await service.read.projection.parking.park(
        json.dumps(to_event_grid_event(event)), "dataVersion 1.0 is not understood"
    )
    outcome = await operate(service, "redrive", "--parked", "--send")
    assert (outcome.exit_code, outcome.document["sent"], outcome.document["notUnderstood"]) == (1, 1, 1)
    await service.deliver()
    assert (await service.get("orders/o-1")).status_code == 200
    assert [each["id"] for each in service.documents("orders-parked")] == [poison]


async def test_a_blob_that_is_no_letter_stays(service: Service, letters: ContainerClient) -> None:
    """A blob of something else is listed with what is wrong, and not deleted."""
    letters.upload_blob("SUB/2026/1/1/1/x.json", b"not JSON")
    letters.upload_blob("SUB/2026/1/1/1/y.json", b'["not an event"]')
    outcome = await operate(service, "redrive", "--send")
    assert (outcome.exit_code, outcome.document["notUnderstood"]) == (1, 2)
    assert len(list(letters.list_blobs())) == 2


async def test_erasing_an_order_takes_its_dead_letters(service: Service, letters: ContainerClient) -> None:
    """Its letters leave the blobs, those of other orders stay in them."""
    bury(service, letters, await lost(service, "o-1"), await lost(service, "o-2"))
    bury(service, letters, await lost(service, "o-1", "approved"))
    outcome = await operate(service, "erase", "o-1")
    assert (outcome.exit_code, outcome.document["undeliveredRemoved"]) == (0, 2)
    assert listed(await operate(service, "redrive")) == ["o-2"]
    assert len(list(letters.list_blobs())) == 1


async def test_storage_that_is_away_is_told(service: Service) -> None:
    """An account that does not answer ends the command; what was parked can still be redriven by itself."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        away = f"http://127.0.0.1:{unused.getsockname()[1]}/account"
        service.settings["AzureWebJobsStorage"] = (
            f"DefaultEndpointsProtocol=http;AccountName=account;AccountKey=a2V5;BlobEndpoint={away};"
        )
        with pytest.raises(AzureError) as failure:
            await operate(service, "redrive")
        assert "did not do what was asked" in advice(failure.value)
        assert (await operate(service, "redrive", "--parked")).exit_code == 0


async def test_a_missing_container_is_named(service: Service, letters: ContainerClient) -> None:
    """A container that does not exist ends with the setting that names it."""
    service.settings["OrdersDeadLetterContainer"] = "missing"
    with pytest.raises(Exception, match="OrdersDeadLetterContainer"):
        await operate(service, "redrive")
    del service.settings["AzureWebJobsStorage"]
    with pytest.raises(Exception, match="AzureWebJobsStorage"):
        await operate(service, "redrive", "--dead-letters")
    assert (await operate(service, "redrive", "--parked")).exit_code == 0
