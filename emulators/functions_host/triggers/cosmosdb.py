"""The Cosmos DB trigger: a function that runs on a container's changes, each range's in order.

A failed batch is checkpointed like any other and so is lost, unless the function has a retry policy: what the live
extension does (webjobs-sdk-extensions, CosmosDBTriggerListener).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from emulators.base.clock import Clock
from emulators.base.ids import Ids
from emulators.functions_host.connections import CosmosConnection, cosmos_connection
from emulators.functions_host.console import Console
from emulators.functions_host.converters import Datum
from emulators.functions_host.cosmos_client import NOT_FOUND, CosmosRefused, CosmosUnavailable, Document
from emulators.functions_host.dates import parse_moment, round_trip
from emulators.functions_host.errors import FunctionInError
from emulators.functions_host.index import Binding, Function
from emulators.functions_host.invocation import Call, Invoker
from emulators.functions_host.limits import LEASE_LOCK_WAIT_SECONDS
from emulators.functions_host.listeners import ListenerUnavailable
from emulators.functions_host.services import Services
from emulators.functions_host.settings import Settings
from emulators.functions_host.triggers.changefeed import ChangeFeed, Pace, positive_milliseconds
from emulators.functions_host.triggers.leases import Leases

TYPE = "cosmosdbtrigger"
LEASES_DEFAULT = "leases"
BEGINNING = datetime(1, 1, 1, tzinfo=UTC)
POLL_MILLISECONDS, ACQUIRE_MILLISECONDS, RENEW_MILLISECONDS, EXPIRE_MILLISECONDS = 5000, 13_000, 17_000, 60_000
"""Defaults of CosmosDBTriggerAttribute."""


@dataclass(frozen=True)
class Trigger:
    """What the binding says."""

    connection: CosmosConnection
    database: str
    container: str
    lease_connection: CosmosConnection
    lease_database: str
    lease_container: str
    lease_prefix: str
    creates_leases: bool
    lease_throughput: int
    start: datetime | None
    pace: Pace


def read_trigger(binding: Binding, settings: Settings) -> Trigger:
    """The trigger's options with the extension's defaults. Raises FunctionInError."""
    if "collectionName" in binding.properties:
        raise FunctionInError(
            "collectionName and its like belong to version 3 of the Cosmos DB extension, which bundle 4 does not have: "
            "use container_name, connection and lease_container_name (cosmos_db_trigger)."
        )
    connection_name = binding.text("connection")
    connection = cosmos_connection(settings, connection_name)
    database, container = binding.text("databaseName"), binding.text("containerName")
    lease_connection = cosmos_connection(settings, binding.text("leaseConnection") or connection_name)
    lease_database = binding.text("leaseDatabaseName") or database
    lease_container = binding.text("leaseContainerName") or LEASES_DEFAULT
    if not database or not container:
        raise FunctionInError("Cannot establish database and container values: give databaseName and containerName.")
    if (connection.endpoint, database, container) == (lease_connection.endpoint, lease_database, lease_container):
        raise FunctionInError("The monitored container cannot be the same as the container storing the leases.")
    given = binding.properties
    return Trigger(
        connection=connection,
        database=database,
        container=container,
        lease_connection=lease_connection,
        lease_database=lease_database,
        lease_container=lease_container,
        lease_prefix=binding.text("leaseContainerPrefix"),
        creates_leases=binding.flag("createLeaseContainerIfNotExists"),
        lease_throughput=int(given.get("leasesContainerThroughput") or 0),
        start=_start(binding),
        pace=Pace(
            poll_delay=positive_milliseconds(given.get("feedPollDelay"), POLL_MILLISECONDS),
            acquire_interval=positive_milliseconds(given.get("leaseAcquireInterval"), ACQUIRE_MILLISECONDS),
            renew_interval=positive_milliseconds(given.get("leaseRenewInterval"), RENEW_MILLISECONDS),
            expire_after=positive_milliseconds(given.get("leaseExpirationInterval"), EXPIRE_MILLISECONDS),
            items_max=int(given.get("maxItemsPerInvocation") or 0),
        ),
    )


def _start(binding: Binding) -> datetime | None:
    from_beginning = binding.flag("startFromBeginning")
    text = binding.text("startFromTime")
    if not text:
        return BEGINNING if from_beginning else None
    if from_beginning:
        raise FunctionInError("Only one of StartFromBeginning or StartFromTime can be used")
    try:
        return parse_moment(text).astimezone(UTC)
    except ValueError:
        raise FunctionInError(
            "The specified StartFromTime parameter is not in the correct format. Please use the ISO 8601 format with "
            "the UTC designator. For example: '2021-02-16T14:19:29Z'."
        ) from None


class CosmosListener:
    """Listens to one function's container."""

    def __init__(
        self,
        function: Function,
        trigger: Trigger,
        services: Services,
        invoker: Invoker,
        clock: Clock,
        ids: Ids,
        console: Console,
    ) -> None:
        self.function = function
        self._trigger = trigger
        self._services = services
        self._invoker = invoker
        self._clock = clock
        self._console = console
        self._host = ids.guid()
        self._feed: ChangeFeed | None = None

    async def start(self) -> None:
        """Find both containers and the leases. Raises ListenerUnavailable; may be called again."""
        try:
            feed = await self._prepare()
        except CosmosUnavailable as failure:
            raise ListenerUnavailable(str(failure)) from failure
        except CosmosRefused as failure:
            if failure.status != NOT_FOUND:
                raise ListenerUnavailable(str(failure)) from failure
            trigger = self._trigger
            raise ListenerUnavailable(
                f"Either the source container '{trigger.container}' (in database '{trigger.database}')  or the lease "
                f"container '{trigger.lease_container}' (in database '{trigger.lease_database}') does not exist. Both "
                "containers must exist before the listener starts. To automatically create the lease container, set "
                "'CreateLeaseContainerIfNotExists' to 'true'."
            ) from failure
        self._feed = feed

    async def run(self) -> None:
        """Invoke the function until cancelled."""
        assert self._feed is not None
        await self._feed.run()

    async def _prepare(self) -> ChangeFeed:
        trigger = self._trigger
        account = self._services.cosmos(trigger.connection)
        lease_account = self._services.cosmos(trigger.lease_connection)
        monitored = account.container(trigger.database, trigger.container)
        leasing = lease_account.container(trigger.lease_database, trigger.lease_container)
        account.forget(monitored.link)
        lease_account.forget(leasing.link)
        rid = (await monitored.describe()).rid
        if trigger.creates_leases:
            await lease_account.create_container(
                trigger.lease_database,
                trigger.lease_container,
                "/id",
                throughput=trigger.lease_throughput,
                expires=True,
            )
        paths = (await leasing.describe()).partition_key_paths
        if paths not in (("/id",), ("/partitionKey",)):
            raise ListenerUnavailable(
                f"The lease container '{leasing.name}' must have the partition key /id or /partitionKey, not {paths}."
            )
        database_rid = (await account.send("GET", f"dbs/{trigger.database}", "dbs", f"dbs/{trigger.database}")).document
        prefix = f"{trigger.lease_prefix}{account.host}_{database_rid['_rid']}_{rid}"
        leases = Leases(leasing, prefix, self._host, self._clock)
        feed = ChangeFeed(
            monitored, leases, self._host, trigger.pace, trigger.start, self._handle, self._clock, self._console
        )
        while not await feed.prepare():
            self._console.system("information", "Another instance is initializing the leases.")
            await self._clock.sleep(LEASE_LOCK_WAIT_SECONDS)
        return feed

    async def _handle(self, token: str, changes: list[Document]) -> None:
        outcome = await self._invoker.invoke(self.function, self.call(changes))
        if outcome.failure is not None:
            self._console.always(f"Lease {token} encountered an unhandled user exception during processing.", "warning")

    def call(self, changes: list[Any]) -> Call:
        """What a batch of changes asks of the function."""
        text = json.dumps(changes, separators=(",", ":"), ensure_ascii=False)
        now = round_trip(self._clock.utc().astimezone())
        return Call(Datum(text, "string"), reason=f"New changes on container {self._trigger.container} at {now}")
