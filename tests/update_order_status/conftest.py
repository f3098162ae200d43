"""The order service on emulators that live as long as this process's tests."""

from tests.order_service import service, shared

__all__ = ["service", "shared"]
