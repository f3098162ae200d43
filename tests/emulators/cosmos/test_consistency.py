"""Consistency levels, session tokens, request charges and throttling."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from azure.cosmos import ContainerProxy, CosmosClient, PartitionKey, ThroughputProperties, exceptions

from emulators.base.clock import Clock, stopped_clock
from emulators.cosmos.account import WELL_KNOWN_KEY
from emulators.cosmos.application import create
from tests.emulators.cosmos.http import Door
from tests.serving import served

LEVELS = "learn.microsoft.com/azure/cosmos-db/consistency-levels"
RU = "learn.microsoft.com/azure/cosmos-db/request-units"


@pytest.mark.documented(f"{LEVELS}#configure-the-default-consistency-level")
@pytest.mark.parametrize(
    ("level", "status"),
    [
        ("Session", 200),
        ("Eventual", 200),
        ("consistentprefix", 200),
        ("Strong", 400),
        ("BoundedStaleness", 400),
        ("No", 400),
    ],
)
def test_a_request_may_weaken_the_accounts_level_only(
    door: Door, container: ContainerProxy, level: str, status: int
) -> None:
    """Weaker levels are served, stronger and unknown ones are 400."""
    assert door.call("GET", container.container_link, headers={"x-ms-consistency-level": level}).status_code == status


@pytest.mark.documented(f"{LEVELS}#session-consistency")
def test_a_session_token_tells_how_far_the_writes_have_got(door: Door, container: ContainerProxy) -> None:
    """Every write moves it on, reads repeat it, one from the future is 404/1002, a malformed one 400."""
    first, second = (
        str(container.upsert_item({"id": "a", "pk": "x"}).get_response_headers()["x-ms-session-token"])
        for _ in range(2)
    )
    lsn = int(first.removeprefix("0:-1#"))
    assert second == f"0:-1#{lsn + 1}"
    path, key = f"{container.container_link}/docs/a", {"x-ms-documentdb-partitionkey": '["x"]'}
    read = door.call("GET", path, headers={**key, "x-ms-session-token": second})
    assert (read.status_code, read.headers["x-ms-session-token"]) == (200, second)
    for token in (f"0:-1#{lsn + 2}", f"0:1#{lsn + 2}#1=9", f"1:-1#9,0:-1#{lsn + 2}"):
        ahead = door.call("GET", path, headers={**key, "x-ms-session-token": token})
        assert (ahead.status_code, ahead.headers["x-ms-substatus"]) == (404, "1002")
    assert door.call("GET", path, headers={**key, "x-ms-session-token": "0:x"}).status_code == 400


@pytest.mark.documented(RU)
def test_charges_follow_the_documented_anchors(container: ContainerProxy) -> None:
    """A point read of 1 KB is 1 RU, of 100 KB about 10; a write is dearer than a read, more indexed is dearer."""

    def charge(item: dict[str, object]) -> tuple[float, float]:
        write = container.upsert_item(item).get_response_headers()["x-ms-request-charge"]
        read = container.read_item(str(item["id"]), "x").get_response_headers()["x-ms-request-charge"]
        return float(write), float(read)

    small_write, small_read = charge({"id": "s", "pk": "x", "text": "x" * 600})
    _, large_read = charge({"id": "l", "pk": "x", "text": "x" * 100 * 1024})
    many_write, _ = charge({"id": "m", "pk": "x", **{f"p{number}": number for number in range(40)}})
    assert small_read == 1
    assert large_read == pytest.approx(10, abs=0.2)
    assert 5 <= small_write < many_write


@pytest.fixture
def slow_clock() -> Clock:
    """A clock that moves only when it is told to."""
    return stopped_clock(Clock().now())


@pytest.fixture
def throttled(slow_clock: Clock) -> Iterator[CosmosClient]:
    """A client of an emulator that throttles, without retries of its own."""
    with (
        served(lambda: create(clock=slow_clock, throttled=True)) as url,
        CosmosClient(url, WELL_KNOWN_KEY, retry_total=0) as client,
    ):
        yield client


@pytest.mark.documented("learn.microsoft.com/azure/cosmos-db/nosql/troubleshoot-request-rate-too-large")
@pytest.mark.parametrize("autoscale", [False, True])
def test_spent_throughput_is_429_until_it_is_provisioned_again(
    throttled: CosmosClient, slow_clock: Clock, autoscale: bool
) -> None:
    """400 RU/s (or autoscale's 1000) are spent, the next request is 429 with a wait; after it, it succeeds."""
    offer = ThroughputProperties(auto_scale_max_throughput=1000) if autoscale else 400
    container = throttled.create_database("d").create_container("c", PartitionKey("/pk"), offer_throughput=offer)
    spent = 0.0
    with pytest.raises(exceptions.CosmosHttpResponseError) as refused:
        for number in range(1000):
            made = container.create_item({"id": str(number), "pk": "x"})
            spent += float(made.get_response_headers()["x-ms-request-charge"])
    assert refused.value.status_code == 429
    assert refused.value.sub_status == 3200
    assert (1000 if autoscale else 400) <= spent < (1010 if autoscale else 410)
    wait = int(refused.value.headers["x-ms-retry-after-ms"])
    assert 0 < wait <= 100
    slow_clock.advance(wait / 1000)
    container.create_item({"id": "later", "pk": "x"})


@pytest.mark.documented(f"{LEVELS}: reads at strong and bounded staleness cost about twice as much")
@pytest.mark.parametrize("level", ["Strong", "BoundedStaleness"])
def test_reads_at_the_strongest_levels_cost_twice(level: str) -> None:
    """Item reads, feeds and queries cost twice, unless the request asks for less; writes and descriptions do not."""
    with served(lambda: create(consistency=level)) as url:  # type: ignore[arg-type]
        door = Door(url)
        door.call("POST", "dbs", {"id": "d"})
        door.call("POST", "dbs/d/colls", {"id": "c", "partitionKey": {"paths": ["/pk"], "kind": "Hash", "version": 2}})
        key = {"x-ms-documentdb-partitionkey": '["x"]'}
        write = door.call("POST", "dbs/d/colls/c/docs", {"id": "a", "pk": "x"}, key)
        asked = {**key, "content-type": "application/query+json"}
        query = {"query": "SELECT * FROM c"}

        def charges(headers: dict[str, str]) -> list[float]:
            answers = (
                door.call("GET", "dbs/d/colls/c/docs/a", headers={**key, **headers}),
                door.call("GET", "dbs/d/colls/c/docs", headers={**key, **headers}),
                door.call("POST", "dbs/d/colls/c/docs", query, {**asked, **headers}),
                door.call("GET", "dbs/d/colls/c", headers=headers),
            )
            return [float(answer.headers["x-ms-request-charge"]) for answer in answers]

        dear, cheap = charges({}), charges({"x-ms-consistency-level": "Eventual"})
        assert [round(a / b, 1) for a, b in zip(dear, cheap, strict=True)] == [2, 2, 2, 1]
        again = door.call(
            "PUT", "dbs/d/colls/c/docs/a", {"id": "a", "pk": "x"}, {**key, "x-ms-consistency-level": "Eventual"}
        )
        assert float(again.headers["x-ms-request-charge"]) < 2 * float(write.headers["x-ms-request-charge"])
