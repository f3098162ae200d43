"""Puts the read side together from settings. The only reader of the environment, and where time and chance come in,
so that a test can own both. Much of it is the write side's over again, on purpose: each side is deployed without the
other, and `order_events`, all that they share, knows no Azure and no settings."""

from __future__ import annotations

import asyncio
import logging
import os
import random
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from azure.cosmos.aio import ContainerProxy, CosmosClient
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from order_telemetry import SILENT, Telemetry
from order_telemetry.transport import Transport, transport
from order_telemetry.wiring import process_telemetry
from update_order_status_read_model import limits
from update_order_status_read_model.errors import SettingsWrong, translated_store_errors
from update_order_status_read_model.fallback import WriteSideFallback
from update_order_status_read_model.generations import GenerationPointer
from update_order_status_read_model.parking import ParkingLot
from update_order_status_read_model.projection import Projection
from update_order_status_read_model.queries import Queries
from update_order_status_read_model.store import ViewStore
from update_order_status_read_model.upkeep import GenerationUpkeep

GENERATIONS = (1, 2)
"""The generations that are provisioned: containers named `<OrdersReadContainer>-1` and `-2`."""


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - the door by which time comes in


async def _pause_up_to(seconds: float) -> None:
    await asyncio.sleep(random.uniform(0, seconds))  # noqa: S311 - rivals are to part, nothing is to be guessed


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the read side needs of the world besides its stores."""

    now: Callable[[], datetime] = _now
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    pause_up_to: Callable[[float], Awaitable[None]] = _pause_up_to
    telemetry: Telemetry = SILENT
    transport: Transport = transport


REAL = Surroundings()

PROXY_SETTINGS = frozenset({"http_proxy", "https_proxy", "all_proxy"})


class Settings(BaseModel):
    """The app settings that the read side reads."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    connection: str | None = Field(None, alias="CosmosDBConnection")
    account_endpoint: str | None = Field(None, alias="CosmosDBConnection__accountEndpoint")
    database: str = Field(alias="OrdersDatabase")
    read_container: str = Field(alias="OrdersReadContainer")
    parked_container: str = Field(alias="OrdersParkedContainer")
    write_container: str = Field(alias="OrdersWriteContainer")
    fallback: Literal["write", "none"] = Field("write", alias="OrdersReadYourWritesFallback")
    proxy: bool = False
    """Whether the environment names a proxy. Looking for one in every call would cost a third of its CPU time."""
    generations_cache_seconds: float = Field(
        limits.GENERATIONS_CACHE_SECONDS, alias="OrdersGenerationsCacheSeconds", gt=0, le=60
    )
    token_key: str = Field(alias="OrdersContinuationTokenKey", min_length=16)

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
class ReadSide:
    """The read side, connected."""

    projection: Projection
    queries: Queries
    upkeep: Mapping[int, GenerationUpkeep]
    bookkeeping: ContainerProxy
    """The container of parked events and of the pointer, in which a rebuild keeps its journal too."""
    _connections: AsyncExitStack

    async def close(self) -> None:
        """Close the connections."""
        await self._connections.aclose()


async def connect(settings: Settings, surroundings: Surroundings = REAL) -> ReadSide:
    """A read side for `settings`. Raises StoreUnavailable when Cosmos DB does not answer."""
    logging.getLogger("azure").setLevel(logging.WARNING)  # else the SDKs log some thirty lines for every call
    async with AsyncExitStack() as connections:
        credential: Any = None
        if not settings.connection:
            from azure.identity.aio import DefaultAzureCredential  # half a second that most starts save

            credential = DefaultAzureCredential()
            connections.push_async_callback(credential.close)
        telemetry = surroundings.telemetry
        client = _cosmos_client(settings, credential, surroundings)
        connections.push_async_callback(client.close)
        with translated_store_errors():
            await client.__aenter__()
        database = client.get_database_client(settings.database)
        parked = database.get_container_client(settings.parked_container)
        now = surroundings.now
        containers = {
            number: database.get_container_client(f"{settings.read_container}-{number}") for number in GENERATIONS
        }
        stores = {number: ViewStore(container, now) for number, container in containers.items()}
        pointer = GenerationPointer(parked, now, settings.generations_cache_seconds)
        fallback = None
        if settings.fallback == "write":
            fallback = WriteSideFallback(database.get_container_client(settings.write_container))
        return ReadSide(
            Projection(pointer, stores, ParkingLot(parked, now), surroundings.pause_up_to, now, telemetry),
            Queries(pointer, stores, fallback, settings.token_key.encode(), now, surroundings.sleep, telemetry),
            {number: GenerationUpkeep(container, stores[number]) for number, container in containers.items()},
            parked,
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


_connecting: asyncio.Task[ReadSide] | None = None


async def read_side() -> ReadSide:
    """This process's read side, connected at its first use: a worker must load without its stores.

    Whoever asks meanwhile shares the attempt and its failure, or a store that is away would be waited for in a queue.
    """
    global _connecting
    if _connecting is None or _has_failed(_connecting):
        _connecting = asyncio.create_task(
            connect(Settings.read(os.environ), Surroundings(telemetry=process_telemetry()))
        )
    return await asyncio.shield(_connecting)


def _has_failed(attempt: asyncio.Task[ReadSide]) -> bool:
    return attempt.done() and (attempt.cancelled() or attempt.exception() is not None)


async def queries() -> Queries:
    """This process's queries."""
    return (await read_side()).queries
