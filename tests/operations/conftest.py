"""The order service on emulators that live as long as this process's tests."""

from __future__ import annotations

import pytest

from emulators.base.clock import Clock
from tests.order_service import Service, service, shared

__all__ = ["present", "service", "shared"]


@pytest.fixture(autouse=True)
def present(service: Service) -> None:
    """The service's time starts at the present: the store stamps its documents with real time."""
    service.time.at = Clock().utc()
