"""One history from the first command to quiescence, and what must hold then."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import azure.functions as func

from tests.simulation.choices import Choices
from tests.simulation.scripts import Ask, Script
from tests.simulation.world import Host, HostDied, Sides, World
from update_order_status import endpoints
from update_order_status.errors import StoreThrottled, StoreUnavailable

SENDINGS_MAX = 12
"""How often a caller sends one command before it gives up; more than any history has faults."""
RESEND_SECONDS = 1.0
RELAY_SECONDS = 30.0
"""The relay's schedule, as local.settings.json has it."""
SETTLE_ROUNDS_MAX = 400
"""Relay ticks until everything must have come to rest: over three hours, three times the longest hold."""
BESIDE_SECONDS = 12.0
"""When the relay runs beside commands: after its grace, so that it finds what is still pending."""


@dataclass
class Answered:
    """What a caller learned about a command."""

    ask: Ask
    status: int | None = None
    """None: it gave up without an answer that settles the matter."""
    document: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a history ended: what is wrong (nothing, it is hoped), and how it came to that."""

    violations: Sequence[str]
    timeline: Sequence[str]


@dataclass(frozen=True, slots=True)
class Manners:
    """How callers and operators behave; variants misbehave."""

    same_key: bool = True
    """A repeated sending has the key of the first."""
    relay: bool = True


GOOD_MANNERS = Manners()


def play(world: World, script: Script, choices: Choices, manners: Manners = GOOD_MANNERS) -> Outcome:
    """Let `script` happen under `choices`."""
    return world.loop.run_until_complete(_play(world, script, choices, manners))


async def _play(world: World, script: Script, choices: Choices, manners: Manners) -> Outcome:
    world.begin(choices)
    world.hosts = script.hosts
    number = world.histories
    asked = [Answered(ask) for client in script.clients for ask in client]
    answers = iter(asked)
    clients = [
        _client(world, place, number, [next(answers) for _ in client], manners)
        for place, client in enumerate(script.clients)
    ]
    relays = [_relay(world, BESIDE_SECONDS * (1 + place), place) for place in range(script.relays)]
    timer = asyncio.ensure_future(_relay_timer(world, script.relay_every_seconds))
    await asyncio.gather(*clients, *relays)
    timer.cancel()
    orders = sorted({_order(number, ask.ask.order) for ask in asked})
    rested = await _settle(world, manners)
    violations = [] if rested else ["it does not come to rest: something stays pending or undelivered"]
    for order in orders:
        violations += await _check(world, order, [each for each in asked if _order(number, each.ask.order) == order])
    violations += [f"a function raised {failure!r}" for failure in world.raised]
    return Outcome(violations, list(world.gate.timeline))


def _order(number: int, name: str) -> str:
    return f"{name}-{number}"


async def _client(world: World, place: int, number: int, asked: list[Answered], manners: Manners) -> None:
    for answered in asked:
        await asyncio.sleep(max(0.0, answered.ask.at_seconds - world.seconds))
        for sending in range(SENDINGS_MAX):
            if sending:
                await asyncio.sleep(RESEND_SECONDS)
            key = answered.ask.key if manners.same_key else f"{answered.ask.key}-{sending}"
            host = world.host((place + sending) % world.hosts)
            answer = await _send(host, _order(number, answered.ask.order), answered.ask.status, key)
            if answer is None or answer.status_code in (408, 429, 500, 503):
                world.gate.tell(f"    caller {place + 1} gets {answer.status_code if answer else 'no answer'}")
                if answer is not None and answer.status_code == 500:
                    world.raised.append(RuntimeError(answer.get_body().decode()))
                continue
            answered.status, answered.document = answer.status_code, json.loads(answer.get_body())
            world.gate.tell(f"    caller {place + 1} gets {answer.status_code} {answered.document.get('status')}")
            break


async def _send(host: Host, order: str, status: str, key: str) -> func.HttpResponse | None:
    request = func.HttpRequest(
        "POST",
        "http://127.0.0.1:7071/api/UpdateOrderStatus",
        headers={"Idempotency-Key": key},
        body=json.dumps({"orderId": order, "status": status}).encode(),
    )

    async def command(sides: Sides) -> func.HttpResponse:
        async def connected() -> Any:
            return sides.write

        return await endpoints.update_one(request, connected, lambda: key)

    try:
        answer: func.HttpResponse = await host.run(command)
    except HostDied:
        return None
    except StoreUnavailable:  # the host could not even connect
        return None
    return answer


async def _relay(world: World, after_seconds: float, place: int) -> None:
    """One tick of the relay's timer. What it cannot do now, the next tick does."""
    await asyncio.sleep(after_seconds)
    try:
        await world.host(place % world.hosts).run(lambda sides: sides.write.relay.tick())
    except (HostDied, StoreUnavailable, StoreThrottled) as failure:
        world.gate.tell(f"    the relay's tick fails: {type(failure).__name__}")


async def _relay_timer(world: World, every_seconds: float) -> None:
    """The relay as its timer runs it; each tick on whichever host has the lock."""
    ticks = itertools.count()
    while every_seconds:
        await _relay(world, every_seconds, next(ticks))


async def _settle(world: World, manners: Manners) -> bool:
    """Let time pass until nothing is pending, undelivered or late."""
    for _ in range(SETTLE_ROUNDS_MAX):
        if manners.relay:
            await _relay(world, RELAY_SECONDS, 0)
        else:
            await asyncio.sleep(RELAY_SECONDS)
        if not world.late and not await world.backlog() and not await _pending(world):
            return True
    return False


async def _pending(world: World) -> int:
    container = _container(world, "orders-write")
    query = "SELECT VALUE COUNT(1) FROM c WHERE IS_DEFINED(c.pending)"
    return sum([each async for each in container.query_items(query)])


def _container(world: World, name: str) -> Any:
    return world.observer.get_database_client(world.topology.database).get_container_client(name)


async def _check(world: World, order: str, asked: list[Answered]) -> list[str]:
    """What is wrong with one order, when everything has come to rest."""
    written = await _documents(world, "orders-write", order)
    events = sorted((each for each in written if each["type"] == "event"), key=lambda each: int(each["version"]))
    found = [
        *_check_write_side(order, next((each for each in written if each["type"] == "order"), None), events),
        *_check_commands(order, events, asked),
    ]
    projected = await _documents(world, "orders-read-1", order)
    return found + _check_read_side(order, events, projected)


async def _documents(world: World, container: str, order: str) -> list[dict[str, Any]]:
    items = _container(world, container).query_items("SELECT * FROM c", partition_key=order)
    return [each async for each in items]


def _check_write_side(order: str, document: dict[str, Any] | None, events: list[dict[str, Any]]) -> list[str]:
    versions = [each["version"] for each in events]
    if document is None:
        return [f"{order}: there are events {versions} but no order"] if events else []
    found = []
    if versions != list(range(1, len(versions) + 1)):
        found.append(f"{order}: the events' versions are {versions}, not gapless")
    newest = events[-1] if events else {"status": None, "version": 0}
    if (document["status"], document["version"]) != (newest["status"], newest["version"]):
        found.append(f"{order}: the order is {document['status']} v{document['version']}, its last event is not")
    for earlier, later in itertools.pairwise(events):
        if later["previousStatus"] != earlier["status"]:
            found.append(f"{order}: v{later['version']} follows {later['previousStatus']}, not {earlier['status']}")
    return found


def _check_commands(order: str, events: list[dict[str, Any]], asked: list[Answered]) -> list[str]:
    found = []
    for key in {each.ask.key for each in asked}:
        answers = [each for each in asked if each.ask.key == key]
        applied = [each for each in events if each["commandId"] == key or each["commandId"].startswith(f"{key}-")]
        if len(applied) > 1:
            found.append(f"{order}: command {key} was applied {len(applied)} times")
        for each in answers:
            found += _check_answer(order, each, applied)
    return found


def _check_answer(order: str, answered: Answered, applied: list[dict[str, Any]]) -> list[str]:
    key = answered.ask.key
    if answered.status == 201 and not applied:
        return [f"{order}: command {key} was answered 201 and is lost"]
    if answered.status in (200, 201) and answered.document.get("status") != answered.ask.status:
        return [f"{order}: command {key} was answered {answered.document.get('status')}"]
    if answered.status == 409 and applied:
        return [f"{order}: command {key} was refused and yet applied"]
    if answered.status in (200, 201) and applied and answered.document["version"] != applied[0]["version"]:
        return [f"{order}: command {key} made v{applied[0]['version']}, told v{answered.document['version']}"]
    if answered.status not in (None, 200, 201, 409):
        return [f"{order}: command {key} was answered {answered.status} {answered.document}"]
    return []


def _check_read_side(order: str, events: list[dict[str, Any]], projected: list[dict[str, Any]]) -> list[str]:
    view = next((each for each in projected if each["type"] == "view"), None)
    history = sorted(
        ((each["version"], each["status"]) for each in projected if each["type"] == "history"), key=lambda each: each[0]
    )
    expected = [(each["version"], each["status"]) for each in events]
    found = []
    if history != expected:
        found.append(f"{order}: the history is {history}, the events are {expected}")
    shown = (view["version"], view["status"]) if view else None
    if shown != (expected[-1] if expected else None):
        found.append(f"{order}: the view shows {shown}, the truth is {expected[-1:]}")
    return found
