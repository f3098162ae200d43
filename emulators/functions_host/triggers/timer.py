"""Timer triggers: when they fire, what is kept about it in storage, what the function is told.

One `TimerListener` per function. Never two runs of one function at once: the next occurrence is computed when a run
has ended, from when it started, so of those that passed meanwhile one fires at once and the rest are skipped
(webjobs-sdk-extensions, TimerListener).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import pairwise
from typing import Any, Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from emulators.base.clock import Clock
from emulators.functions_host.console import Console
from emulators.functions_host.converters import Datum
from emulators.functions_host.dates import parse_moment, round_trip
from emulators.functions_host.errors import FunctionInError
from emulators.functions_host.index import Function
from emulators.functions_host.invocation import Call, Invoker
from emulators.functions_host.settings import Settings
from emulators.functions_host.storage import StorageUnavailable
from emulators.functions_host.triggers.schedule import Schedule, parse_schedule

TYPE = "timertrigger"
NEVER = datetime(1, 1, 1, tzinfo=UTC)
MONITORED_INTERVAL_MIN = timedelta(minutes=1)


class StatusStore(Protocol):
    """Where the state of timers is kept (JsonBlobs, or a dictionary in tests)."""

    async def read(self, name: str) -> dict[str, Any] | None:
        """The document, or None. Raises ValueError for what is none."""

    async def write(self, name: str, document: Mapping[str, Any]) -> None:
        """Keep the document."""


@dataclass(frozen=True)
class Status:
    """When a timer fired last, is due next, and when that was written."""

    last: datetime
    next: datetime
    updated: datetime

    def document(self) -> dict[str, str]:
        """The members of the status blob, and of TimerRequest.schedule_status."""
        return {"Last": round_trip(self.last), "Next": round_trip(self.next), "LastUpdated": round_trip(self.updated)}


def read_status(document: Mapping[str, Any]) -> Status:
    """The status of a blob. Raises ValueError, TypeError or KeyError for a foreign one."""
    return Status(*(parse_moment(document[member]) for member in ("Last", "Next", "LastUpdated")))


def due_status(status: Status | None, schedule: Schedule, now: datetime) -> tuple[Status, bool]:
    """(the status to go on from, whether an occurrence was missed). Pure: this is the host's CheckPastDue."""
    if status is None:
        return Status(NEVER, schedule.after(now), now), False
    expected = schedule.after(status.updated if status.last.year == 1 else status.last)
    if expected != status.next:  # the schedule was changed since
        return Status(status.last, schedule.after(now), now), False
    return status, now > status.next


class TimerListener:
    """Listens for one function's moments. `store` is None when its state is not monitored."""

    def __init__(
        self,
        function: Function,
        schedule: Schedule,
        invoker: Invoker,
        clock: Clock,
        console: Console,
        store: StatusStore | None,
        host_id: str,
    ) -> None:
        self.function = function
        self._schedule = schedule
        self._invoker = invoker
        self._clock = clock
        self._console = console
        self._store = store
        self._blob = f"timers/{host_id}/Host.Functions.{function.name}/status"
        self._status: Status | None = None
        self._past_due = False

    async def start(self) -> None:
        """Read the state. Raises StorageUnavailable; may be called again."""
        if self._store is None:
            return
        status = None
        try:
            document = await self._store.read(self._blob)
            status = None if document is None else read_status(document)
        except (KeyError, TypeError, ValueError):
            self._console.system("warning", f"The status of timer '{self.function.name}' is unreadable; ignored.")
        now = self._clock.utc()
        self._status, self._past_due = due_status(status, self._schedule, now)
        if self._status is not status:
            await self._store.write(self._blob, self._status.document())

    async def run(self) -> None:
        """Fire until cancelled."""
        started = self._clock.utc()
        if self._past_due and self._status is not None:
            await self._fire(past_due=True, original=self._status.next, why="IsPastDue")
        elif self.function.trigger.flag("runOnStartup"):
            await self._fire(past_due=False, original=started, why="RunOnStartup")
        due = self._schedule.after(self._clock.utc())
        if self._status is not None and self._status.last < started:
            due = min(due, self._status.next) if self._status.next > started else due
        while True:
            await self._clock.sleep_until(due.timestamp())
            fired = self._clock.utc()
            await self._fire(past_due=False, original=due)
            due = self._schedule.after(fired)

    def call(self, *, past_due: bool = False, original: datetime | None = None, why: str = "") -> Call:
        """What the function is told."""
        value = {
            "Schedule": {"AdjustForDST": True},
            "ScheduleStatus": self._status.document() if self._status else None,
            "IsPastDue": past_due,
        }
        details = {}
        if why:
            details["UnscheduledInvocationReason"] = why
            if past_due and original is not None:
                details["OriginalSchedule"] = round_trip(original.astimezone())
        return Call(
            Datum(json.dumps(value), "json"),
            reason=f"Timer fired at {round_trip(self._clock.utc().astimezone())}",
            details=details,
        )

    async def _fire(self, *, past_due: bool, original: datetime, why: str = "") -> None:
        """One run and its status; a cancellation that comes meanwhile is obeyed when both are done."""
        run = asyncio.ensure_future(self._run_once(past_due=past_due, original=original, why=why))
        try:
            await asyncio.shield(run)
        except asyncio.CancelledError:
            await run
            raise

    async def _run_once(self, *, past_due: bool, original: datetime, why: str) -> None:
        started = self._clock.utc()
        await self._invoker.invoke(self.function, self.call(past_due=past_due, original=original, why=why))
        if self._store is None:
            return
        self._status = Status(started, self._schedule.after(started), started)
        try:
            await self._store.write(self._blob, self._status.document())
        except StorageUnavailable as failure:
            self._console.always(
                f"The status of timer '{self.function.name}' could not be written: {failure}", "warning"
            )


def timer_schedule(function: Function, settings: Settings) -> Schedule:
    """The schedule of a timer function. Raises FunctionInError."""
    return parse_schedule(function.trigger.text("schedule"), _time_zone(settings))


def is_monitored(function: Function, schedule: Schedule, now: datetime) -> bool:
    """Whether the timer's state is kept: unless refused, or when it fires more than once a minute."""
    if not function.trigger.flag("useMonitor", default=True):
        return False
    moments = [schedule.after(now)]
    for _ in range(4):
        moments.append(schedule.after(moments[-1]))
    return all(later - earlier >= MONITORED_INTERVAL_MIN for earlier, later in pairwise(moments))


def _time_zone(settings: Settings) -> tzinfo | None:
    name = settings.get("WEBSITE_TIME_ZONE") or settings.get("TZ")
    if not name:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise FunctionInError(f"WEBSITE_TIME_ZONE '{name}' is not a time zone of the IANA list.") from None
