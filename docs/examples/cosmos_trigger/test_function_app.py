"""The price list: by itself, and on a real change feed."""

from collections.abc import Callable

from azure.cosmos import CosmosClient, PartitionKey
from emulators.functions_host.testing import FunctionsTestHost
from emulators.pytest_plugin.servers import CosmosEmulator
from function_app import app

AWAY = {"Shop": "AccountEndpoint=http://127.0.0.1:1/;AccountKey=a2V5;"}


def test_changed_products_become_prices() -> None:
    """Nothing but the function runs: documents go in, what it would write comes out."""
    with FunctionsTestHost(app, settings=AWAY, capture_outputs=True) as host:
        [run] = host.send("project_prices", [{"id": "tea", "price": 3, "stock": 7}])
        assert run.outputs["prices"] == [{"id": "tea", "price": 3}]


def test_the_price_list_follows_the_container(
    cosmos_emulator: CosmosEmulator, functions_test_host: Callable[..., FunctionsTestHost]
) -> None:
    """On an emulator: a product is written, the change feed brings it, the price is there."""
    with CosmosClient(cosmos_emulator.url, cosmos_emulator.key) as client:
        shop = client.create_database("shop")
        products = shop.create_container("products", PartitionKey("/id"))
        host = functions_test_host(app, settings={"Shop": cosmos_emulator.connection_string}, listen=True)
        host.wait_until_listening("project_prices")
        products.create_item({"id": "tea", "price": 3})
        host.advance(5)  # the trigger polls every five seconds
        host.wait_for("project_prices")
        assert shop.get_container_client("prices").read_item("tea", "tea")["price"] == 3
