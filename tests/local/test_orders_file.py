"""Files of orders become each order's own sequence of commands."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.orders_file import OrdersFileError, read_orders

COLUMNS = (
    "order_id,customer_id,order_status,order_purchase_timestamp,order_approved_at,"
    "order_delivered_carrier_date,order_delivered_customer_date,order_estimated_delivery_date\n"
)


def test_a_csv_row_becomes_its_life_cycle_and_its_final_status(tmp_path: Path) -> None:
    """A status happened where its time is present; the row's own status comes last where it is another one."""
    file = tmp_path / "orders.csv"
    file.write_text(
        COLUMNS
        + "a,c,delivered,2017-07-09,2017-07-09,2017-07-11,2017-07-26,2017-08-01\n"
        + "b,c,canceled,2017-07-09,,,,2017-08-01\n"
        + "c,c,invoiced,2017-07-09,2017-07-10,,,2017-08-01\n"
    )
    assert read_orders(file) == {
        "a": ["created", "approved", "shipped", "delivered"],
        "b": ["created", "canceled"],
        "c": ["created", "approved", "invoiced"],
    }
    assert list(read_orders(file, orders_max=2)) == ["a", "b"]


def test_ndjson_lines_keep_each_orders_own_sequence(tmp_path: Path) -> None:
    """Interleaved orders are told apart, and blank lines do not matter."""
    file = tmp_path / "orders.ndjson"
    file.write_text(
        '{"orderId": "a", "status": "created"}\n\n{"orderId": "b", "status": "created"}\n'
        '{"orderId": "a", "status": "approved"}\n'
    )
    assert read_orders(file) == {"a": ["created", "approved"], "b": ["created"]}


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("orders.csv", "id,status\n1,created\n", "lacks the columns"),
        ("orders.ndjson", '{"orderId": "a"}\n', "line 1 is not"),
        ("orders.ndjson", "[]\n", "line 1 is not"),
        ("orders.ndjson", '{"orderId": 1, "status": "created"}\n', "line 1: orderId and status are strings"),
        ("orders.csv", COLUMNS, "holds no orders"),
    ],
)
def test_a_file_that_cannot_be_replayed_says_why(tmp_path: Path, name: str, content: str, says: str) -> None:
    """The line and what it should hold are named, and nothing is sent."""
    file = tmp_path / name
    file.write_text(content)
    with pytest.raises(OrdersFileError, match=says):
        read_orders(file)
