"""What follows an attempt to deliver: delivered, another attempt and when, a dead letter and why.

Pure, a table and two functions. Times are Event Grid's own seconds; whoever calls scales them (--time-scale).
Source: docs delivery-and-retry, unless said otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from emulators.eventgrid import limits

DELIVERED = "Delivered"
SUCCESSES = frozenset((200, 201, 202, 203, 204))

_OUTCOME_OF_STATUS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    408: "TimedOut",
    413: "PayloadTooLarge",
    429: "Busy",
    503: "Busy",
}
_NEVER_RETRIED_WEBHOOK = frozenset((400, 401, 403, 413))
_NEVER_RETRIED_AZURE = frozenset((400, 403, 413))
_LEAST_WAIT_WEBHOOK = {404: 300, 408: 120, 503: 30}
_LEAST_WAIT_AZURE = {**_LEAST_WAIT_WEBHOOK, 401: 300}
_LEAST_WAIT_OTHER = 10

ATTEMPTS_EXCEEDED = "MaxDeliveryAttemptsExceeded"
TIME_TO_LIVE_EXCEEDED = "TimeToLiveExceeded"


@dataclass(frozen=True, slots=True)
class Answer:
    """How one attempt ended: the subscriber's status, or None and the outcome's name when there was none."""

    status: int | None
    outcome: str = ""
    excerpt: str = ""
    """The start of the answer's body, or what went wrong on the way."""

    @property
    def name(self) -> str:
        """The outcome, as the service names it."""
        if self.status is None:
            return self.outcome
        if self.status in SUCCESSES:
            return DELIVERED
        return _OUTCOME_OF_STATUS.get(self.status, "GenericError")


@dataclass(frozen=True, slots=True)
class Retry:
    """Another attempt, so many seconds from now."""

    seconds: float


@dataclass(frozen=True, slots=True)
class GiveUp:
    """No further attempt; `reason` is what a dead letter says."""

    reason: str


@dataclass(frozen=True, slots=True)
class Done:
    """The subscriber has it."""


Next: TypeAlias = Done | Retry | GiveUp


def after_attempt(answer: Answer, *, attempts: int, attempts_max: int, to_azure: bool, dice: float) -> Next:
    """What follows the attempt number `attempts` (from 1). `dice` in [0, 1) is the schedule's small randomness."""
    if answer.name == DELIVERED:
        return Done()
    never = _NEVER_RETRIED_AZURE if to_azure else _NEVER_RETRIED_WEBHOOK
    if answer.status in never:
        return GiveUp(f"UndeliverableDueToHttp{answer.name}")
    if attempts >= attempts_max:
        return GiveUp(ATTEMPTS_EXCEEDED)
    return Retry(wait_seconds(answer, attempts=attempts, to_azure=to_azure, dice=dice))


def wait_seconds(answer: Answer, *, attempts: int, to_azure: bool, dice: float) -> float:
    """From a failed attempt to the next: the schedule, or the least that the answer's status asks for."""
    schedule = limits.RETRY_SCHEDULE_SECONDS
    planned = schedule[attempts - 1] if attempts <= len(schedule) else limits.RETRY_LAST_SECONDS
    least_waits = _LEAST_WAIT_AZURE if to_azure else _LEAST_WAIT_WEBHOOK
    least = least_waits.get(answer.status, _LEAST_WAIT_OTHER) if answer.status else _LEAST_WAIT_OTHER
    return max(planned, least) * (1 + limits.RETRY_JITTER * dice)


def probation_seconds(outcome: str) -> float:
    """How long an endpoint that keeps failing with `outcome` is put aside."""
    return limits.PROBATION_SECONDS.get(outcome, limits.PROBATION_OTHER_SECONDS)
