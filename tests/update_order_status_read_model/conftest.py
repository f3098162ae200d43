"""The order service on emulators that live as long as this process's tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.order_service import Service, Stack, order_service, stack


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
