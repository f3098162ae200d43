"""Who takes which lease, for any number of ranges and hosts."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulators.functions_host.triggers.leases import Lease, leases_to_take

STRATEGY = "azure-cosmos-dotnet-v3 EqualPartitionsBalancingStrategy.cs"
NOW = datetime(2026, 11, 23, tzinfo=UTC)
EXPIRE = timedelta(seconds=60)
HOSTS_MAX, RANGES_MAX = 6, 20


def lease(number: int, owner: str | None, *, seconds_ago: float = 0) -> Lease:
    """A lease renewed so long ago."""
    moment = NOW - timedelta(seconds=seconds_ago)
    return Lease({"LeaseToken": str(number), "Owner": owner, "timestamp": moment.isoformat()})


@pytest.mark.read_in_sdk(STRATEGY)
@given(
    st.integers(1, HOSTS_MAX).flatmap(
        lambda hosts: st.tuples(
            st.just(hosts),
            st.lists(st.one_of(st.none(), st.integers(0, hosts - 1)), min_size=1, max_size=RANGES_MAX),
        )
    )
)
def test_hosts_come_to_equal_shares_from_anywhere(start: tuple[int, list[int | None]]) -> None:
    """Whoever has what, hosts that take turns end with every lease owned, none over its share, nobody without one."""
    hosts, owners = start
    held = {number: None if owner is None else str(owner) for number, owner in enumerate(owners)}
    for _ in range(2 * len(held) + 2):
        for host in map(str, range(hosts)):
            known = [lease(number, owner) for number, owner in held.items()]
            for each in leases_to_take(known, host, EXPIRE, NOW):
                held[int(each.range_id)] = host
    counts = [list(held.values()).count(str(host)) for host in range(hosts)]
    assert sum(counts) == len(held)
    assert max(counts) <= math.ceil(len(held) / hosts)
    assert min(counts) >= (1 if len(held) >= hosts else 0)
    for host in map(str, range(hosts)):
        known = [lease(number, owner) for number, owner in held.items()]
        assert leases_to_take(known, host, EXPIRE, NOW) == [], "and nobody goes on taking"


@pytest.mark.read_in_sdk(STRATEGY)
def test_a_lease_is_free_when_it_was_not_renewed_in_time() -> None:
    """To the second: one renewed 60 s ago is its owner's, one renewed longer ago is anybody's."""
    known = [lease(0, "gone", seconds_ago=61), lease(1, "here", seconds_ago=60)]
    assert [each.range_id for each in leases_to_take(known, "me", EXPIRE, NOW)] == ["0"]


@pytest.mark.read_in_sdk("azure-cosmos-dotnet-v3 DocumentServiceLeaseCore.cs")
def test_a_lease_of_an_older_processor_is_read() -> None:
    """PartitionId stands for LeaseToken, and _ts for a timestamp."""
    old = Lease({"PartitionId": "7", "_ts": int(NOW.timestamp())})
    assert (old.range_id, old.moment, old.owner, old.continuation) == ("7", NOW, "", None)
