"""One host's share of a change feed: takes leases, reads each range's changes in order, hands them on, checkpoints.

What azure-cosmos-dotnet-v3's processor does: a range is read by the one host that has its lease; the lease is renewed
beside the reading; a range that was split is replaced by its children. Knows no function: changes go to a callback.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Any

from emulators.base.clock import Clock
from emulators.functions_host.console import Console
from emulators.functions_host.cosmos_client import (
    GONE,
    NOT_MODIFIED,
    CosmosContainer,
    CosmosRefused,
    CosmosUnavailable,
    Document,
)
from emulators.functions_host.listeners import uninterrupted
from emulators.functions_host.triggers.leases import Lease, LeaseLost, Leases, leases_to_take

Handle = Callable[[str, list[Document]], Awaitable[None]]
"""Takes (lease token, changes) and returns when they are handled, well or badly."""


@dataclass(frozen=True)
class Pace:
    """Intervals and sizes of a processor."""

    poll_delay: timedelta
    acquire_interval: timedelta
    renew_interval: timedelta
    expire_after: timedelta
    items_max: int
    """Per page, 0 for the service's own size."""


class ChangeFeed:
    """Processes the changes of `container` on the leases that it can get."""

    def __init__(
        self,
        container: CosmosContainer,
        leases: Leases,
        host: str,
        pace: Pace,
        start: datetime | None,
        handle: Handle,
        clock: Clock,
        console: Console,
    ) -> None:
        """`start` is where ranges without a checkpoint begin: None means now, the year 1 the beginning."""
        self._container = container
        self._leases = leases
        self._host = host
        self._pace = pace
        self._start = start
        self._handle = handle
        self._clock = clock
        self._console = console
        self._now_at: dict[str, str] = {}
        self._reading: set[str] = set()

    async def prepare(self) -> bool:
        """Note where now is, and create the leases. False when another host is creating them: come again."""
        ranges = await self._container.ranges()
        if self._start is None:
            for each in ranges:
                answer = await self._container.changes(each["id"], {"if-none-match": "*"}, 1)
                self._now_at[each["id"]] = answer.headers.get("etag", "*")
        return await self._leases.initialize(ranges)

    async def run(self) -> None:
        """Take leases and read their ranges until cancelled; then finish what is being handled and give them back."""
        async with asyncio.TaskGroup() as group:
            while True:
                try:
                    await self._take_share(group)
                except (CosmosUnavailable, CosmosRefused) as failure:
                    self._console.always(f"Leases of '{self._container.name}' cannot be read: {failure}", "warning")
                await self._clock.sleep(self._pace.acquire_interval.total_seconds())

    async def _take_share(self, group: asyncio.TaskGroup) -> None:
        known = await self._leases.all()
        for lease in leases_to_take(known, self._host, self._pace.expire_after, self._clock.utc()):
            if lease.range_id in self._reading:  # our own, expired while the host was held up: renewing will tell
                continue
            with contextlib.suppress(LeaseLost):
                self._read(group, await self._leases.take(lease))

    def _read(self, group: asyncio.TaskGroup, lease: Lease) -> None:
        self._reading.add(lease.range_id)
        self._console.system("information", f"Lease {lease.range_id} was acquired to start processing.")
        reader = group.create_task(self._keep_reading(group, lease), name=f"changes {lease.range_id}")
        reader.add_done_callback(lambda _: self._reading.discard(lease.range_id))

    async def _keep_reading(self, group: asyncio.TaskGroup, lease: Lease) -> None:
        """Read and renew side by side; whichever ends first ends both, and the lease is given back."""
        reading = _Reading(lease, None)
        tasks: list[asyncio.Task[None]] = [
            asyncio.create_task(self._read_range(group, reading)),
            asyncio.create_task(self._renew(reading)),
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._give_back(reading)
        for task in done:
            failure = task.exception()
            if failure is not None:
                self._report(lease, failure)

    async def _give_back(self, reading: _Reading) -> None:
        if reading.gone:
            return
        try:
            await self._leases.release(reading.lease)
            self._console.system("information", f"Lease {reading.lease.range_id} was released.")
        except (LeaseLost, CosmosRefused, CosmosUnavailable) as failure:
            self._console.system("warning", f"Lease {reading.lease.range_id} could not be released: {failure}")

    def _report(self, lease: Lease, failure: BaseException) -> None:
        if isinstance(failure, LeaseLost):
            self._console.system("information", f"Lease {lease.range_id} was lost: {failure}")
        elif isinstance(failure, CosmosRefused | CosmosUnavailable):
            self._console.always(
                f"Lease {lease.range_id} encountered an error while its changes were read: {failure}", "warning"
            )
        else:
            raise failure

    async def _renew(self, reading: _Reading) -> None:
        while True:
            await self._clock.sleep(self._pace.renew_interval.total_seconds())
            reading.lease = await self._leases.renew(reading.lease)

    async def _read_range(self, group: asyncio.TaskGroup, reading: _Reading) -> None:
        """Poll for ever, page after page while there are changes. Raises what the account refuses."""
        reading.continuation = reading.lease.continuation
        while True:
            headers = self._position(reading)
            try:
                page = await self._container.changes(reading.lease.range_id, headers, self._pace.items_max)
            except CosmosRefused as refused:
                if refused.status != GONE:
                    raise
                await self._follow_split(group, reading)
                return
            if page.status == NOT_MODIFIED:
                reading.continuation = page.headers.get("etag", reading.continuation)
                await self._clock.sleep(self._pace.poll_delay.total_seconds())
                continue
            await uninterrupted(self._handle(reading.lease.range_id, page.document["Documents"]))
            reading.continuation = page.headers["etag"]
            reading.lease = await self._leases.checkpoint(reading.lease, reading.continuation)

    def _position(self, reading: _Reading) -> Mapping[str, str]:
        if reading.continuation is not None:
            return {"if-none-match": reading.continuation}
        if self._start is None:
            return {"if-none-match": self._now_at.get(reading.lease.range_id, "*")}
        if self._start.year == 1:
            return {}
        return {"if-modified-since": format_datetime(self._start, usegmt=True)}

    async def _follow_split(self, group: asyncio.TaskGroup, reading: _Reading) -> None:
        """Replace the lease by those of the range's children, which go on where it has come."""
        lease, parent = reading.lease, reading.lease.range_id
        children = [each for each in await self._container.ranges() if parent in each.get("parents", ())]
        if not children:
            raise CosmosUnavailable(
                f"Range {parent} of '{self._container.name}' is gone and no other range names it as its parent; "
                "merged ranges are not built into this host (501)."
            )
        for child in children:
            if parent in self._now_at:
                self._now_at.setdefault(child["id"], self._now_at[parent])
            added = await self._leases.add(child, reading.continuation)
            if added is not None:
                with contextlib.suppress(LeaseLost):
                    self._read(group, await self._leases.take(added))
        await self._leases.remove(lease)
        reading.gone = True
        self._console.system("information", f"Range {parent} was split into {[each['id'] for each in children]}.")


@dataclass
class _Reading:
    """How far one range's reader has come."""

    lease: Lease
    continuation: str | None
    gone: bool = False


def positive_milliseconds(value: Any, default: int) -> timedelta:
    """An interval of a binding: as given when it is above 0, else the extension's default."""
    number = int(value) if isinstance(value, int | float) and value > 0 else default
    return timedelta(milliseconds=number)
