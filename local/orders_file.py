"""Reads files of orders as sequences of commands: the Olist CSV shape, or NDJSON of {"orderId", "status"}.

Pure: a path in, each order's statuses in its own sequence out.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

LIFE_CYCLE_COLUMNS = (
    ("created", "order_purchase_timestamp"),
    ("approved", "order_approved_at"),
    ("shipped", "order_delivered_carrier_date"),
    ("delivered", "order_delivered_customer_date"),
)
"""The CSV's columns in life-cycle order: a status happened where its time is present."""


class OrdersFileError(Exception):
    """The file is not one that can be replayed. Names the line and what it should hold."""


def read_orders(file: Path, *, orders_max: int | None = None) -> dict[str, list[str]]:
    """Each order's statuses in sequence, orders in the file's order, the first `orders_max` of them."""
    with file.open(encoding="utf-8", newline="") as lines:
        commands = _from_ndjson(lines) if file.suffix in (".ndjson", ".jsonl", ".json") else _from_csv(lines)
        orders: dict[str, list[str]] = {}
        for order_id, status in commands:
            orders.setdefault(order_id, []).append(status)
    if not orders:
        raise OrdersFileError(f"{file} holds no orders")
    return dict(islice(orders.items(), orders_max))


def _from_csv(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    rows = csv.DictReader(lines)
    needed = {"order_id", "order_status", *(column for _, column in LIFE_CYCLE_COLUMNS)}
    if missing := needed - set(rows.fieldnames or ()):
        raise OrdersFileError(f"the CSV lacks the columns {sorted(missing)}; NDJSON files end in .ndjson")
    for row in rows:
        last = ""
        for status, column in LIFE_CYCLE_COLUMNS:
            if row[column]:
                last = status
                yield row["order_id"], status
        if row["order_status"] != last:
            yield row["order_id"], row["order_status"]


def _from_ndjson(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            document = json.loads(line)
            order_id, status = document["orderId"], document["status"]
        except (ValueError, KeyError, TypeError) as failure:
            raise OrdersFileError(f'line {number} is not {{"orderId": …, "status": …}}: {line[:100]!r}') from failure
        if not isinstance(order_id, str) or not isinstance(status, str):
            raise OrdersFileError(f"line {number}: orderId and status are strings, got {line[:100]!r}")
        yield order_id, status
