"""What the HTTP functions do, from request to answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import azure.functions as func

from order_telemetry import SILENT, EventLog, Telemetry
from order_telemetry.signals import COMMANDS
from update_order_status.answers import accepted, problem_response, refusal, refusing_failures, response, result
from update_order_status.domain import UpdateOrderStatus
from update_order_status.errors import Refused
from update_order_status.handler import Accepted
from update_order_status.limits import BATCH_ORDERS_AT_ONCE
from update_order_status.models import BatchResults
from update_order_status.requests import read_batch_key, read_command, read_commands, read_key
from update_order_status.wiring import WriteSide

Connect = Callable[[], Awaitable[WriteSide]]
NewId = Callable[[], str]

log = EventLog(__name__)


async def update_one(
    request: func.HttpRequest, connect: Connect, new_id: NewId, telemetry: Telemetry = SILENT
) -> func.HttpResponse:
    """The answer to a single command."""
    key = new_id()
    try:
        given = read_key(request)
        key = given or key
        command = read_command(request, key, repeatable=given is not None)
        with refusing_failures():
            side = await connect()
            outcome = await _execute(side, command, telemetry)
            if isinstance(outcome, Refused):
                raise outcome
            delivered = await _deliver(side, [outcome])
        status, headers, document = accepted(outcome, request.url, delivered=_is_delivered(outcome, delivered))
        return response(status, document, {**headers, "Idempotency-Key": key})
    except Refused as refused:
        return problem_response(refused, {"Idempotency-Key": key})


async def update_many(
    request: func.HttpRequest, connect: Connect, new_id: NewId, telemetry: Telemetry = SILENT
) -> func.HttpResponse:
    """The answer to a batch: a result for each command, in the order of the request.

    Orders are independent of each other: one command's failure, whatever it is, leaves the rest alone. Commands on the
    same order are done one after the other.
    """
    key = new_id()
    try:
        given = read_batch_key(request)
        key = given or key
        commands = read_commands(request, key, repeatable=given is not None)
        with refusing_failures():
            side = await connect()
            outcomes = await _execute_all(side, commands, telemetry)
            delivered = await _deliver(side, [each for each in outcomes if isinstance(each, Accepted)])
            results = [
                result(command, outcome, delivered=_is_delivered(outcome, delivered))
                for command, outcome in zip(commands, outcomes, strict=True)
            ]
        return response(200, BatchResults(results=results).document(), {"Idempotency-Key": key})
    except Refused as refused:
        return problem_response(refused, {"Idempotency-Key": key})


async def _execute_all(
    side: WriteSide, commands: list[UpdateOrderStatus], telemetry: Telemetry
) -> list[Accepted | Refused]:
    outcomes: dict[int, Accepted | Refused] = {}
    by_order: dict[str, list[int]] = {}
    for place, command in enumerate(commands):
        by_order.setdefault(command.order_id, []).append(place)
    gate = asyncio.Semaphore(BATCH_ORDERS_AT_ONCE)

    async def execute_in_turn(places: list[int]) -> None:
        async with gate:
            for place in places:
                outcomes[place] = await _execute(side, commands[place], telemetry)

    await asyncio.gather(*(execute_in_turn(places) for places in by_order.values()))
    return [outcomes[place] for place in range(len(commands))]


async def _execute(side: WriteSide, command: UpdateOrderStatus, telemetry: Telemetry) -> Accepted | Refused:
    outcome: Accepted | Refused
    try:
        with refusing_failures():
            decided = await side.handler.execute(command)
            outcome = decided if isinstance(decided, Accepted) else refusal(decided)
    except Refused as refused:
        outcome = refused
    what, version = _tell(outcome)
    telemetry.add(COMMANDS, 1, {"result": what})
    log.info("command", order=command.order_id, command=command.command_id, result=what, version=version)
    return outcome


def _tell(outcome: Accepted | Refused) -> tuple[str, int | None]:
    """What came of a command, in one word, and the order's version."""
    if isinstance(outcome, Refused):
        return outcome.problem.name, None
    if outcome.replayed:
        return "replayed", outcome.order.version
    if outcome.event is None:
        return "unchanged", outcome.order.version
    return "created" if outcome.created else "updated", outcome.order.version


async def _deliver(side: WriteSide, outcomes: list[Accepted]) -> frozenset[str]:
    """Publish what is not published yet; the ids of the events that are now."""
    waiting = {each.event.event_id: each.event for each in outcomes if each.event and not each.published}
    return await side.publisher.publish(list(waiting.values())) if waiting else frozenset()


def _is_delivered(outcome: Accepted | Refused, delivered: frozenset[str]) -> bool:
    if isinstance(outcome, Refused):
        return False
    return outcome.published or (outcome.event is not None and outcome.event.event_id in delivered)
