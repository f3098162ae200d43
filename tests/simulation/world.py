"""The order service's surroundings in one process: both emulators, hosts that die and come back, and what carries
calls between them past the gate."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

import aiohttp
from azure.cosmos.aio import CosmosClient

from emulators.base.clock import Clock
from emulators.base.faults import Faults
from emulators.base.ids import Ids
from emulators.base.serving import Application, Request, Response
from emulators.cosmos.account import WELL_KNOWN_KEY
from emulators.cosmos.application import create as create_cosmos
from emulators.eventgrid.application import create as create_eventgrid
from emulators.eventgrid.auth import DEVELOPMENT_KEY
from emulators.eventgrid.transport import Incoming, Outgoing
from local.provision import create_containers, eventgrid_resources
from local.topology import read_topology
from order_telemetry import Telemetry
from order_telemetry.transport import Dependency
from tests.simulation.choices import Choices
from tests.simulation.fates import HELD_SECONDS, LATE_SECONDS, SLOW_SECONDS, Fate, Kind, What
from tests.simulation.gate import Call, Gate, Instance
from tests.simulation.loop import VirtualLoop
from tests.simulation.transport import InProcess, carry_undisturbed
from update_order_status import wiring as write_wiring
from update_order_status_read_model import wiring as read_wiring

COSMOS_PORT, EVENT_GRID_PORT, HOST_PORT = 8081, 6500, 7071
CONTROL = {"x-emulator-control": "1"}


class VirtualClock(Clock):
    """The loop's time as the emulators' clock. The SDKs sign by the real one, which the emulators allow for."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._began = time.time()  # noqa: TID251 - signatures carry real time
        super().__init__(lambda: self._began + loop.elapsed_seconds)

    @property
    def offset_seconds(self) -> float:
        """By how much virtual time is ahead of real time."""
        return self.now() - time.time()  # noqa: TID251 - signatures carry real time


class SeededIds(Ids):
    """Identifiers and chance from dice that every history begins anew, so that it repeats itself wherever it stands."""

    def __init__(self, dice: random.Random) -> None:
        super().__init__(0)
        self._dice = dice


@dataclass(frozen=True, slots=True)
class Webhooks:
    """Event Grid's transport."""

    push: Callable[[Outgoing], Awaitable[Incoming]]

    async def send(self, request: Outgoing) -> Incoming:
        """What the webhook answers."""
        return await self.push(request)

    async def close(self) -> None:
        """Nothing to close."""


@dataclass(frozen=True, slots=True)
class Sides:
    """The service as one host runs it."""

    write: write_wiring.WriteSide
    read: read_wiring.ReadSide


Build = Callable[[Sides], Sides]
"""Makes a variant of the service."""


@dataclass(eq=False)
class Host(Instance):
    """A host of the service; it connects at its first use, as the real one does."""

    sides: asyncio.Task[Sides] | None = None

    async def run(self, work: Callable[[Sides], Awaitable[Any]]) -> Any:
        """`work`'s result. Raises HostDied when this host dies first: then the work stays undone where it is."""
        working = asyncio.ensure_future(self._work(work))
        dying = asyncio.ensure_future(self.died.wait())
        await asyncio.wait((working, dying), return_when=asyncio.FIRST_COMPLETED)
        dying.cancel()
        if not self.alive:
            working.cancel()  # the dead do nothing more: what a `finally` might still call never passes the gate
            raise HostDied(self.name)
        return working.result()

    async def _work(self, work: Callable[[Sides], Awaitable[Any]]) -> Any:
        assert self.sides is not None
        return await work(await asyncio.shield(self.sides))


class HostDied(Exception):
    """The connection to a host broke because its process ended."""


@dataclass
class World:
    """Emulators and hosts. `build` makes each host's service, so that a mistaken one can be tried."""

    loop: VirtualLoop
    build: Build = lambda sides: sides

    def __post_init__(self) -> None:
        self.clock = VirtualClock(self.loop)
        self.gate = Gate(lambda: self.seconds)
        self._history_began = 0.0
        self._hosts: dict[int, Host] = {}
        self._deliveries = 0
        self.hosts = 1
        self.histories = 0
        self.late: set[asyncio.Task[Any]] = set()
        self.raised: list[BaseException] = []
        self._dice, self._pauses = random.Random(), random.Random()
        ids = SeededIds(self._dice)
        self._cosmos_faults = Faults(self.clock)
        self.cosmos = create_cosmos(clock=self.clock, ids=ids, faults=self._cosmos_faults)
        self.eventgrid = create_eventgrid(clock=self.clock, ids=ids, transport=Webhooks(self._push))
        self.services = {COSMOS_PORT: self.cosmos, EVENT_GRID_PORT: self.eventgrid}
        self.topology = read_topology()
        self.observer = CosmosClient(
            f"http://127.0.0.1:{COSMOS_PORT}", WELL_KNOWN_KEY, transport=InProcess(self.services, carry_undisturbed)
        )
        self.loop.on_idle = self.gate.let_one_pass

    async def open(self) -> None:
        """Provision what the service needs."""
        await self.cosmos.open()
        await self.eventgrid.open()
        await self.observer.__aenter__()
        await create_containers(self.observer, self.topology)
        for path, body in eventgrid_resources(
            self.topology, functions_url=f"http://127.0.0.1:{HOST_PORT}", webhook_key=None
        ):
            await self._arm(path, body)

    async def close(self) -> None:
        """End both emulators."""
        await self.observer.close()
        await self.eventgrid.close()
        await self.cosmos.close()

    async def _arm(self, path: str, body: Mapping[str, Any]) -> None:
        host = f"127.0.0.1:{EVENT_GRID_PORT}"
        headers = {"host": host, "authorization": "Bearer local", "content-type": "application/json"}
        answer = await self.eventgrid.handle(
            Request("PUT", f"{path}?api-version=2025-02-15", headers, json.dumps(body).encode())
        )
        assert answer.status in (200, 201), answer

    def begin(self, choices: Choices) -> None:
        """Start a history with hosts of its own."""
        self._hosts = {}
        self.histories += 1
        self._deliveries = 0
        self.raised = []
        self._history_began = self.loop.elapsed_seconds
        self._dice.seed(0)
        self._pauses.seed(0)
        self.gate.begin(choices)

    def host(self, number: int) -> Host:
        """The host of that number, started anew when the last one has died."""
        host = self._hosts.get(number)
        if host is None or not host.alive:
            host = self._hosts[number] = Host(f"host {'AB'[number]}")
            host.sides = asyncio.ensure_future(self._connect(host))
        return host

    async def _connect(self, host: Host) -> Sides:
        environment = {
            "CosmosDBConnection": f"AccountEndpoint=http://127.0.0.1:{COSMOS_PORT}/;AccountKey={WELL_KNOWN_KEY}",
            "EventGridTopicEndpoint": f"http://127.0.0.1:{EVENT_GRID_PORT}/{self.topology.topic}/api/events",
            "EventGridTopicKey": DEVELOPMENT_KEY,
            "OrdersDatabase": self.topology.database,
            "OrdersWriteContainer": "orders-write",
            "OrdersReadContainer": "orders-read",
            "OrdersParkedContainer": "orders-parked",
            "OrdersContinuationTokenKey": "a key that only tests know",
        }

        def transport(telemetry: Telemetry, dependency: Dependency, *, proxy: bool) -> InProcess:
            return InProcess(self.services, partial(self._carry, host))

        async def pause_up_to(seconds: float) -> None:
            await asyncio.sleep(self._pauses.uniform(0, seconds))

        write = await write_wiring.connect(
            write_wiring.Settings.read(environment),
            write_wiring.Surroundings(self.now, pause_up_to, transport=transport),
        )
        read = await read_wiring.connect(
            read_wiring.Settings.read(environment),
            read_wiring.Surroundings(self.now, asyncio.sleep, pause_up_to, transport=transport),
        )
        return self.build(Sides(write, read))

    @property
    def seconds(self) -> float:
        """How long this history has lasted."""
        return self.loop.elapsed_seconds - self._history_began

    def now(self) -> datetime:
        """The present."""
        return datetime.fromtimestamp(self.clock.now(), UTC)

    async def _carry(self, host: Host, request: Request, application: Application) -> Response:
        """A call of the service: waits for its turn and meets its fate."""
        kind = _kind(request)
        if kind is None:  # descriptions of the account and its containers: read once, and before any work
            return await host.outlive(carry_undisturbed(request, application))
        fate = await self.gate.turn(Call(host, kind, f"{host.name}: {_text(request, kind)}"))
        perform = partial(carry_undisturbed, request, application)
        match fate.what:
            case What.PASSES:
                answer = await host.outlive(perform())
                self.gate.tell(f"    {host.name} is answered {answer.status}")
                return answer
            case What.SLOW:
                await asyncio.sleep(SLOW_SECONDS)
                return await host.outlive(perform())
            case What.REFUSED:
                await self._refuse_next(application, fate)
                return await host.outlive(perform())
            case What.DONE_BUT_REFUSED:
                await perform()
                await self._refuse_next(application, fate)
                return await host.outlive(perform())
            case What.DUPLICATE:
                await perform()
                return await host.outlive(perform())
            case What.DROPPED:
                raise aiohttp.ClientOSError(104, "Connection reset by peer")
            case What.LOST:
                await perform()
                raise aiohttp.ServerDisconnectedError
            case What.LATE:
                self._later(LATE_SECONDS, perform)
                return await asyncio.Future()
            case What.CRASH_AFTER:
                await perform()
        host.kill()
        return await asyncio.Future()

    async def _refuse_next(self, application: Application, fate: Fate) -> None:
        rule = {
            "match": {},
            "times": 1,
            "act": {"status": fate.status, "substatus": fate.substatus, "retryAfterSeconds": 1},
        }
        if application is self.cosmos:
            self._cosmos_faults.clear()
            self._cosmos_faults.add(rule)
            return
        await application.handle(Request("DELETE", "/_emulator/faults", CONTROL))
        rule["match"] = {"operation": "publish"}
        await application.handle(Request("POST", "/_emulator/faults", CONTROL, json.dumps(rule).encode()))

    def _later(self, seconds: float, work: Callable[[], Awaitable[Any]]) -> None:
        async def late() -> None:
            await asyncio.sleep(seconds)
            self.gate.tell("    what was late is done now")
            await work()

        task = asyncio.ensure_future(late())
        self.late.add(task)
        task.add_done_callback(self.late.discard)

    async def _push(self, request: Outgoing) -> Incoming:
        """A delivery of Event Grid to the webhook of a host."""
        if request.headers.get("aeg-event-type") == "SubscriptionValidation":
            code = json.loads(request.body)[0]["data"]["validationCode"]
            return Incoming(200, json.dumps({"validationResponse": code}).encode())
        self._deliveries += 1
        host = self.host(self._deliveries % self.hosts)
        told = "Event Grid: deliver version " + ", ".join(
            str(event["data"]["version"]) for event in json.loads(request.body)
        )
        fate = await self.gate.turn(Call(None, "delivery", f"{told} to {host.name}"))
        perform = partial(self._deliver, request.body)
        lost = Incoming(None, b"", outcome="SocketError")
        match fate.what:
            case What.PASSES:
                return await perform(host)
            case What.SLOW:
                await asyncio.sleep(SLOW_SECONDS)
                return await perform(host)
            case What.REFUSED:
                return Incoming(fate.status)
            case What.LOST:
                await perform(host)
                return lost
            case What.DUPLICATE:
                self._later(0, partial(perform, host))
                return await perform(host)
            case What.LATE:
                self._later(HELD_SECONDS, lambda: perform(self.host(0)))
                return Incoming(None, b"", outcome="TimedOut")
            case What.CRASH_AFTER:
                await perform(host)
                host.kill()
            case What.CRASH_BEFORE:
                host.kill()
        return lost

    async def _deliver(self, body: bytes, host: Host) -> Incoming:
        for event in json.loads(body):
            try:
                await host.run(partial(_project, json.dumps(event)))
            except HostDied:
                return Incoming(None, b"", outcome="SocketError")
            except Exception as failure:  # noqa: BLE001 - the host answers 500 whatever a function raises
                self.gate.tell(f"    the projection raises {type(failure).__name__}: {failure}")
                return Incoming(500)
        return Incoming(200)

    async def backlog(self) -> int:
        """How many deliveries Event Grid still has to make."""
        answer = await self.eventgrid.handle(Request("GET", "/_emulator/topics", CONTROL))
        assert isinstance(answer.body, bytes)
        topics = json.loads(answer.body)["value"]
        return sum(int(each["waiting"]) for topic in topics for each in topic["eventSubscriptions"])


async def _project(text: str, sides: Sides) -> None:
    await sides.read.projection.take(text)


def _kind(request: Request) -> Kind | None:
    """What sort of call it is, or None for one that describes resources."""
    if request.raw_path.endswith("/api/events"):
        return "publish"
    parts = request.raw_path.strip("/").split("/")
    if len(parts) < 5 or parts[4] != "docs":
        return None
    if request.headers.get("x-ms-cosmos-is-batch-request", "").lower() == "true":
        return "batch"
    if request.method == "PATCH":
        return "conditional"
    is_query = request.headers.get("x-ms-documentdb-isquery", "").lower() == "true"
    return "read" if request.method == "GET" or is_query else "write"


def _text(request: Request, kind: Kind) -> str:
    if kind == "publish":
        return "publish version " + ", ".join(str(each["data"]["version"]) for each in json.loads(request.body))
    container, _, rest = request.path.partition("/colls/")[2].partition("/docs")
    if kind == "batch":
        document = json.loads(request.body)[-1].get("resourceBody", {})
        order = document.get("orderId", "").partition("-")[0]
        return f"commit version {document.get('version')} of {order} to {container}"
    if rest.strip("/"):
        return f"{request.method} {rest.strip('/').partition('-')[0].partition(':')[0]} in {container}"
    return f"query {container}" if kind == "read" else f"create in {container}"
