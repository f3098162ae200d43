"""From a command to what a consumer reads: the contract in docs and OpenAPI, as any client would use it."""

from __future__ import annotations

import requests

from tests.journeys.conftest import Caller


def test_a_command_becomes_a_view(service: Caller) -> None:
    """201 with the order, then the read side shows the same order under the same ETag; 304 to who has it."""
    order = service.order("one")
    made = service.command(order, "created")
    assert (made.status_code, made.json()["status"], made.json()["version"]) == (201, "created", 1)
    assert made.headers["X-Consistency-Token"] == f"{order}:1"
    view = service.seen(order, 1)
    assert (view.status_code, view.json()["status"], view.headers["ETag"]) == (200, "created", made.headers["ETag"])
    again = service.query(f"orders/{order}", {"If-None-Match": view.headers["ETag"]})
    assert again.status_code == 304


def test_an_orders_life_is_its_history(service: Caller) -> None:
    """Each change is one version; the history tells them in order; what the life cycle refuses is 409."""
    order = service.order("life")
    for version, status in enumerate(("created", "approved", "shipped", "delivered"), 1):
        assert service.command(order, status).json()["version"] == version
    refused = service.command(order, "created")
    assert (refused.status_code, refused.headers["content-type"]) == (409, "application/problem+json")
    assert service.seen(order, 4).json()["status"] == "delivered"
    told = service.query(f"orders/{order}/history").json()
    steps = [(each["version"], each["status"]) for each in told["steps"]]
    assert steps == [(1, "created"), (2, "approved"), (3, "shipped"), (4, "delivered")]


def test_a_repeated_command_is_answered_from_memory(service: Caller) -> None:
    """The same key brings the first answer, marked as replayed; under another body it is 422."""
    order = service.order("key")
    first = service.command(order, "created", Idempotency_Key="once")
    again = service.command(order, "created", Idempotency_Key="once")
    assert (first.status_code, again.headers["Idempotency-Replayed"]) == (201, "true")
    assert again.json() == first.json()
    assert service.command(order, "approved", Idempotency_Key="once").status_code == 422


def test_a_stale_etag_changes_nothing(service: Caller) -> None:
    """What a query returned may be sent as If-Match; once somebody was faster it is 412."""
    order = service.order("stale")
    etag = service.command(order, "created").headers["ETag"]
    assert service.command(order, "approved", If_Match=etag).status_code == 200
    stale = service.command(order, "shipped", If_Match=etag)
    assert (stale.status_code, service.seen(order, 2).json()["status"]) == (412, "approved")


def test_a_batch_answers_each_command(service: Caller) -> None:
    """Orders are independent: what is refused leaves the others alone."""
    good, bad = service.order("good"), service.order("bad")
    results = service.commands((good, "created"), (bad, "created"), (bad, "delivered")).json()["results"]
    assert [each["status"] for each in results] == [201, 201, 409]
    assert service.seen(good, 1).status_code == 200


def test_lists_are_newest_first_and_paged(service: Caller) -> None:
    """What was changed last stands first, and a token leads to the next page without gap or repetition."""
    orders = [service.order(f"list-{number}") for number in range(3)]
    for order in orders:
        service.command(order, "created")
        service.seen(order, 1)
    page = service.query("orders", status="created", pageSize="2").json()
    found = [each["orderId"] for each in page["orders"]]
    token = page["continuationToken"]
    rest = service.query("orders", status="created", pageSize="50", continuationToken=token).json()["orders"]
    found += [each["orderId"] for each in rest]
    assert [each for each in found if each in orders] == orders[::-1]
    assert len(found) == len(set(found))


def test_the_summary_counts(service: Caller) -> None:
    """A new order makes one more of its status."""
    before = service.query("order-summary").json()["counts"].get("created", 0)
    order = service.order("counted")
    service.command(order, "created")
    service.seen(order, 1)
    assert service.query("order-summary").json()["counts"]["created"] > before


def test_what_is_wrong_is_named(service: Caller) -> None:
    """A status that does not exist is 400 with those that do; an order that does not exist is 404."""
    refused = service.command(service.order("wrong"), "teleported")
    assert (refused.status_code, "delivered" in refused.text) == (400, True)
    assert service.query(f"orders/{service.order('nobody')}").status_code == 404


def test_who_has_no_key_is_not_let_in(service: Caller) -> None:
    """Commands and queries are 401 without a function key; the contract itself is open."""
    at = service.at
    assert requests.post(f"{at.commands}/api/UpdateOrderStatus", json={}, timeout=60).status_code == 401
    assert requests.get(f"{at.views}/api/orders", timeout=60).status_code == 401
    assert requests.get(f"{at.views}/api/openapi.json", timeout=60).json()["openapi"].startswith("3.1")
