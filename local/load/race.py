"""`python -m local race`: every change of an order is sent by many clients at once.

Of the clients that race for one change, a quarter are sendings of the same command (one key), a quarter are rivals that
ask for the same under keys of their own, a quarter insist on the version before (If-Match), and a quarter ask for what
the order's life does not allow. One of them may win; in the end each change has one event, and nobody was told
otherwise.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from rich.console import Console

from emulators.base.control import CONTROL_HEADER
from local.client import Answer, OrderService
from local.load import RaceTooLong
from local.load.footprint import Footprint
from local.load.report import tell
from local.operator import operate
from local.stack import Options, Stack, app_settings, free_ports, running_stack
from local.write_side import WrittenOrder, read_write_side
from order_events import OrderStatus
from update_order_status.domain import TRANSITIONS

LIFE = (
    OrderStatus.CREATED,
    OrderStatus.APPROVED,
    OrderStatus.INVOICED,
    OrderStatus.PROCESSING,
    OrderStatus.SHIPPED,
    OrderStatus.DELIVERED,
    OrderStatus.RETURNED,
)
CHANGES_PER_ORDER_MAX = len(LIFE)
RACES_AT_ONCE = 4
"""Orders under way at a time; each has all its clients at once."""
VERIFY_SECONDS = 300
SERVICES = ("cosmos", "eventgrid", "functions")
REFUSED_BATCH = 'status="207"'
"""Cosmos DB answers a transactional batch that did not hold, so, whichever of its operations it was."""


@dataclass(slots=True)
class Told:
    """What the clients were told, over all changes."""

    answers: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    """Answers that cannot be true together."""
    keys: dict[tuple[str, int], set[str]] = field(default_factory=dict)
    """(order, version): the keys under which somebody asked for that change."""


async def race(*, commands: int, orders: int, clients: int, as_json: bool) -> int:
    """Race, verify; 0 when each change took effect once and everybody was told the truth."""
    changes = -(-commands // (orders * clients))
    if changes > CHANGES_PER_ORDER_MAX:
        raise RaceTooLong(
            f"{commands} commands of {clients} clients over {orders} orders are {changes} changes of each; "
            f"an order's life has {CHANGES_PER_ORDER_MAX}. Give more --orders or --clients."
        )
    console, told = Console(stderr=True), Told()
    with tempfile.TemporaryDirectory(prefix="race-") as directory:
        async with (
            running_stack(Options(Path(directory), ports=free_ports(), quiet=True)) as stack,
            OrderService(stack.url("functions"), connections=clients * RACES_AT_ONCE) as service,
        ):
            console.print(f"{orders * clients * changes} commands: {changes} changes of {orders} orders …")
            footprint = Footprint(stack, SERVICES)
            began, used = time.perf_counter(), footprint.cpu_seconds(*SERVICES)
            await _race_all(service, told, orders=orders, clients=clients, changes=changes)
            seconds, used = time.perf_counter() - began, footprint.cpu_seconds(*SERVICES) - used
            refused_batches = await _refused_batches(stack)
            console.print("comparing both sides …")
            verified = await operate(stack, "verify", "--wait", str(VERIFY_SECONDS))
            written = await read_write_side(app_settings(stack.options.app) | stack.settings())
    wrong = [*told.wrong, *check_written(written, told, orders, changes)]
    sent = orders * clients * changes
    report = {
        "commandsSent": sent,
        "orders": orders,
        "clientsAtOnce": clients,
        "changes": orders * changes,
        "answers": dict(sorted(told.answers.items())),
        "conflicts": refused_batches,
        "askedAgainWhileBusy": service.retries,
        "seconds": round(seconds, 1),
        "commandsPerSecond": round(sent / seconds, 1),
        "cpuMillisecondsPerCommand": round(1000 * used / sent, 2),
        "wrong": wrong,
        "verify": {"exitCode": verified.code, **verified.document()},
        "holds": not (wrong or verified.code),
    }
    return tell(report, as_json=as_json)


async def _race_all(service: OrderService, told: Told, *, orders: int, clients: int, changes: int) -> None:
    waiting = iter(range(orders))

    async def referee() -> None:
        for number in waiting:
            for version in range(1, changes + 1):
                await _race(service, told, f"race-{number}", version, clients)

    async with asyncio.TaskGroup() as group:
        for _ in range(RACES_AT_ONCE):
            group.create_task(referee())


async def _race(service: OrderService, told: Told, order: str, version: int, clients: int) -> None:
    """All clients at once for one change; notes what does not fit together."""
    sendings = [_sending(version, client) for client in range(clients)]
    told.keys[order, version] = {key for status, key, _ in sendings if status is LIFE[version - 1]}
    answers = await asyncio.gather(
        *(service.update(order, status, idempotency_key=key, if_match=seen) for status, key, seen in sendings)
    )
    kinds = Counter(_kind(answer) for answer in answers)
    told.answers.update(kinds)
    if kinds["applied"] > 1:
        told.wrong.append(f"{order}: {kinds['applied']} clients were told that they made version {version}")
    for answer in answers:
        if answer.status < 300 and answer.body["version"] != version:
            told.wrong.append(f"{order}: told version {answer.body['version']} instead of {version}")
        elif answer.status >= 300 and answer.status not in (409, 412):
            told.wrong.append(f"{order}: version {version} answered {answer.status} {answer.body}")


def _sending(version: int, client: int) -> tuple[OrderStatus, str, str | None]:
    """(status, key, If-Match) of one client's command for the change to `version`."""
    status, before = LIFE[version - 1], LIFE[version - 2] if version > 1 else None
    own = f"{version}-{client}"
    match client % 4:
        case 0:
            return status, f"{version}-same", None
        case 2 if before is not None:
            return status, own, f'"{version - 1}"'
        case 3 if before is not None and (nonsense := _nonsense(before, status)) is not None:
            return nonsense, own, None
    return status, own, None


def _nonsense(before: OrderStatus, after: OrderStatus) -> OrderStatus | None:
    """A status that the order takes neither from `before` nor from `after`."""
    possible = {before, after, *TRANSITIONS[before], *TRANSITIONS[after]}
    return next((status for status in OrderStatus if status not in possible), None)


def _kind(answer: Answer) -> str:
    if answer.status >= 300:
        return f"refused {answer.status}"
    if answer.headers.get("Idempotency-Replayed") == "true":
        return "replayed"
    return "applied" if "X-Event-Delivery" in answer.headers else "unchanged"


def check_written(written: list[WrittenOrder], told: Told, orders: int, changes: int) -> Iterator[str]:
    """What the store says against what must have happened."""
    if len(written) != orders:
        yield f"{len(written)} orders instead of {orders}"
    for order in written:
        made = [(event["version"], event["status"]) for event in order.events]
        if made != list(enumerate(LIFE[:changes], 1)):
            yield f"{order.order_id}: its events are {made}"
        for event in order.events:
            if event["commandId"] not in told.keys.get((order.order_id, event["version"]), ()):
                yield f"{order.order_id}: version {event['version']} is of a command that asked for something else"


async def _refused_batches(stack: Stack) -> int:
    """How many transactional batches found that another was faster, on either side, or had been there before."""
    async with (
        aiohttp.ClientSession(headers={CONTROL_HEADER: "1"}) as session,
        session.get(f"{stack.url('cosmos')}/_emulator/metrics") as answer,
    ):
        lines = (await answer.text()).splitlines()
    return sum(_value(line) for line in lines if REFUSED_BATCH in line)


def _value(line: str) -> int:
    return int(line.rpartition(" ")[2])
