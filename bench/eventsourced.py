"""The same order flow with the `eventsourcing` library: aggregates and a projection on SQLite files, in one process.

Nothing crosses a network, nothing is signed, no HTTP is parsed: what a user gives up for the service's deployment.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from eventsourcing.application import AggregateNotFoundError, Application
from eventsourcing.domain import Aggregate, event
from eventsourcing.system import MultiThreadedRunner, ProcessApplication, System

POLL_SECONDS = 0.0005


class Order(Aggregate):
    """An order and its status."""

    @event("Created")
    def __init__(self, order_id: str, status: str) -> None:
        self.order_id = order_id
        self.status = status

    @staticmethod
    def create_id(order_id: str) -> UUID:
        """The aggregate's id, from the order's."""
        return uuid5(NAMESPACE_URL, order_id)

    @event("StatusUpdated")
    def update(self, status: str) -> None:
        """Take another status."""
        self.status = status


class Orders(Application[UUID]):
    """The write side."""

    def update(self, order_id: str, status: str) -> int:
        """Give an order a status; the number of its notification."""
        try:
            order: Any = self.repository.get(Order.create_id(order_id))
            order.update(status)
        except AggregateNotFoundError:
            order = Order(order_id, status)
        return int(self.save(order)[-1].notification.id)


class View(Aggregate):
    """The read side: an order's status, kept where its own updates are events again."""

    def __init__(self, order: UUID, status: str) -> None:
        self.order = order
        self.status = status

    @staticmethod
    def create_id(order: UUID, status: str) -> UUID:
        """The view's id, from the order's."""
        return uuid5(order, "view")

    @event("Shown")
    def show(self, status: str) -> None:
        """Show another status."""
        self.status = status


class Views(ProcessApplication[UUID]):
    """The projection: events into views, and how far it has got, in one transaction."""

    def policy(self, domain_event: Any, processing_event: Any) -> None:
        """Whatever comes: both kinds of events have a status."""
        order, status = domain_event.originator_id, domain_event.status
        try:
            view: Any = self.repository.get(View.create_id(order, status))
            view.show(status)
        except AggregateNotFoundError:
            view = View(order, status)
        processing_event.collect_events(view)


@dataclass
class Figures:
    """Commands projected a second, and seconds from a command to its view in an idle system."""

    rate: float = 0.0
    lags: list[float] = field(default_factory=list)


def measure(orders: int, idle_commands: int) -> Figures:
    """One round in a directory of its own."""
    with tempfile.TemporaryDirectory() as directory:
        environment = {
            "PERSISTENCE_MODULE": "eventsourcing.sqlite",
            "ORDERS_SQLITE_DBNAME": str(Path(directory) / "orders.sqlite"),
            "VIEWS_SQLITE_DBNAME": str(Path(directory) / "views.sqlite"),
        }
        figures = Figures()
        running: Any = MultiThreadedRunner(System(pipes=[[Orders, Views]]), env=environment)
        with running as runner:
            commands, views = runner.get(Orders), runner.get(Views)

            def until_projected(notification: int) -> None:
                while (views.recorder.max_tracking_id(Orders.name) or 0) < notification:
                    time.sleep(POLL_SECONDS)

            began, last = time.perf_counter(), 0
            for number in range(orders):
                for status in ("created", "approved"):
                    last = commands.update(f"order-{number}", status)
            until_projected(last)
            figures.rate = 2 * orders / (time.perf_counter() - began)
            for number in range(idle_commands):
                noted = commands.update(f"idle-{number}", "created")
                answered = time.perf_counter()
                until_projected(noted)
                figures.lags.append(time.perf_counter() - answered)
        return figures
