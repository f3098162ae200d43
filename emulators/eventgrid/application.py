"""The Event Grid emulator as one `Application`: what is wired to what, and the way of a request through it.

`create` is the door for `__main__`, tests and simulations.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emulators.base.clock import Clock
from emulators.base.control import Control, json_response
from emulators.base.faults import Act, Faults, suffer
from emulators.base.ids import Ids
from emulators.base.serving import DROPPED, Application, Request, Response
from emulators.eventgrid import errors, limits
from emulators.eventgrid.auth import DEVELOPMENT_KEY
from emulators.eventgrid.catalogue import Catalogue
from emulators.eventgrid.configuration import Configured
from emulators.eventgrid.couriers import Couriers
from emulators.eventgrid.deadletters import DeadLetterOffice
from emulators.eventgrid.destinations import Whereabouts
from emulators.eventgrid.errors import Refused
from emulators.eventgrid.expiry import Expirations
from emulators.eventgrid.handshake import Handshakes
from emulators.eventgrid.management.application import Management
from emulators.eventgrid.metrics import Metrics
from emulators.eventgrid.namespaces.configuration import ConfiguredNamespace
from emulators.eventgrid.namespaces.room import Namespaces
from emulators.eventgrid.onlookers import Onlookers
from emulators.eventgrid.provisioning import Provisioning
from emulators.eventgrid.publish import Publisher
from emulators.eventgrid.routes import no_resource, route
from emulators.eventgrid.schemas import Event
from emulators.eventgrid.storage import DEVELOPMENT_STORAGE, Storage, StorageAccount, account_name
from emulators.eventgrid.storagewatch import StorageWatch
from emulators.eventgrid.store import Store
from emulators.eventgrid.transport import HttpTransport, Transport
from emulators.eventgrid.watches import WatchStore
from emulators.eventgrid.worker import Desk, Dispatcher

logger = logging.getLogger("eventgrid")
DATABASE_FILE = "eventgrid.sqlite"
DATA_PLANE_HEADERS = {"api-supported-versions": "2018-01-01"}
DRAIN_SECONDS = 5.0
"""How long a stop waits for deliveries under way; they come again after the next start. Our choice."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line decides."""

    key: str = DEVELOPMENT_KEY
    time_scale: float = 1.0
    """Real seconds per Event Grid second, for schedules, delays and lifetimes; not for the answer timeout."""
    answer_timeout_seconds: float | None = limits.ANSWER_TIMEOUT_SECONDS
    retry_handshakes: bool = False
    accept_bearer: bool = False
    storage: str = DEVELOPMENT_STORAGE
    storage_look_seconds: float = limits.STORAGE_LOOK_SECONDS
    """Between two looks at the blobs, while somebody has subscribed to storage events."""
    functions_host: str = "http://127.0.0.1:7071"
    configured: Sequence[Configured] = ()
    namespaces: Sequence[ConfiguredNamespace] = ()


def create(
    path: Path | None = None,
    *,
    options: Options | None = None,
    clock: Clock | None = None,
    ids: Ids | None = None,
    transport: Transport | None = None,
    storage: Storage | None = None,
) -> Application:
    """An emulator with its data in the directory `path`, or in memory. Raises FormatError, ValueError (storage)."""
    options = options or Options()
    return Emulator(
        Store(path / DATABASE_FILE if path else None),
        options,
        clock or Clock(),
        ids or Ids(),
        transport or HttpTransport(options.answer_timeout_seconds),
        storage or StorageAccount(options.storage),
    ).application()


class Emulator:
    """Takes requests through control endpoints, ARM and the data plane."""

    def __init__(
        self, store: Store, options: Options, clock: Clock, ids: Ids, transport: Transport, storage: Storage
    ) -> None:
        self._store, self._clock, self._ids = store, clock, ids
        self._transport, self._storage = transport, storage
        self._faults = Faults(clock)
        self._metrics = Metrics()
        self._background: list[asyncio.Task[None]] = []
        scale = options.time_scale
        account = account_name(options.storage)
        self._catalogue = Catalogue(store, Whereabouts(options.functions_host, account))
        self._office = DeadLetterOffice(store, storage, clock, ids, self._metrics, time_scale=scale)
        couriers = Couriers(transport, storage, self._forward)
        self._desk = Desk(store, couriers, clock, ids, self._faults, self._metrics, scale, self._office.wake)
        self._dispatcher = Dispatcher(self._desk)
        self._handshakes = Handshakes(
            self._catalogue,
            transport,
            clock,
            ids,
            retries=options.retry_handshakes,
            time_scale=scale,
            agreed=self._dispatcher.serve,
        )
        self._provisioning = self._wire_provisioning(options)
        self._expirations = Expirations(self._provisioning, clock)
        self._publisher = Publisher(
            self._catalogue,
            store,
            clock,
            ids,
            self._metrics,
            time_scale=scale,
            bearer_allowed=options.accept_bearer,
            collects_while_creating=options.retry_handshakes,
            wake=self._dispatcher.wake,
        )
        self._watch = StorageWatch(
            self._catalogue,
            WatchStore(store.database),
            storage,
            self._publisher,
            clock,
            ids,
            look_seconds=options.storage_look_seconds,
        )
        self._management = Management(self._provisioning, ids)
        self._namespaces = self._wire_namespaces(options)
        onlookers = Onlookers(self._catalogue, store, self._desk, self._dispatcher)
        extra = {**onlookers.routes(), **self._namespaces.routes()}
        self._control = Control("eventgrid", clock, self._faults, self._health, self._reset, extra=extra)

    def _wire_provisioning(self, options: Options) -> Provisioning:
        return Provisioning(
            self._catalogue,
            self._store,
            self._handshakes,
            self._dispatcher,
            key=options.key,
            configured=options.configured,
            storage_account=account_name(options.storage),
            changed=self._wake,
        )

    def _wire_namespaces(self, options: Options) -> Namespaces:
        return Namespaces(
            self._store,
            self._clock,
            self._ids,
            self._metrics,
            key=options.key,
            time_scale=options.time_scale,
            storage_account=account_name(options.storage),
            bearer_allowed=options.accept_bearer,
            configured=options.namespaces,
            guard=self._under_faults,
            buried=self._office.wake,
        )

    def application(self) -> Application:
        """What is served."""
        return Application(
            self.handle,
            self._refuse_body,
            limits.REQUEST_BYTES_MAX,
            open=self._open,
            close=self._close,
            located=self._located,
            stopping=self._namespaces.stop_waiting,
        )

    async def handle(self, request: Request) -> Response:
        """The answer to any request."""
        if self._control.owns(request.path):
            return await self._control.handle(request)
        request_id = self._ids.guid()
        if self._namespaces.management.owns(request.path):
            response = await self._namespaces.management.handle(request)
        elif self._management.owns(request.path):
            response = await self._management.handle(request)
        elif self._namespaces.data_plane.owns(request.path):
            response = await self._namespaces.data_plane.handle(request)
        else:
            response = await self._data_plane(request, request_id)
        logger.debug("%s %s %d %s", request.method, request.raw_path, response.status, request_id)
        if response is not DROPPED:
            response.headers = {**response.headers, "x-ms-request-id": request_id}
        return response

    async def _data_plane(self, request: Request, request_id: str) -> Response:
        try:
            response = await self._answer(request)
        except Refused as refused:
            response = errors.data_plane_answer(refused, request_id, self._clock.utc())
        if response is not DROPPED:
            response.headers = {**DATA_PLANE_HEADERS, **response.headers}
        return response

    async def _answer(self, request: Request) -> Response:
        target = route(request)
        if target.kind == "validate":
            return await self._validate(request)
        topic = self._catalogue.topic_named(target.name)
        if topic is None:
            raise no_resource(request)
        if target.kind == "describe":
            return Response(200, {"aeg-input-event-schema": topic.schema.spoken})

        async def work() -> Response:
            await self._publisher.publish(topic, request)
            return Response(200)

        return await self._under_faults("publish", request, topic.name, work)

    async def _under_faults(
        self, operation: str, request: Request, topic: str, work: Callable[[], Awaitable[Response]]
    ) -> Response:
        """Do `work` as the fault rules have it."""
        act = self._faults.strike(operation=operation, method=request.method, path=request.path, topic=topic)
        if act is None:
            return await work()
        return await suffer(act, self._clock, work, _refuse_by_rule, lambda: DROPPED)

    async def _validate(self, request: Request) -> Response:
        """The user, or the endpoint, has opened the validation URL."""
        code = dict(request.query).get("id", "")
        if not await self._handshakes.confirm(code):
            raise Refused(errors.NOT_FOUND, "No event subscription waits for this validation, or its time is over.")
        return json_response(200, "Webhook successfully validated as a subscription endpoint.")

    def _refuse_body(self, request: Request) -> Response:
        refused = Refused(errors.TOO_LARGE, f"The maximum size ({limits.REQUEST_BYTES_MAX}) has been exceeded.")
        request_id = self._ids.guid()
        if self._namespaces.data_plane.owns(request.path):
            response = self._namespaces.data_plane.refuse_body()
        else:
            response = errors.data_plane_answer(refused, request_id, self._clock.utc())
        response.headers = {**DATA_PLANE_HEADERS, **response.headers, "x-ms-request-id": request_id}
        return response

    async def _forward(self, topic_id: str, event: Event) -> bool:
        return await self._namespaces.forward(topic_id, event)

    def _located(self, url: str) -> None:
        self._provisioning.base_url = url

    async def _open(self) -> None:
        self._catalogue.load()
        self._namespaces.load()
        await self._provisioning.begin()
        await self._namespaces.begin()
        works = (self._office.run(), self._expirations.run(), self._watch.run())
        self._background = [asyncio.create_task(work) for work in works]

    async def _close(self) -> None:
        await self._handshakes.close()
        await self._namespaces.close()
        await self._dispatcher.close(DRAIN_SECONDS)
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        await self._transport.close()
        await self._storage.close()
        self._store.close()

    async def _reset(self) -> None:
        await self._provisioning.reset()
        await self._namespaces.reset()
        self._metrics.clear()
        self._desk.finished.clear()
        self._office.wake()
        self._wake()

    def _wake(self) -> None:
        """Subscriptions have changed."""
        self._expirations.wake()
        self._watch.wake()

    def _health(self) -> Mapping[str, Any]:
        return {
            "topics": len(self._catalogue.topics()),
            "subscriptions": len(self._catalogue.subscriptions()),
            "namespaces": self._namespaces.count(),
        }


def _refuse_by_rule(act: Act) -> Response:
    assert act.status is not None
    headers = {}
    if act.retry_after_seconds is not None:
        headers["retry-after"] = f"{act.retry_after_seconds:g}"
    raise Refused(errors.of_status(act.status), "A fault rule refuses this request.", headers)
