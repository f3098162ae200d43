"""What can go wrong on the write side, and the one place where it becomes an answer (RFC 9457 problem details)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from azure.core.exceptions import HttpResponseError, ServiceRequestError, ServiceResponseError
from azure.cosmos.exceptions import CosmosClientTimeoutError, CosmosResourceNotFoundError

from update_order_status.limits import RETRY_AFTER_SECONDS

TOO_MANY_REQUESTS = 429
READ_SESSION_NOT_AVAILABLE = 1002
"""Sub-status of a 404 from a replica that has not yet seen what this session has: it tells of no item."""
OUTCOME_UNKNOWN = frozenset({408, 410, 449, 500, 502, 503, 504})
"""After these a write may have happened or not (Cosmos DB: designing resilient applications). For a read: try later."""


class StoreThrottled(Exception):
    """The store's throughput is used up. Nothing was written."""

    def __init__(self, retry_after_seconds: float) -> None:
        super().__init__(f"the store asks to wait {retry_after_seconds:g} s")
        self.retry_after_seconds = retry_after_seconds


class StoreUnavailable(Exception):
    """The store cannot be reached or did not answer in time. A write in progress may have happened."""


class Contended(Exception):
    """Rivals changed the order at every attempt, or every outcome was lost. The same key may be sent again."""


class SettingsWrong(Exception):
    """App settings are missing or wrong. The text names them."""


class Refused(Exception):
    """The request is answered with this problem."""

    def __init__(
        self, problem: Problem, detail: str, *, retry_after_seconds: float | None = None, **members: Any
    ) -> None:
        super().__init__(detail)
        self.problem = problem
        self.detail = detail
        self.retry_after_seconds = retry_after_seconds
        self.members = members

    def document(self) -> dict[str, Any]:
        """The problem details."""
        return {
            "type": f"urn:problem-type:orders:{self.problem.name}",
            "title": self.problem.title,
            "status": self.problem.status,
            "detail": self.detail,
            **self.members,
        }


@contextmanager
def translated_store_errors() -> Iterator[None]:
    """Turn the SDK's errors into this module's; those that mean a mistake of ours fly on as they are."""
    try:
        yield
    except (ServiceRequestError, ServiceResponseError, CosmosClientTimeoutError) as failure:
        raise StoreUnavailable(str(failure)) from failure
    except HttpResponseError as failure:
        if failure.status_code == TOO_MANY_REQUESTS:
            raise StoreThrottled(retry_after_seconds(failure)) from failure
        if failure.status_code in OUTCOME_UNKNOWN or _is_replica_behind(failure):
            raise StoreUnavailable(f"the store answered {failure.status_code}") from failure
        raise


def _is_replica_behind(failure: HttpResponseError) -> bool:
    return failure.status_code == 404 and getattr(failure, "sub_status", None) == READ_SESSION_NOT_AVAILABLE


def is_missing_item(failure: CosmosResourceNotFoundError) -> bool:
    """Whether it is the item that does not exist, rather than its container or database.

    Those are told by a sub-status (1003) or, since azure-cosmos looks a container up first, by a request for no item.
    """
    request: Any = failure.response and failure.response.request
    return not failure.sub_status and request is not None and "/docs/" in request.url


def retry_after_seconds(failure: HttpResponseError) -> float:
    """How long the store asks to wait."""
    milliseconds = (getattr(failure, "headers", None) or {}).get("x-ms-retry-after-ms")
    return float(milliseconds) / 1000 if milliseconds else float(RETRY_AFTER_SECONDS)


@dataclass(frozen=True, slots=True)
class Problem:
    """A kind of problem: its HTTP status, name and title. Its `type` is `urn:problem-type:orders:<name>`."""

    status: int
    name: str
    title: str


INVALID_REQUEST = Problem(400, "invalid-request", "The request is not a valid command")
TRANSITION_NOT_ALLOWED = Problem(409, "transition-not-allowed", "The order cannot take this status now")
ERASED = Problem(410, "order-erased", "The order has been erased")
STALE_VERSION = Problem(412, "stale-version", "The order is not at the version that If-Match names")
TOO_LARGE = Problem(413, "too-large", "The request is larger than a command may be")
KEY_REUSED = Problem(422, "idempotency-key-reused", "The Idempotency-Key was used for another command on this order")
THROTTLED = Problem(429, "throttled", "The store's throughput is used up")
UNAVAILABLE = Problem(503, "unavailable", "The command could not be completed; send it again with the same key")
