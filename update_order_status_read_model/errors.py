"""What can go wrong on the read side, and the problem details (RFC 9457) that a query answers then.

Much of it is the write side's over again, on purpose: see `wiring`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from azure.core.exceptions import HttpResponseError, ServiceRequestError, ServiceResponseError
from azure.cosmos.exceptions import CosmosClientTimeoutError, CosmosResourceNotFoundError

from update_order_status_read_model.limits import RETRY_AFTER_SECONDS
from update_order_status_read_model.models import InvalidProblem, ProblemBody

TOO_MANY_REQUESTS = 429
READ_SESSION_NOT_AVAILABLE = 1002
"""Sub-status of a 404 from a replica that has not yet seen what this session has: it tells of no item."""
NO_CLEAR_ANSWER = frozenset({408, 410, 449, 500, 502, 503, 504})
"""Transient by their nature (Cosmos DB: designing resilient applications). A write may have happened or not."""


class StoreThrottled(Exception):
    """The store's throughput is used up."""

    def __init__(self, retry_after_seconds: float) -> None:
        super().__init__(f"the store asks to wait {retry_after_seconds:g} s")
        self.retry_after_seconds = retry_after_seconds


class StoreUnavailable(Exception):
    """The store cannot be reached or did not answer in time."""


class Contended(Exception):
    """Other deliveries changed the view at every attempt. Event Grid will bring the event again."""


class SettingsWrong(Exception):
    """App settings are missing or wrong. The text names them."""


@contextmanager
def translated_store_errors() -> Iterator[None]:
    """Turn the SDK's errors into this module's; those that mean a mistake of ours fly on as they are."""
    try:
        yield
    except (ServiceRequestError, ServiceResponseError, CosmosClientTimeoutError) as failure:
        raise StoreUnavailable(str(failure)) from failure
    except HttpResponseError as failure:
        if translated := _translate(failure):
            raise translated from failure
        raise
    except KeyError as failure:
        # azure-cosmos forgets a session while it handles a replica that is behind, and stumbles when that session is
        # not known (or forgotten twice at once): what counts is the answer that it was handling.
        answer = failure.__context__
        if isinstance(answer, HttpResponseError) and (translated := _translate(answer)):
            raise translated from failure
        raise


def _translate(failure: HttpResponseError) -> StoreThrottled | StoreUnavailable | None:
    if failure.status_code == TOO_MANY_REQUESTS:
        return StoreThrottled(retry_after_seconds(failure))
    if failure.status_code in NO_CLEAR_ANSWER or _is_replica_behind(failure):
        return StoreUnavailable(f"the store answered {failure.status_code}")
    return None


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
    """A kind of problem: its HTTP status, name and title, and what its body holds besides."""

    status: int
    name: str
    title: str
    body: type[ProblemBody] = ProblemBody

    @property
    def urn(self) -> str:
        """What identifies the kind: the `type` of its body (RFC 9457, 3.1.1)."""
        return f"urn:problem-type:orders:{self.name}"


class Refused(Exception):
    """The query is answered with this problem."""

    def __init__(
        self, problem: Problem, detail: str, *, retry_after_seconds: float | None = None, **members: Any
    ) -> None:
        super().__init__(detail)
        self.problem = problem
        self.detail = detail
        self.retry_after_seconds = retry_after_seconds
        self.members = members

    def body(self) -> ProblemBody:
        """The problem details."""
        kind = self.problem
        return kind.body(type=kind.urn, title=kind.title, status=kind.status, detail=self.detail, **self.members)


INVALID_QUERY = Problem(400, "invalid-query", "The query is not valid", InvalidProblem)
NOT_FOUND = Problem(404, "order-not-found", "There is no such order")
THROTTLED = Problem(429, "throttled", "The store's throughput is used up")
NOT_YET = Problem(503, "not-yet-projected", "The order has not reached that version here yet")
UNAVAILABLE = Problem(503, "unavailable", "Not completed; send the request again, a command with the same key")
FAILED = Problem(500, "failed", "The service met a mistake of its own, which has been logged")
