"""Leases of a change feed: who reads which range, how far it has come; kept as documents in a lease container.

The documents, their ids and who may take which are those of azure-cosmos-dotnet-v3's change feed processor, which the
live extension is built on, so that a host on Azure goes on where this one stopped. Knows no function.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from emulators.base.clock import Clock
from emulators.functions_host.cosmos_client import (
    CONFLICT,
    NOT_FOUND,
    PRECONDITION_FAILED,
    CosmosContainer,
    CosmosRefused,
    Document,
)
from emulators.functions_host.dates import parse_moment
from emulators.functions_host.limits import LEASE_CONFLICTS_MAX, LEASE_LOCK_SECONDS

MODE = "Incremental Feed"
RANGE_LEASE = 0
"""`version` of a lease on one physical partition; 1 would be one on an interval of hashes (after a merge)."""


class LeaseLost(Exception):
    """Another host has taken the lease, or it is gone."""


@dataclass(frozen=True)
class Lease:
    """One lease as it was read last."""

    document: Document

    @property
    def range_id(self) -> str:
        """The physical partition it is on."""
        return str(self.document.get("LeaseToken") or self.document.get("PartitionId") or "")

    @property
    def owner(self) -> str:
        """The host that has it, or empty."""
        return str(self.document.get("Owner") or "")

    @property
    def continuation(self) -> str | None:
        """The ETag of the feed up to which changes were handled, None when none was."""
        text = self.document.get("ContinuationToken")
        return None if text is None else str(text)

    @property
    def moment(self) -> datetime:
        """When it was taken, renewed or checkpointed last."""
        text = self.document.get("timestamp")
        return parse_moment(str(text)) if text else datetime.fromtimestamp(self.document.get("_ts", 0), UTC)


def leases_to_take(leases: Iterable[Lease], host: str, expire_after: timedelta, now: datetime) -> list[Lease]:
    """The leases that `host` should take so that all hosts have about as many: free ones, else one of the busiest's.

    Pure: EqualPartitionsBalancingStrategy of azure-cosmos-dotnet-v3.
    """
    known = list(leases)
    free = [each for each in known if not each.owner or each.moment + expire_after < now]
    held = Counter(each.owner for each in known if each not in free)
    held.setdefault(host, 0)
    if not known:
        return []
    target = max(1, math.ceil(len(known) / len(held)))
    wanted = target - held[host]
    if wanted <= 0:
        return []
    if free:
        return free[:wanted]
    busiest = max(held, key=lambda owner: held[owner])
    if held[busiest] > target - (1 if wanted > 1 else 0):
        return [next(each for each in known if each.owner == busiest)]
    return []


class Leases:
    """The leases on one container's ranges, under one prefix in the lease container."""

    def __init__(self, container: CosmosContainer, prefix: str, host: str, clock: Clock) -> None:
        self._container = container
        self._prefix = prefix
        self._host = host
        self._clock = clock

    async def all(self) -> list[Lease]:
        """Every lease, whoever has it."""
        query = "SELECT * FROM c WHERE STARTSWITH(c.id, @prefix)"
        parameters = [{"name": "@prefix", "value": f"{self._prefix}.."}]
        everywhere = {"x-ms-documentdb-query-enablecrosspartition": "True"}
        found = [Lease(each) async for each in self._container.query(query, parameters, everywhere)]
        return sorted(found, key=lambda lease: lease.range_id)

    async def initialize(self, ranges: Iterable[Mapping[str, Any]]) -> bool:
        """Create the leases that are missing, once for all hosts. False when another host is at it: come again."""
        if await self._find(f"{self._prefix}.info") is not None:
            return True
        lock = await self._create({"id": f"{self._prefix}.lock", "ttl": LEASE_LOCK_SECONDS})
        if lock is None:
            return False
        try:
            there = {lease.range_id for lease in await self.all()}
            for each in ranges:
                if each["id"] not in there:
                    await self.add(each, None)
            await self._create({"id": f"{self._prefix}.info"})
        finally:
            await self._container.delete(lock)
        return True

    async def add(self, key_range: Mapping[str, Any], continuation: str | None) -> Lease | None:
        """A new lease that nobody has yet; None when another host has added it."""
        document = await self._create(
            {
                "id": f"{self._prefix}..{key_range['id']}",
                "version": RANGE_LEASE,
                "LeaseToken": key_range["id"],
                "FeedRange": {"Range": {"min": key_range["minInclusive"], "max": key_range["maxExclusive"]}},
                "Owner": None,
                "ContinuationToken": continuation,
                "timestamp": self._now(),
                "properties": {},
                "Mode": MODE,
            }
        )
        return None if document is None else Lease(document)

    async def take(self, lease: Lease) -> Lease:
        """Become the owner. Raises LeaseLost when somebody else has become it meanwhile."""
        return await self._update(lease, owner=lease.owner, change={"Owner": self._host})

    async def renew(self, lease: Lease) -> Lease:
        """Say that we still have it. Raises LeaseLost."""
        fresh = await self._find(lease.document["id"])
        if fresh is None:
            raise LeaseLost(f"lease {lease.range_id} is gone")
        return await self._update(Lease(fresh), owner=self._host, change={})

    async def checkpoint(self, lease: Lease, continuation: str) -> Lease:
        """Note that changes up to `continuation` were handled. Raises LeaseLost."""
        return await self._update(lease, owner=self._host, change={"ContinuationToken": continuation})

    async def release(self, lease: Lease) -> None:
        """Leave it to others; one that is lost already is theirs."""
        fresh = await self._find(lease.document["id"])
        if fresh is not None and Lease(fresh).owner == self._host:
            await self._update(Lease(fresh), owner=self._host, change={"Owner": None})

    async def remove(self, lease: Lease) -> None:
        """Delete the lease of a range that was split."""
        await self._container.delete(lease.document)

    async def _update(self, lease: Lease, *, owner: str, change: Mapping[str, Any]) -> Lease:
        """Write `change` and the time while `owner` has the lease, on top of what others write meanwhile."""
        for _ in range(LEASE_CONFLICTS_MAX):
            if lease.owner != owner:
                raise LeaseLost(f"lease {lease.range_id} was taken over by owner '{lease.owner}'")
            try:
                written = await self._container.replace({**lease.document, **change, "timestamp": self._now()})
                return Lease(written)
            except CosmosRefused as refused:
                if refused.status == NOT_FOUND:
                    raise LeaseLost(f"lease {lease.range_id} is gone") from refused
                if refused.status != PRECONDITION_FAILED:
                    raise
            fresh = await self._find(lease.document["id"])
            if fresh is None:
                raise LeaseLost(f"lease {lease.range_id} is gone")
            lease = Lease(fresh)
        raise LeaseLost(f"lease {lease.range_id} was changed {LEASE_CONFLICTS_MAX} times while it was to be written")

    async def _create(self, document: Document) -> Document | None:
        paths = (await self._container.describe()).partition_key_paths
        if paths == ("/partitionKey",):  # the other form that the processor allows
            document = {**document, "partitionKey": document["id"]}
        try:
            return await self._container.create(document)
        except CosmosRefused as refused:
            if refused.status != CONFLICT:
                raise
            return None

    async def _find(self, item_id: str) -> Document | None:
        try:
            return await self._container.read(item_id, [item_id])
        except CosmosRefused as refused:
            if refused.status != NOT_FOUND:
                raise
            return None

    def _now(self) -> str:
        return self._clock.utc().strftime("%Y-%m-%dT%H:%M:%S.%f") + "0Z"
