"""Placing and confirming: each by itself, and through a topic."""

from collections.abc import Callable

from azure.core.credentials import AzureKeyCredential
from azure.eventgrid import EventGridEvent, EventGridPublisherClient
from emulators.functions_host.testing import FunctionsTestHost
from emulators.pytest_plugin.servers import EventGridEmulator
from function_app import app


def test_a_placed_order_is_published() -> None:
    """The event carries the order's id; nothing is sent."""
    with FunctionsTestHost(app, capture_outputs=True) as host:
        assert host.request("PUT", "/api/orders/7").status_code == 202
        event = host.invocations[-1].outputs["placed"]
        assert (event["eventType"], event["data"]) == ("Shop.OrderPlaced", {"orderId": "7"})


def test_an_event_confirms_its_order() -> None:
    """What Event Grid would deliver is delivered by the test."""
    with FunctionsTestHost(app, capture_outputs=True) as host:
        [run] = host.emit_event({"eventType": "Shop.OrderPlaced", "data": {"orderId": "7"}})
        assert [log.text for log in run.logs] == ["Order 7 is confirmed"]


def test_the_topic_takes_what_the_function_publishes(
    eventgrid_emulator: EventGridEmulator, functions_test_host: Callable[..., FunctionsTestHost]
) -> None:
    """On an emulator: its topic accepts the function's event, and the official client's."""
    endpoint = eventgrid_emulator.topic("orders")
    host = functions_test_host(app, settings={"OrdersTopicUri": endpoint, "OrdersTopicKey": eventgrid_emulator.key})
    assert host.request("PUT", "/api/orders/7").status_code == 202
    with EventGridPublisherClient(endpoint, AzureKeyCredential(eventgrid_emulator.key)) as client:
        client.send([EventGridEvent("orders/8", "Shop.OrderPlaced", {"orderId": "8"}, "1.0")])
    with eventgrid_emulator.fault(match={"topic": "orders"}, act={"status": 503}):
        assert host.request("PUT", "/api/orders/9").status_code == 500
