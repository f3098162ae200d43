"""What the HTTP functions do, from request to answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import azure.functions as func

from update_order_status.answers import accepted, problem_response, refusal, refusing_store_failures, response
from update_order_status.domain import UpdateOrderStatus
from update_order_status.errors import Refused
from update_order_status.handler import Accepted
from update_order_status.limits import BATCH_ORDERS_AT_ONCE
from update_order_status.requests import read_command, read_commands, read_key
from update_order_status.wiring import WriteSide

Connect = Callable[[], Awaitable[WriteSide]]
NewId = Callable[[], str]


async def update_one(request: func.HttpRequest, connect: Connect, new_id: NewId) -> func.HttpResponse:
    """The answer to a single command."""
    key = new_id()
    try:
        given = read_key(request)
        key = given or key
        command = read_command(request, key, repeatable=given is not None)
        with refusing_store_failures():
            side = await connect()
            outcome = await side.handler.execute(command)
        if not isinstance(outcome, Accepted):
            raise refusal(outcome)
        delivered = await _deliver(side, [outcome])
        status, headers, document = accepted(outcome, request.url, delivered=_is_delivered(outcome, delivered))
        return response(status, document, {**headers, "Idempotency-Key": key})
    except Refused as refused:
        return problem_response(refused, {"Idempotency-Key": key})


async def update_many(request: func.HttpRequest, connect: Connect, new_id: NewId) -> func.HttpResponse:
    """The answer to a batch: a result for each command, in the order of the request.

    Orders are independent of each other: one command's failure leaves the rest alone. Commands on the same order
    are done one after the other.
    """
    key = new_id()
    try:
        given = read_key(request)
        key = given or key
        commands = read_commands(request, key, repeatable=given is not None)
        with refusing_store_failures():
            side = await connect()
        outcomes = await _execute_all(side, commands)
        delivered = await _deliver(side, [each for each in outcomes if isinstance(each, Accepted)])
        results = [
            {"idempotencyKey": command.command_id, **_result(outcome, request.url, delivered)}
            for command, outcome in zip(commands, outcomes, strict=True)
        ]
        return response(200, {"results": results}, {"Idempotency-Key": key})
    except Refused as refused:
        return problem_response(refused, {"Idempotency-Key": key})


async def _execute_all(side: WriteSide, commands: list[UpdateOrderStatus]) -> list[Accepted | Refused]:
    outcomes: dict[int, Accepted | Refused] = {}
    by_order: dict[str, list[int]] = {}
    for place, command in enumerate(commands):
        by_order.setdefault(command.order_id, []).append(place)
    gate = asyncio.Semaphore(BATCH_ORDERS_AT_ONCE)

    async def execute_in_turn(places: list[int]) -> None:
        async with gate:
            for place in places:
                outcomes[place] = await _execute(side, commands[place])

    await asyncio.gather(*(execute_in_turn(places) for places in by_order.values()))
    return [outcomes[place] for place in range(len(commands))]


async def _execute(side: WriteSide, command: UpdateOrderStatus) -> Accepted | Refused:
    try:
        with refusing_store_failures():
            outcome = await side.handler.execute(command)
    except Refused as refused:
        return refused
    return outcome if isinstance(outcome, Accepted) else refusal(outcome)


async def _deliver(side: WriteSide, outcomes: list[Accepted]) -> frozenset[str]:
    """Publish what is not published yet; the ids of the events that are now."""
    waiting = {each.event.event_id: each.event for each in outcomes if each.event and not each.published}
    return await side.publisher.publish(list(waiting.values())) if waiting else frozenset()


def _is_delivered(outcome: Accepted, delivered: frozenset[str]) -> bool:
    return outcome.published or (outcome.event is not None and outcome.event.event_id in delivered)


def _result(outcome: Accepted | Refused, request_url: str, delivered: frozenset[str]) -> Mapping[str, Any]:
    if isinstance(outcome, Refused):
        return {"status": outcome.problem.status, "problem": outcome.document()}
    status, headers, order = accepted(outcome, request_url, delivered=_is_delivered(outcome, delivered))
    result: dict[str, Any] = {"status": status, "order": order, "replayed": outcome.replayed}
    if "X-Event-Delivery" in headers:
        result["eventDelivery"] = headers["X-Event-Delivery"]
    return result
