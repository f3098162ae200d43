"""Orders through the queue: by themselves, and on Azurite."""

from collections.abc import Callable

from azure.storage.queue import QueueClient
from emulators.functions_host.testing import FunctionsTestHost
from emulators.pytest_plugin.azurite import Azurite
from function_app import app

AWAY = {"AzureWebJobsStorage": "UseDevelopmentStorage=true"}


def test_an_order_is_put_into_the_queue() -> None:
    """What would be sent is what was posted."""
    with FunctionsTestHost(app, settings=AWAY, capture_outputs=True) as host:
        assert host.request("POST", "/api/orders", json={"id": 7}).status_code == 202
        assert host.invocations[-1].outputs == {"order": '{"id": 7}'}


def test_an_order_without_an_id_fails() -> None:
    """The run's error is the KeyError of the missing member."""
    with FunctionsTestHost(app, settings=AWAY) as host:
        [run] = host.send("handle_order", {"nobody": True})
        assert isinstance(run.error, KeyError)


def test_the_queue_connects_both(azurite: Azurite, functions_test_host: Callable[..., FunctionsTestHost]) -> None:
    """On Azurite: an order goes in over HTTP and is handled; a bad one ends in the poison queue."""
    storage = {"AzureWebJobsStorage": azurite.connection_string}
    host = functions_test_host(app, settings=storage, listen=True)
    host.request("POST", "/api/orders", json={"id": 7})
    [run] = host.wait_for("handle_order")
    assert run.logs[0].text == "Order 7 was handled at attempt 1"
    host.request("POST", "/api/orders", json={"nobody": True})
    host.wait_for("handle_order", 1 + 5)
    with QueueClient.from_connection_string(azurite.connection_string, "orders-poison") as poison:
        host.wait_until(lambda: any(name.name == "orders-poison" for name in _queues(azurite)))
        host.wait_until(lambda: len(poison.peek_messages()) == 1)


def _queues(azurite: Azurite) -> list:
    from azure.storage.queue import QueueServiceClient

    with QueueServiceClient.from_connection_string(azurite.connection_string) as service:
        return list(service.list_queues())
