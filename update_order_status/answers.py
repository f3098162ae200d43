"""From the outcome of a command to an HTTP answer: status, headers, order or problem."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import azure.functions as func

from order_telemetry import EventLog
from update_order_status.domain import Gone, NotAllowed, Stale, UpdateOrderStatus
from update_order_status.errors import (
    ERASED,
    FAILED,
    KEY_REUSED,
    STALE_VERSION,
    THROTTLED,
    TRANSITION_NOT_ALLOWED,
    UNAVAILABLE,
    Contended,
    Refused,
    StoreThrottled,
    StoreUnavailable,
)
from update_order_status.handler import Accepted, KeyReused
from update_order_status.limits import RETRY_AFTER_SECONDS
from update_order_status.models import BatchResult, EventDelivery, OrderBody

log = EventLog(__name__)


def result(command: UpdateOrderStatus, outcome: Accepted | Refused, *, delivered: bool) -> BatchResult:
    """What a batch tells of one of its commands."""
    members: dict[str, Any]
    if isinstance(outcome, Refused):
        status, members = outcome.problem.status, {"problem": outcome.body()}
        if (wait_seconds := _wait_seconds(outcome)) is not None:
            members["retry_after_seconds"] = wait_seconds
    else:
        status, members = _status(outcome), {"order": OrderBody.of(outcome.order), "replayed": outcome.replayed}
        if outcome.event is not None:
            members["event_delivery"] = _delivery(delivered)
    return BatchResult(idempotency_key=command.command_id, status=status, **members)


def accepted(outcome: Accepted, request_url: str, *, delivered: bool) -> tuple[int, dict[str, str], dict[str, Any]]:
    """Status, headers and body for a command that has taken effect."""
    order = outcome.order
    folder = urlsplit(request_url).path.rpartition("/")[0]
    headers = {
        "ETag": f'"{order.version}"',
        "Location": f"{folder}/orders/{order.order_id}",
        "X-Consistency-Token": f"{order.order_id}:{order.version}",
        "Idempotency-Replayed": "true" if outcome.replayed else "false",
    }
    if outcome.event is not None:
        headers["X-Event-Delivery"] = _delivery(delivered)
    return _status(outcome), headers, OrderBody.of(order).document()


def _status(outcome: Accepted) -> int:
    return 201 if outcome.created else 200


def _delivery(delivered: bool) -> EventDelivery:
    return "sent" if delivered else "deferred"


def refusal(outcome: NotAllowed | Stale | Gone | KeyReused) -> Refused:
    """The problem that tells of a command that may not take effect."""
    match outcome:
        case NotAllowed(order, allowed):
            return Refused(
                TRANSITION_NOT_ALLOWED,
                f"The order is {order.status}; from there it can become {', '.join(allowed) or 'nothing else'}.",
                current_status=order.status,
                version=order.version,
                allowed=allowed,
            )
        case Stale(None):
            return Refused(STALE_VERSION, "The order does not exist yet, so it has no version.", version=None)
        case Stale(order):
            assert order is not None
            return Refused(STALE_VERSION, f"The order is at version {order.version}.", version=order.version)
        case Gone(tombstone):
            return Refused(ERASED, f"Nothing is kept of order {tombstone.order_id}, and no command brings it back.")
        case KeyReused(asked_before):
            return Refused(KEY_REUSED, f"With this key the order was to become {asked_before}.")


@contextmanager
def refusing_failures() -> Iterator[None]:
    """Turn what went wrong into problems: failures of the store, which a later sending may not meet, and our own.

    A mistake of ours is answered too, not raised: the caller needs the key, with which sending again is safe.
    """
    try:
        yield
    except Refused:
        raise
    except StoreThrottled as failure:
        raise Refused(THROTTLED, str(failure), retry_after_seconds=failure.retry_after_seconds) from failure
    except (StoreUnavailable, Contended) as failure:
        raise Refused(UNAVAILABLE, str(failure), retry_after_seconds=RETRY_AFTER_SECONDS) from failure
    except Exception as failure:
        log.mistake("command failed")
        raise Refused(FAILED, "Whether the command took effect is not known here; its key finds out.") from failure


def problem_response(refused: Refused, headers: Mapping[str, str]) -> func.HttpResponse:
    """The answer to a request that is refused."""
    if (wait_seconds := _wait_seconds(refused)) is not None:
        headers = {**headers, "Retry-After": str(wait_seconds)}
    return response(refused.problem.status, refused.body().document(), headers, "application/problem+json")


def _wait_seconds(refused: Refused) -> int | None:
    """For Retry-After, which counts whole seconds."""
    return None if refused.retry_after_seconds is None else max(1, math.ceil(refused.retry_after_seconds))


def response(
    status: int, document: object, headers: Mapping[str, str], media_type: str = "application/json"
) -> func.HttpResponse:
    """An answer in JSON."""
    return func.HttpResponse(json.dumps(document), status_code=status, headers=dict(headers), mimetype=media_type)
