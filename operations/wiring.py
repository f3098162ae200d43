"""Connects an operator's command to a deployment: both sides, as the app itself wires them, and the dead letters.

Where time, ids and chance come in, so that a test can own them.
"""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from operations.letters import DeadLetters
from operations.limits import ATTEMPTS_MAX, POINTER_WAIT_FACTOR
from operations.patience import Patience
from update_order_status import wiring as write_wiring
from update_order_status_read_model import wiring as read_wiring


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - the door by which time comes in


def _new_id() -> str:
    return str(uuid.uuid4())  # noqa: TID251 - the door by which ids come in


async def _pause_up_to(seconds: float) -> None:
    await asyncio.sleep(random.uniform(0, seconds))  # noqa: S311 - rivals are to part, nothing is to be guessed


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What commands need of the world besides services."""

    now: Callable[[], datetime] = _now
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    pause_up_to: Callable[[float], Awaitable[None]] = _pause_up_to
    new_id: Callable[[], str] = _new_id
    attempts_max: int = ATTEMPTS_MAX


REAL = Surroundings()

SIGNS_PAGES = "OrdersContinuationTokenKey"
"""A secret of the app's that no command needs, so operators need not be given it: any other does."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """A deployment of the order service, connected."""

    settings: Mapping[str, str]
    write: write_wiring.WriteSide
    read: read_wiring.ReadSide
    letters: DeadLetters
    surroundings: Surroundings
    patience: Patience
    pointer_wait_seconds: float
    """After so long every process has seen a change of the pointer."""

    def now(self) -> datetime:
        """The present."""
        return self.surroundings.now()


@asynccontextmanager
async def connected(settings: Mapping[str, str], surroundings: Surroundings = REAL) -> AsyncIterator[Deployment]:
    """The deployment that `settings` describe. Raises SettingsWrong, or StoreUnavailable when it does not answer."""
    write_settings = write_wiring.Settings.read(settings)
    read_settings = read_wiring.Settings.read({SIGNS_PAGES: surroundings.new_id(), **settings})
    patience = Patience(surroundings.sleep, surroundings.attempts_max)
    async with AsyncExitStack() as connections:
        # Without patience: who has the address wrong wants to hear of it at once.
        write = await write_wiring.connect(
            write_settings, write_wiring.Surroundings(surroundings.now, surroundings.pause_up_to)
        )
        connections.push_async_callback(write.close)
        read = await read_wiring.connect(
            read_settings, read_wiring.Surroundings(surroundings.now, surroundings.sleep, surroundings.pause_up_to)
        )
        connections.push_async_callback(read.close)
        letters = DeadLetters(settings)
        connections.push_async_callback(letters.close)
        yield Deployment(
            settings,
            write,
            read,
            letters,
            surroundings,
            patience,
            read_settings.generations_cache_seconds * POINTER_WAIT_FACTOR,
        )
