"""UpdateOrderStatus from outside: what it answers, and what it leaves behind."""

from __future__ import annotations

import asyncio

import pytest

from tests.order_service import Service, body


def kinds(service: Service) -> list[str]:
    """The types of the documents in the write container."""
    return sorted(document["type"] for document in service.documents())


async def test_the_first_command_makes_the_order(service: Service) -> None:
    """A command on an unseen order answers 201 with the order, its version, its place and a token for reading it."""
    answer = await service.update("o-1", "created")
    assert answer.status_code == 201
    order = body(answer)
    assert order.pop("updatedAt").endswith("Z")
    assert order == {"orderId": "o-1", "status": "created", "previousStatus": None, "version": 1}
    assert answer.headers["ETag"] == '"1"'
    assert answer.headers["Location"] == "/api/orders/o-1"
    assert answer.headers["X-Consistency-Token"] == "o-1:1"
    assert answer.headers["X-Event-Delivery"] == "sent"
    assert answer.headers["Idempotency-Replayed"] == "false"
    assert len(answer.headers["Idempotency-Key"]) == 36
    assert kinds(service) == ["event", "order"]


async def test_a_later_command_raises_the_version(service: Service) -> None:
    """A change of status answers 200 with the next version and the status before."""
    await service.update("o-1", "created")
    answer = await service.update("o-1", "approved")
    assert answer.status_code == 200
    assert (body(answer)["version"], body(answer)["previousStatus"]) == (2, "created")


async def test_an_order_first_seen_may_have_any_status(service: Service) -> None:
    """An order whose earlier life was elsewhere is adopted as it is."""
    assert (await service.update("o-1", "delivered")).status_code == 201


async def test_the_same_status_again_changes_nothing(service: Service) -> None:
    """Asking for the status an order has answers 200 with the same version and makes no event."""
    await service.update("o-1", "created")
    answer = await service.update("o-1", "created")
    assert (answer.status_code, body(answer)["version"]) == (200, 1)
    assert "X-Event-Delivery" not in answer.headers
    assert kinds(service) == ["event", "order"]


async def test_a_transition_that_is_not_allowed_is_refused_with_those_that_are(service: Service) -> None:
    """Nonsense answers 409 with the current status, the version and the allowed next statuses, and writes nothing."""
    await service.update("o-1", "created")
    answer = await service.update("o-1", "delivered")
    assert answer.status_code == 409
    assert answer.mimetype == "application/problem+json"
    problem = body(answer)
    assert problem["type"] == "urn:problem-type:orders:transition-not-allowed"
    assert (problem["currentStatus"], problem["version"]) == ("created", 1)
    assert problem["allowed"] == ["approved", "canceled", "unavailable"]
    assert answer.headers["Idempotency-Key"]
    assert kinds(service) == ["event", "order"]


@pytest.mark.parametrize(
    ("raw", "fields"),
    [
        (b"", ["body"]),
        (b"no json", ["body"]),
        (b'"text"', ["body"]),
        (b"[" * 5000, ["body"]),
        (b'{"orderId":"\xff","status":"created"}', ["body"]),
        ({}, ["orderId", "status"]),
        ({"orderId": 7, "status": "created"}, ["orderId"]),
        ({"orderId": "a b", "status": "created"}, ["orderId"]),
        ({"orderId": "..", "status": "created"}, ["orderId"]),
        ({"orderId": "x" * 129, "status": "created"}, ["orderId"]),
        ({"orderId": "a\n", "status": "created"}, ["orderId"]),
        ({"orderId": "a", "status": "Created"}, ["status"]),
        ({"orderId": "a", "status": None}, ["status"]),
        ({"orderId": "a", "status": "created", "stauts": "x"}, ["stauts"]),
        ({"order_id": "a", "status": "created"}, ["orderId", "order_id"]),
    ],
)
async def test_bad_input_is_refused_field_by_field(service: Service, raw: object, fields: list[str]) -> None:
    """Whatever is not a command answers 400, names each wrong field, and writes nothing."""
    answer = await service.post(raw)
    assert answer.status_code == 400
    assert answer.mimetype == "application/problem+json"
    assert [fault["field"] for fault in body(answer)["errors"]] == fields
    assert answer.headers["Idempotency-Key"]
    assert service.documents() == []


async def test_an_unknown_status_is_told_the_known_ones(service: Service) -> None:
    """The refusal of a status lists those that exist."""
    answer = await service.update("o-1", "lost")
    assert "unavailable" in body(answer)["errors"][0]["allowed"]


async def test_a_body_of_3_mb_is_too_large(service: Service) -> None:
    """A body beyond what a command may be answers 413 and writes nothing."""
    answer = await service.post(b'{"orderId":"a","status":"created"}' + b" " * 3_000_000)
    assert answer.status_code == 413
    assert service.documents() == []


async def test_a_key_makes_a_command_repeatable(service: Service) -> None:
    """The same command with the same Idempotency-Key takes effect once and is answered alike, whatever came between."""
    first = await service.update("o-1", "created", Idempotency_Key="k-1")
    await service.update("o-1", "approved")
    await service.update("o-1", "shipped")
    again = await service.update("o-1", "created", Idempotency_Key="k-1")
    assert (again.status_code, body(again)) == (first.status_code, body(first))
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.headers["ETag"] == first.headers["ETag"]
    assert body(await service.update("o-1", "shipped"))["version"] == 3


async def test_a_key_remembers_that_nothing_changed(service: Service) -> None:
    """A keyed command that found its status already there is answered so for ever, and does not act later."""
    await service.update("o-1", "created")
    first = await service.update("o-1", "created", Idempotency_Key="k-1")
    await service.update("o-1", "approved")
    again = await service.update("o-1", "created", Idempotency_Key="k-1")
    assert (again.status_code, body(again)) == (200, body(first))
    assert again.headers["Idempotency-Replayed"] == "true"
    assert kinds(service) == ["event", "event", "order", "receipt"]


async def test_a_key_may_not_be_used_for_another_command(service: Service) -> None:
    """The same key with another status answers 422 and changes nothing."""
    await service.update("o-1", "created", Idempotency_Key="k-1")
    answer = await service.update("o-1", "approved", Idempotency_Key="k-1")
    assert answer.status_code == 422
    assert answer.headers["Idempotency-Key"] == "k-1"
    assert body(await service.update("o-1", "created"))["version"] == 1


async def test_a_key_belongs_to_its_order(service: Service) -> None:
    """One key on two orders names two commands."""
    assert (await service.update("o-1", "created", Idempotency_Key="k")).status_code == 201
    assert (await service.update("o-2", "created", Idempotency_Key="k")).status_code == 201


@pytest.mark.parametrize("key", ["o-1", "a/b\\c?d#e", "x" * 1024, 'say "hi"', "~"])
async def test_keys_that_a_document_id_could_not_be_are_fine(service: Service, key: str) -> None:
    """A key may be the order's own id, hold what Cosmos DB forbids in an id, and be longer than one."""
    first = await service.update("o-1", "created", Idempotency_Key=key)
    again = await service.update("o-1", "created", Idempotency_Key=key)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.headers["Idempotency-Key"] == key


@pytest.mark.parametrize("key", ["", "   ", "x" * 1025, "schlüssel", "tab\there"])
async def test_a_key_that_cannot_be_echoed_is_refused(service: Service, key: str) -> None:
    """A key that is empty, too long or not visible ASCII answers 400."""
    answer = await service.update("o-1", "created", Idempotency_Key=key)
    assert answer.status_code == 400
    assert body(answer)["errors"][0]["field"] == "Idempotency-Key"


@pytest.mark.parametrize(
    ("if_match", "status"),
    [
        ('"1"', 200),
        ('"3", "1"', 200),
        ("*", 200),
        ('"2"', 412),
        ('W/"1"', 412),
        ('"abc"', 412),
        ("", 412),
        ("1", 400),
        ('"1', 400),
    ],
)
async def test_if_match_is_what_the_caller_saw(service: Service, if_match: str, status: int) -> None:
    """A command with If-Match takes effect only on a version it names; weak and foreign tags match nothing."""
    await service.update("o-1", "created")
    answer = await service.update("o-1", "approved", If_Match=if_match)
    assert answer.status_code == status
    if status == 412:
        assert body(answer)["version"] == 1


@pytest.mark.parametrize("if_match", ["*", '"1"'])
async def test_if_match_on_an_unseen_order_fails(service: Service, if_match: str) -> None:
    """There is no version of an order that does not exist: 412, and it still does not exist."""
    assert (await service.update("o-1", "created", If_Match=if_match)).status_code == 412
    assert service.documents() == []


async def test_a_repeated_command_is_not_stale(service: Service) -> None:
    """Sending a command with key and If-Match again after it took effect replays it, though the version has moved."""
    await service.update("o-1", "created")
    await service.update("o-1", "approved", Idempotency_Key="k", If_Match='"1"')
    again = await service.update("o-1", "approved", Idempotency_Key="k", If_Match='"1"')
    assert (again.status_code, again.headers["Idempotency-Replayed"]) == (200, "true")


async def test_rivals_on_one_order_all_take_effect_once(service: Service) -> None:
    """Commands that race on one order end as a chain of versions without a gap, each counted once."""
    await service.update("o-1", "processing")
    rivals = [service.update("o-1", status) for status in ("invoiced", "shipped", "invoiced", "shipped")]
    codes = [answer.status_code for answer in await asyncio.gather(*rivals)]
    assert set(codes) <= {200, 409}
    events = [document for document in service.documents() if document["type"] == "event"]
    (order,) = (document for document in service.documents() if document["type"] == "order")
    assert sorted(event["version"] for event in events) == list(range(1, order["version"] + 1))
    by_version = {event["version"]: event for event in events}
    assert all(
        by_version[version]["previousStatus"] == by_version[version - 1]["status"]
        for version in range(2, order["version"] + 1)
    )


async def test_of_rivals_who_saw_the_same_version_one_wins(service: Service) -> None:
    """Commands that insist on one version are never decided again on another: one takes effect, the others are 412."""
    await service.update("o-1", "processing")
    rivals = [service.update("o-1", status, If_Match='"1"') for status in ("invoiced", "shipped", "canceled")]
    assert sorted(answer.status_code for answer in await asyncio.gather(*rivals)) == [200, 412, 412]
    assert kinds(service) == ["event", "event", "order"]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",) * 2,
        ("00-00000000000000000000000000000000-b7ad6b7169203331-01", None),
        ("nonsense", None),
    ],
)
async def test_an_event_bears_its_commands_trace(service: Service, given: str, kept: str | None) -> None:
    """The caller's traceparent travels in the event, also when nothing is recorded here; an invalid one is ignored."""
    await service.update("o-1", "created", traceparent=given)
    event, text = await service.next_event()
    assert event.traceparent == kept
    assert '"traceparent"' in text


async def test_one_key_sent_many_times_at_once_takes_effect_once(service: Service) -> None:
    """Simultaneous sendings of one command make one event and get one answer."""
    sendings = [service.update("o-1", "created", Idempotency_Key="k") for _ in range(6)]
    answers = await asyncio.gather(*sendings)
    assert {answer.status_code for answer in answers} == {201}
    assert [answer.headers["Idempotency-Replayed"] for answer in answers].count("false") == 1
    assert kinds(service) == ["event", "order"]


async def test_a_batch_answers_each_command(service: Service) -> None:
    """Each command of a batch has its own result, in order; commands on one order are done in turn."""
    commands = [
        {"orderId": "o-1", "status": "created"},
        {"orderId": "o-2", "status": "created", "idempotencyKey": "own"},
        {"orderId": "o-1", "status": "approved"},
        {"orderId": "o-2", "status": "delivered"},
    ]
    answer = await service.post_many({"commands": commands}, {"Idempotency-Key": "batch"})
    results = body(answer)["results"]
    assert answer.status_code == 200
    assert [result["status"] for result in results] == [201, 201, 200, 409]
    assert [result["idempotencyKey"] for result in results] == ["batch/0", "own", "batch/2", "batch/3"]
    assert results[2]["order"]["version"] == 2
    assert results[3]["problem"]["currentStatus"] == "created"
    again = body(await service.post_many({"commands": commands}, {"Idempotency-Key": "batch"}))["results"]
    assert [result.get("replayed") for result in again] == [True, True, True, None]


async def test_a_batch_is_bounded_and_checked_whole(service: Service) -> None:
    """A batch with one bad command, none, or more than a hundred answers 400 and does nothing."""
    good = {"orderId": "o-1", "status": "created"}
    for commands in ([good, {"orderId": "o-2"}], [], [good] * 101):
        assert (await service.post_many({"commands": commands})).status_code == 400
    assert service.documents() == []
