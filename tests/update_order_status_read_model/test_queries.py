"""Queries from outside: orders, pages, histories, the summary, and what they refuse."""

from __future__ import annotations

import itertools

import azure.functions as func
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.order_service import Service, Stack, body, order_service
from update_order_status_read_model import endpoints
from update_order_status_read_model.projection import apply


async def fill(service: Service, count: int, status: str = "created") -> None:
    """Make and project `count` orders, `<status>-0` first."""
    for number in range(count):
        await service.update(f"{status}-{number}", status)
        await service.deliver()


async def test_an_unknown_order_is_not_found(service: Service) -> None:
    """An order that nobody has seen answers 404 with a problem."""
    answer = await service.get("orders/o-1")
    assert answer.status_code == 404
    assert answer.mimetype == "application/problem+json"


@pytest.mark.parametrize(
    ("known", "status"), [('"1"', 304), ('W/"1"', 304), ('"0", "1"', 304), ("*", 304), ('"2"', 200), ("1", 200)]
)
async def test_a_known_version_is_not_sent_again(service: Service, known: str, status: int) -> None:
    """If-None-Match with the current version answers 304 with the ETag and no body."""
    await fill(service, 1)
    answer = await service.get("orders/created-0", {"If-None-Match": known})
    assert (answer.status_code, answer.headers["ETag"]) == (status, '"1"')
    assert (answer.get_body() == b"") is (status == 304)


async def test_a_late_view_is_answered_from_the_write_side(service: Service) -> None:
    """A version that is not projected yet is waited for and then read where it was written, and the answer says so."""
    commanded = await service.update("o-1", "created")
    answer = await service.get("orders/o-1", minVersion="1", waitMs="400")
    assert (answer.status_code, body(answer)) == (200, body(commanded))
    assert answer.headers["X-Read-Source"] == "write"
    assert sum(service.time.slept) == pytest.approx(0.4, abs=0.05)


async def test_a_view_that_arrives_in_time_is_answered_from_the_read_side(service: Service) -> None:
    """A version that is there needs no waiting."""
    await fill(service, 1)
    answer = await service.get("orders/created-0", minVersion="1", waitMs="400")
    assert answer.headers["X-Read-Source"] == "read"
    assert service.time.slept == []


async def test_a_view_is_awaited_where_it_will_appear(service: Service) -> None:
    """When a rebuild switches to the other generation while a version is awaited, it is awaited there."""

    async def switch() -> None:
        service.put("orders-parked", {"id": ":generations", "orderId": ":generations", "read": 2, "written": [2]})
        event, _ = await service.next_event()
        await apply(service.read.queries.stores[2], [event], service.time.sleep)

    await service.update("o-1", "created")
    assert (await service.get("orders/o-1")).status_code == 404
    service.time.meanwhile = switch
    answer = await service.get("orders/o-1", minVersion="1", waitMs="9000")
    assert (answer.status_code, answer.headers["X-Read-Source"]) == (200, "read")


async def test_without_the_fallback_a_late_view_is_503(shared: Stack) -> None:
    """Where the setting forbids the write side, a late version answers 503 with Retry-After."""
    async with order_service(shared, OrdersReadYourWritesFallback="none") as service:
        await service.update("o-1", "created")
        answer = await service.get("orders/o-1", minVersion="1")
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")


async def test_a_version_that_nobody_wrote_is_503(service: Service) -> None:
    """A version beyond what either side has is not there yet."""
    await fill(service, 1)
    assert (await service.get("orders/created-0", minVersion="9")).status_code == 503


async def test_pages_cover_everything_once_newest_first(service: Service) -> None:
    """Following the tokens meets every order once, latest change first, and ends without a token."""
    await fill(service, 7)
    seen, token = [], None
    while True:
        answer = await service.get("orders", pageSize="3", **({"continuationToken": token} if token else {}))
        page = body(answer)
        seen += [order["orderId"] for order in page["orders"]]
        token = page["continuationToken"]
        if token is None:
            break
    assert seen == [f"created-{number}" for number in reversed(range(7))]


async def test_a_full_last_page_ends_the_list(service: Service) -> None:
    """A page that is exactly full and the last one has no token."""
    await fill(service, 2)
    assert body(await service.get("orders", pageSize="2"))["continuationToken"] is None


@settings(max_examples=12, deadline=None)
@given(
    page_size=st.integers(1, 4),
    writes=st.lists(st.lists(st.integers(0, 9), max_size=3), max_size=8),
)
async def test_pages_are_stable_while_orders_change(shared: Stack, page_size: int, writes: list[list[int]]) -> None:
    """Whatever is written between pages, an order that does not change is met exactly once, and none twice."""
    async with order_service(shared, OrdersCommitAttempts="1") as service:
        for number in range(6):
            await service.update(f"o-{number}", "created")
            await service.deliver()
        seen, changed, token = [], set[str](), ""
        for meanwhile in itertools.chain(writes, itertools.repeat(())):
            parameters = {"pageSize": str(page_size)} | ({"continuationToken": token} if token else {})
            page = body(await service.get("orders", **parameters))
            seen += [order["orderId"] for order in page["orders"]]
            token = page["continuationToken"]
            if token is None:
                break
            for number in meanwhile:
                answer = await service.update(f"o-{number}", "approved")
                if answer.headers.get("X-Event-Delivery"):
                    changed.add(f"o-{number}")
                    await service.deliver()
        assert len(seen) == len(set(seen))
        assert {f"o-{number}" for number in range(6)} - changed <= set(seen)


async def test_a_list_can_be_narrowed(service: Service) -> None:
    """Status and time of change narrow the list, and hold through its pages."""
    await fill(service, 3)
    await fill(service, 2, "shipped")
    shipped = body(await service.get("orders", status="shipped"))["orders"]
    assert [order["orderId"] for order in shipped] == ["shipped-1", "shipped-0"]
    since = body(await service.get("orders/created-2"))["updatedAt"]
    page = body(await service.get("orders", status="created", updatedSince=since))
    assert [order["orderId"] for order in page["orders"]] == ["created-2"]


async def test_a_token_is_only_good_for_its_query(service: Service) -> None:
    """A token that was changed, made up or used with another filter answers 400."""
    await fill(service, 3)
    token = body(await service.get("orders", pageSize="1"))["continuationToken"]
    assert (await service.get("orders", pageSize="2", continuationToken=token)).status_code == 200
    for wrong in (token[:-4] + "AAAA", token[4:], "x", "ä", "=", token + "A" * 4):
        assert (await service.get("orders", continuationToken=wrong)).status_code == 400, wrong
    assert (await service.get("orders", status="created", continuationToken=token)).status_code == 400
    assert (await service.get("orders/created-0/history", continuationToken=token)).status_code == 400


@pytest.mark.parametrize(
    ("path", "parameters"),
    [
        ("orders", {"status": "lost"}),
        ("orders", {"pageSize": "0"}),
        ("orders", {"pageSize": "1001"}),
        ("orders", {"pageSize": "many"}),
        ("orders", {"updatedSince": "yesterday"}),
        ("orders", {"updatedSince": "2026-01-01T00:00:00"}),
        ("orders", {"updatedSince": "1767225600"}),
        ("orders", {"updatedSince": ""}),
        ("orders", {"pageSize": "1_0"}),
        ("orders", {"pageSize": "+5"}),
        ("orders", {"sort": "asc"}),
        ("orders/o-1", {"minVersion": "-1"}),
        ("orders/o-1", {"waitMs": "10001"}),
        ("orders/a%20b", {}),
        ("orders/../history", {}),
        ("order-summary", {"x": "1"}),
        ("orders", {f"p{number}": "" for number in range(33)}),
    ],
)
async def test_a_wrong_query_is_refused_by_name(service: Service, path: str, parameters: dict[str, str]) -> None:
    """A parameter that is unknown or wrong answers 400 and is named."""
    answer = await service.get(path, **parameters)
    assert answer.status_code == 400
    (fault,) = body(answer)["errors"]
    assert fault["field"] in {*parameters, "orderId", "query"}


async def test_a_history_comes_in_pages_oldest_first(service: Service) -> None:
    """An order's steps are told from the first on, as many as asked for at a time."""
    for status in ("created", "approved", "shipped"):
        await service.update("o-1", status, Idempotency_Key=f"k-{status}")
        await service.deliver()
    first = body(await service.get("orders/o-1/history", pageSize="2"))
    rest = body(await service.get("orders/o-1/history", pageSize="2", continuationToken=first["continuationToken"]))
    steps = first["steps"] + rest["steps"]
    assert [(step["version"], step["commandId"]) for step in steps] == [
        (1, "k-created"),
        (2, "k-approved"),
        (3, "k-shipped"),
    ]
    assert rest["continuationToken"] is None
    assert (await service.get("orders/o-2/history")).status_code == 404


async def test_the_summary_counts_every_status(service: Service) -> None:
    """The summary has a count for each status, their sum, and how far behind the projection was last."""
    assert body(await service.get("order-summary"))["projectionLag"] is None
    await fill(service, 2)
    await fill(service, 1, "shipped")
    summary = body(await service.get("order-summary"))
    assert (summary["counts"]["created"], summary["counts"]["shipped"], summary["counts"]["returned"]) == (2, 1, 0)
    assert summary["total"] == 3
    assert summary["projectionLag"]["seconds"] > 0


async def test_a_replica_that_is_behind_tells_of_no_order(service: Service) -> None:
    """A 404 that says only that a replica lags behind the session answers 503, and not that there is no such order."""
    service.fault("cosmos", {"status": 404, "substatus": 1002}, {"operation": "*", "method": "GET"}, times=500)
    assert (await service.get("orders/o-1")).status_code == 503


async def test_a_missing_container_is_no_missing_order(shared: Stack) -> None:
    """A container that does not exist is a mistake in the deployment, not an order that nobody has seen."""
    async with order_service(shared, OrdersReadContainer="missing") as service:
        answer = await service.get("orders/o-1")
        assert (answer.status_code, body(answer)["type"]) == (500, "urn:problem-type:orders:failed")


async def test_a_store_that_is_away_is_503(service: Service) -> None:
    """A query that the store does not answer is 503 with Retry-After, a throttled one 429."""
    service.fault("cosmos", {"status": 429, "retryAfterSeconds": 0.02}, {"operation": "*"}, times=50)
    assert (await service.get("orders/o-1")).status_code == 429
    service.stack.clear_faults()
    service.fault("cosmos", {"status": 503}, {"operation": "*"}, times=50)
    answer = await service.get("orders/o-1")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")


async def test_a_parameter_that_is_given_twice_is_refused(service: Service) -> None:
    """Two values for one parameter cannot both be meant: 400 names it."""
    request = func.HttpRequest("GET", "http://127.0.0.1/api/orders?status=created&status=shipped", body=b"")
    answer = await endpoints.list_orders(request, service.connected_queries)
    assert (answer.status_code, body(answer)["errors"][0]["field"]) == (400, "status")
