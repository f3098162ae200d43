"""The order service on served emulators: real SDKs over real sockets, and a look at every call that is made."""

from __future__ import annotations

import asyncio
import json
import queue
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import azure.functions as func
import pytest
import requests
from azure.cosmos import CosmosClient

from emulators.base.control import CONTROL_HEADER
from emulators.base.ids import Ids
from emulators.base.serving import Application, Request, Response
from emulators.cosmos.account import WELL_KNOWN_KEY
from emulators.cosmos.application import create as create_cosmos
from emulators.eventgrid.application import create as create_eventgrid
from emulators.eventgrid.auth import DEVELOPMENT_KEY
from local.provision import provision_cosmos, provision_eventgrid, until_subscribed
from local.topology import Topology, read_topology
from order_events import OrderStatusUpdated, decode
from tests.serving import served
from update_order_status import endpoints as commands
from update_order_status import wiring as write_wiring
from update_order_status_read_model import endpoints as queries
from update_order_status_read_model import wiring as read_wiring
from update_order_status_read_model.queries import Queries

DELIVERY_SECONDS_MAX = 20
FUNCTIONS = "http://127.0.0.1:7071/api"
QUERIES = {
    "orders": queries.list_orders,
    "order-summary": queries.get_order_summary,
}


@dataclass
class Stack:
    """The emulators, shared by the tests of one process; tests keep apart by their databases and topics."""

    cosmos: str
    eventgrid: str
    webhook: str
    calls: list[tuple[str, str]]
    """(method, path) of every request that Cosmos DB got."""
    deliveries: queue.Queue[str]
    """Every event that Event Grid pushed, as its JSON text."""
    publications: list[tuple[str, str]]
    """(method, path) of every request that Event Grid got."""

    def clear_faults(self) -> None:
        """Take every fault rule out of force."""
        for url in (self.cosmos, self.eventgrid):
            requests.delete(f"{url}/_emulator/faults", headers={CONTROL_HEADER: "1"}, timeout=10)


@contextmanager
def stack() -> Iterator[Stack]:
    """Serve Cosmos DB, Event Grid and a webhook that stands where the Functions host would."""
    calls: list[tuple[str, str]] = []
    publications: list[tuple[str, str]] = []
    deliveries: queue.Queue[str] = queue.Queue()
    with (
        served(lambda: _watched(create_cosmos(), calls)) as cosmos,
        served(lambda: _watched(create_eventgrid(), publications)) as eventgrid,
        served(lambda: _webhook(deliveries)) as webhook,
    ):
        yield Stack(cosmos, eventgrid, webhook, calls, deliveries, publications)


def _watched(emulator: Application, calls: list[tuple[str, str]]) -> Application:
    async def handle(request: Request) -> Response:
        calls.append((request.method, request.path))
        return await emulator.handle(request)

    return replace(emulator, handle=handle)


def _webhook(deliveries: queue.Queue[str]) -> Application:
    async def handle(request: Request) -> Response:
        events = json.loads(request.body)
        if request.headers["aeg-event-type"] == "SubscriptionValidation":
            answer = {"validationResponse": events[0]["data"]["validationCode"]}
            return Response(200, {"content-type": "application/json"}, json.dumps(answer).encode())
        for event in events if isinstance(events, list) else [events]:
            deliveries.put(json.dumps(event))
        return Response(202)

    return Application(handle, lambda request: Response(413), 2**20)


@dataclass
class SteppedTime:
    """Time that moves a millisecond whenever it is read, and by whatever is slept."""

    at: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    slept: list[float] = field(default_factory=list)
    meanwhile: Callable[[], Awaitable[object]] | None = None
    """What happens during the next sleep."""

    def now(self) -> datetime:
        """The present."""
        self.at += timedelta(milliseconds=1)
        return self.at

    async def sleep(self, seconds: float) -> None:
        """Let `seconds` pass at once."""
        self.slept.append(seconds)
        self.at += timedelta(seconds=seconds)
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            await meanwhile()
        await asyncio.sleep(0)


@dataclass
class Service:
    """Both sides of the order service, connected to a database and a topic of their own."""

    stack: Stack
    settings: dict[str, str]
    time: SteppedTime
    write: write_wiring.WriteSide
    read: read_wiring.ReadSide
    seen: int = 0
    """How many of its requests for documents `spent` has told of."""

    async def post(self, body: object, headers: Mapping[str, str] | None = None) -> func.HttpResponse:
        """The answer to POST /api/UpdateOrderStatus."""
        return await commands.update_one(self._request("UpdateOrderStatus", body, headers), self._writes, Ids().guid)

    async def post_many(self, body: object, headers: Mapping[str, str] | None = None) -> func.HttpResponse:
        """The answer to POST /api/UpdateOrderStatuses."""
        return await commands.update_many(self._request("UpdateOrderStatuses", body, headers), self._writes, Ids().guid)

    async def update(self, order_id: str, status: str, **headers: str) -> func.HttpResponse:
        """The answer to a command; header names with underscores for dashes."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.post({"orderId": order_id, "status": status}, named)

    async def get(self, path: str, headers: Mapping[str, str] | None = None, /, **parameters: str) -> func.HttpResponse:
        """The answer to GET /api/<path>."""
        first, _, rest = path.partition("/")
        answer, route = QUERIES.get(path), {}
        if first == "orders" and rest:
            route = {"orderId": rest.removesuffix("/history")}
            answer = queries.get_order_history if rest.endswith("/history") else queries.get_order
        assert answer is not None
        request = func.HttpRequest(
            "GET", f"{FUNCTIONS}/{path}?{urlencode(parameters)}", headers=headers, route_params=route, body=b""
        )
        return await answer(request, self.connected_queries)

    async def next_event(self, seconds_max: float = DELIVERY_SECONDS_MAX) -> tuple[OrderStatusUpdated, str]:
        """Wait for the next push of Event Grid; the event, and its text. Raises TimeoutError."""
        topic = self.settings["EventGridTopicEndpoint"].split("/")[-3]
        while True:
            try:
                text = await asyncio.to_thread(self.stack.deliveries.get, True, seconds_max)
            except queue.Empty:
                raise TimeoutError("Event Grid pushes nothing") from None
            if topic in json.loads(text).get("topic", topic):  # not a straggler of another test's
                return decode(text), text

    async def deliver(self, seconds_max: float = DELIVERY_SECONDS_MAX) -> OrderStatusUpdated:
        """Wait for the next push of Event Grid, project it, and return the event. Raises TimeoutError."""
        event, text = await self.next_event(seconds_max)
        await self.read.projection.take(text)
        return event

    def published(self) -> int:
        """How many publications Event Grid has been sent."""
        path = self.settings["EventGridTopicEndpoint"].removeprefix(self.stack.eventgrid)
        return sum(call == ("POST", path) for call in self.stack.publications)

    def spent(self) -> list[tuple[str, float]]:
        """(operation, request charge) of each request for documents since this was last asked, oldest first."""
        answer = requests.get(f"{self.stack.cosmos}/_emulator/requests", headers={CONTROL_HEADER: "1"}, timeout=10)
        database = self.settings["OrdersDatabase"]
        mine = [
            (each["operation"], each["requestCharge"])
            for each in reversed(answer.json()["requests"])
            if f"/dbs/{database}/" in each["path"] and "/docs" in each["path"]
        ]
        new, self.seen = mine[self.seen :], len(mine)
        return new

    def documents(self, container: str = "orders-write") -> list[dict[str, Any]]:
        """Everything that a container holds."""
        with CosmosClient(self.stack.cosmos, WELL_KNOWN_KEY) as client:
            proxy = client.get_database_client(self.settings["OrdersDatabase"]).get_container_client(container)
            return list(proxy.read_all_items())

    def put(self, container: str, document: dict[str, Any]) -> None:
        """Write a document as somebody else would."""
        with CosmosClient(self.stack.cosmos, WELL_KNOWN_KEY) as client:
            proxy = client.get_database_client(self.settings["OrdersDatabase"]).get_container_client(container)
            proxy.upsert_item(document)

    def fault(self, service: str, act: Mapping[str, Any], match: Mapping[str, str], **rule: Any) -> None:
        """Put a fault rule in force at the `cosmos` or `eventgrid` emulator; the test's end clears it."""
        url = getattr(self.stack, service)
        document = {"match": match, "act": act, **rule}
        answer = requests.post(f"{url}/_emulator/faults", json=document, headers={CONTROL_HEADER: "1"}, timeout=10)
        assert answer.status_code == 201, answer.text

    def turn_clock(self, service: str, seconds: float) -> None:
        """Let time pass in the `cosmos` or `eventgrid` emulator, for all tests of this process."""
        url, document = getattr(self.stack, service), {"advanceSeconds": seconds}
        answer = requests.post(f"{url}/_emulator/clock", json=document, headers={CONTROL_HEADER: "1"}, timeout=10)
        assert answer.status_code == 200, answer.text

    async def _writes(self) -> write_wiring.WriteSide:
        return self.write

    async def connected_queries(self) -> Queries:
        """The queries, as an endpoint asks for them."""
        return self.read.queries

    def _request(self, name: str, body: object, headers: Mapping[str, str] | None) -> func.HttpRequest:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return func.HttpRequest("POST", f"{FUNCTIONS}/{name}", headers=headers, body=raw)


@asynccontextmanager
async def order_service(shared: Stack, **settings: str) -> AsyncIterator[Service]:
    """The service on a fresh database and topic; `settings` override."""
    topology = _fresh(read_topology())
    await provision_cosmos(shared.cosmos, WELL_KNOWN_KEY, topology)
    await provision_eventgrid(shared.eventgrid, topology, functions_url=shared.webhook, webhook_key=None)
    await until_subscribed(shared.eventgrid, topology)
    environment = {
        "CosmosDBConnection": f"AccountEndpoint={shared.cosmos}/;AccountKey={WELL_KNOWN_KEY}",
        "EventGridTopicEndpoint": f"{shared.eventgrid}/{topology.topic}/api/events",
        "EventGridTopicKey": DEVELOPMENT_KEY,
        "OrdersDatabase": topology.database,
        "OrdersWriteContainer": "orders-write",
        "OrdersReadContainer": "orders-read",
        "OrdersParkedContainer": "orders-parked",
        "OrdersContinuationTokenKey": "a key that only tests know",
        **settings,
    }
    while not shared.deliveries.empty():
        shared.deliveries.get()
    try:
        async with _connected(shared, environment, SteppedTime()) as service:
            yield service
    finally:
        shared.clear_faults()


@asynccontextmanager
async def second_instance(first: Service) -> AsyncIterator[Service]:
    """Another process's worth of the service on the database and topic of `first`, with a clock of its own."""
    async with _connected(first.stack, first.settings, SteppedTime(first.time.at)) as service:
        yield service


@asynccontextmanager
async def _connected(shared: Stack, environment: dict[str, str], time: SteppedTime) -> AsyncIterator[Service]:
    write = await write_wiring.connect(
        write_wiring.Settings.read(environment), write_wiring.Surroundings(time.now, time.sleep)
    )
    read = await read_wiring.connect(
        read_wiring.Settings.read(environment), read_wiring.Surroundings(time.now, time.sleep, time.sleep)
    )
    try:
        yield Service(shared, environment, time, write, read)
    finally:
        await write.close()
        await read.close()


@pytest.fixture(scope="session")
def shared() -> Iterator[Stack]:
    """Cosmos DB, Event Grid and a webhook."""
    with stack() as running:
        yield running


@pytest.fixture
async def service(shared: Stack) -> AsyncIterator[Service]:
    """The order service with nothing in it."""
    async with order_service(shared) as connected:
        yield connected


def _fresh(topology: Topology) -> Topology:
    name = Ids().guid()
    return replace(topology, database=f"db-{name}", topic=f"t-{name}")


def body(response: func.HttpResponse) -> Any:
    """A response's JSON."""
    return json.loads(response.get_body())
