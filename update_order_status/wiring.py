"""Puts the write side together from settings. The only reader of the environment, and where time, ids and chance
come in, so that a test can own all of them."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import uuid
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from azure.core.credentials import AzureKeyCredential
from azure.cosmos.aio import CosmosClient
from azure.eventgrid.aio import EventGridPublisherClient
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from order_events import to_cloud_event, to_event_grid_event
from order_telemetry import SILENT, Telemetry
from order_telemetry.transport import Transport, transport
from order_telemetry.wiring import process_telemetry
from update_order_status import limits
from update_order_status.errors import SettingsWrong, translated_store_errors
from update_order_status.handler import CommandHandler
from update_order_status.publisher import Envelope, Publisher
from update_order_status.relay import Relay
from update_order_status.repository import OrderRepository
from update_order_status.upkeep import OrderUpkeep

ENVELOPES: Mapping[str, Envelope] = {
    "EventGridSchema": to_event_grid_event,
    "CloudEventSchemaV1_0": to_cloud_event,
}


def new_id() -> str:
    """A fresh identifier, for a command whose caller gave none."""
    return str(uuid.uuid4())  # noqa: TID251 - the door by which ids come in


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - the door by which time comes in


async def _pause_up_to(seconds: float) -> None:
    await asyncio.sleep(random.uniform(0, seconds))  # noqa: S311 - rivals are to part, nothing is to be guessed


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the write side needs of the world besides its stores."""

    now: Callable[[], datetime] = _now
    pause_up_to: Callable[[float], Awaitable[None]] = _pause_up_to
    telemetry: Telemetry = SILENT
    transport: Transport = transport


REAL = Surroundings()

PROXY_SETTINGS = frozenset({"http_proxy", "https_proxy", "all_proxy"})


class Settings(BaseModel):
    """The app settings that the write side reads."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    connection: str | None = Field(None, alias="CosmosDBConnection")
    account_endpoint: str | None = Field(None, alias="CosmosDBConnection__accountEndpoint")
    database: str = Field(alias="OrdersDatabase")
    container: str = Field(alias="OrdersWriteContainer")
    topic_endpoint: str = Field(alias="EventGridTopicEndpoint")
    topic_key: str | None = Field(None, alias="EventGridTopicKey")
    event_schema: Literal["EventGridSchema", "CloudEventSchemaV1_0"] = Field(
        "EventGridSchema", alias="OrdersEventSchema"
    )
    commit_attempts_max: int = Field(limits.COMMIT_ATTEMPTS_MAX, alias="OrdersCommitAttempts", ge=1, le=20)
    publish_budget_seconds: float = Field(
        limits.PUBLISH_BUDGET_SECONDS, alias="OrdersPublishBudgetSeconds", gt=0, le=20
    )
    proxy: bool = False
    """Whether the environment names a proxy. Looking for one in every call would cost a third of its CPU time."""
    relay_grace_seconds: float = Field(limits.RELAY_GRACE_SECONDS, alias="OrdersRelayGraceSeconds", ge=0, le=3600)

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Settings:
        """The settings in `environment`. Raises SettingsWrong naming each that is missing or wrong."""
        try:
            given = {name: text for name, text in environment.items() if text}
            settings = cls.model_validate({**given, "proxy": any(name.lower() in PROXY_SETTINGS for name in given)})
        except ValidationError as failure:
            faults = "; ".join(f"{each['loc'][0]}: {each['msg']}" for each in failure.errors(include_input=False))
            raise SettingsWrong(f"App settings: {faults}.") from failure
        if not settings.connection and not settings.account_endpoint:
            raise SettingsWrong("App settings: set CosmosDBConnection, or CosmosDBConnection__accountEndpoint.")
        return settings


@dataclass(frozen=True, slots=True)
class WriteSide:
    """The write side, connected."""

    handler: CommandHandler
    publisher: Publisher
    relay: Relay
    orders: OrderRepository
    upkeep: OrderUpkeep
    _connections: AsyncExitStack

    async def close(self) -> None:
        """Close the connections."""
        await self._connections.aclose()


async def connect(settings: Settings, surroundings: Surroundings = REAL) -> WriteSide:
    """A write side for `settings`. Raises StoreUnavailable when Cosmos DB does not answer."""
    logging.getLogger("azure").setLevel(logging.WARNING)  # else the SDKs log some thirty lines for every call
    async with AsyncExitStack() as connections:
        credential: Any = None
        if not settings.connection or not settings.topic_key:
            from azure.identity.aio import DefaultAzureCredential  # half a second that most starts save

            credential = DefaultAzureCredential()
            connections.push_async_callback(credential.close)
        telemetry = surroundings.telemetry
        store = _cosmos_client(settings, credential, surroundings)
        connections.push_async_callback(store.close)
        topic = EventGridPublisherClient(
            settings.topic_endpoint,
            AzureKeyCredential(settings.topic_key) if settings.topic_key else credential,
            transport=surroundings.transport(telemetry, "eventgrid", proxy=settings.proxy),
            retry_total=0,
        )
        connections.push_async_callback(topic.close)
        with translated_store_errors():
            await store.__aenter__()
        container = store.get_database_client(settings.database).get_container_client(settings.container)
        orders = OrderRepository(container)
        envelope = ENVELOPES[settings.event_schema]
        publisher = Publisher(topic, orders, envelope, settings.publish_budget_seconds, telemetry)
        now, grace_seconds = surroundings.now, settings.relay_grace_seconds
        return WriteSide(
            CommandHandler(orders, now, surroundings.pause_up_to, settings.commit_attempts_max, telemetry),
            publisher,
            Relay(orders, publisher, now, grace_seconds, limits.RELAY_EVENTS_MAX, telemetry),
            orders,
            OrderUpkeep(container),
            connections.pop_all(),
        )


def _cosmos_client(settings: Settings, credential: Any, surroundings: Surroundings) -> CosmosClient:
    options: dict[str, Any] = {
        "transport": surroundings.transport(surroundings.telemetry, "cosmos", proxy=settings.proxy),
        "connection_timeout": limits.STORE_CONNECT_TIMEOUT_SECONDS,
        "read_timeout": limits.STORE_READ_TIMEOUT_SECONDS,
        "retry_throttle_total": limits.STORE_THROTTLE_RETRIES_MAX,
        "retry_throttle_backoff_max": limits.STORE_THROTTLE_WAIT_SECONDS_MAX,
        "retry_connect": limits.STORE_CONNECT_RETRIES_MAX,
        "retry_read": limits.STORE_CONNECT_RETRIES_MAX,
        "retry_backoff_factor": limits.STORE_CONNECT_RETRY_SECONDS,
    }
    if settings.connection:
        return CosmosClient.from_connection_string(settings.connection, **options)
    return CosmosClient(str(settings.account_endpoint), credential, **options)


_connecting: asyncio.Task[WriteSide] | None = None


async def write_side() -> WriteSide:
    """This process's write side, connected at its first use: a worker must load without its stores.

    Whoever asks meanwhile shares the attempt and its failure, or a store that is away would be waited for in a queue.
    """
    global _connecting
    if _connecting is None or _has_failed(_connecting):
        _connecting = asyncio.create_task(
            connect(Settings.read(os.environ), Surroundings(telemetry=process_telemetry()))
        )
    return await asyncio.shield(_connecting)


def _has_failed(attempt: asyncio.Task[WriteSide]) -> bool:
    return attempt.done() and (attempt.cancelled() or attempt.exception() is not None)
