"""`python -m local demo`: a handful of updates through a throw-away stack, and all three sides beside each other."""

from __future__ import annotations

import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from local.client import Answer, OrderService
from local.stack import Options, Stack, app_settings, free_ports, running_stack
from local.topology import Topology
from local.trust import trusted
from local.write_side import WrittenOrder, read_write_side

CATCH_UP_SECONDS_MAX = 30

# (order, status, idempotency key, what a reader should notice, the expected answer)
STEPS = (
    ("order-1", "created", None, "a new order", 201),
    ("order-1", "delivered", None, "not allowed from created", 409),
    ("order-1", "approved", "pay-77", "a change", 200),
    ("order-1", "approved", "pay-77", "the same command: its first answer again", 200),
    ("order-1", "shipped", None, "a change", 200),
    ("order-2", "created", None, "another order", 201),
    ("order-2", "canceled", None, "a change", 200),
    ("order-2", "shipped", None, "nothing leads out of canceled", 409),
    ("order-3", "teleported", None, "no such status", 400),
)


async def demo(console: Console, topology: Topology, *, enable_auth: bool, https: bool) -> int:
    """Run the demo on what `topology` says; 0 only if every answer was the expected one and both sides agree."""
    with tempfile.TemporaryDirectory(prefix="demo-") as directory:
        options = Options(
            Path(directory), ports=free_ports(), enable_auth=enable_auth, https=https, quiet=True, topology=topology
        )
        async with running_stack(options) as stack, _service(stack) as service:
            answers = await _post(service, console)
            written = await read_write_side(app_settings(options.app) | stack.settings())
            views = {order.order_id: await _caught_up(service, order) for order in written}
    _show(console, written, views)
    unexpected = [step for step, answer in zip(STEPS, answers, strict=True) if answer.status != step[4]]
    agree = bool(written) and all(_agrees(order, views[order.order_id]) for order in written)
    for order_id, status, _, meaning, expected in unexpected:
        console.print(f"[red]{order_id} → {status} ({meaning}) should have been answered {expected}[/red]")
    console.print("both sides agree" if agree else "[red]the two sides differ[/red]")
    return 0 if agree and not unexpected else 1


def _service(stack: Stack) -> OrderService:
    return OrderService(stack.url("functions"), key=stack.function_key, trusted=trusted(stack.url("functions")))


async def _post(service: OrderService, console: Console) -> list[Answer]:
    table = Table("order", "command", "answer", "version", "event", "", title="commands", title_justify="left")
    answers = []
    for order_id, status, key, meaning, _ in STEPS:
        answer = await service.update(order_id, status, idempotency_key=key)
        answers.append(answer)
        version = answer.body.get("version", "") if isinstance(answer.body, dict) else ""
        event = answer.headers.get("X-Event-Delivery", "–")
        table.add_row(order_id, status, str(answer.status), str(version), event, meaning)
    console.print(table)
    return answers


async def _caught_up(service: OrderService, order: WrittenOrder) -> Answer:
    await service.visible(order.order_id, order.version, seconds_max=CATCH_UP_SECONDS_MAX)
    return await service.get(order.order_id)


def _agrees(order: WrittenOrder, view: Answer) -> bool:
    return view.status == 200 and (view.body["status"], view.body["version"]) == (order.status, order.version)


def _show(console: Console, written: list[WrittenOrder], views: dict[str, Answer]) -> None:
    table = Table("order", "write side", "events", "read side", title="what is stored", title_justify="left")
    for order in sorted(written, key=lambda each: each.order_id):
        view = views[order.order_id]
        read = f"{view.body['status']} v{view.body['version']}" if view.status == 200 else f"answered {view.status}"
        events = " → ".join(f"{event['status']} v{event['version']}" for event in order.events)
        table.add_row(order.order_id, f"{order.status} v{order.version}", events, read)
    console.print(table)
