"""The published language: what is written is read back, whatever the envelope; what is not understood is refused."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from order_events import (
    OrderStatus,
    OrderStatusUpdated,
    UndecodableEvent,
    decode,
    format_moment,
    is_order_id,
    read_document,
    to_cloud_event,
    to_document,
    to_event_grid_event,
)

VERSION_1_0 = (Path(__file__).parent / "published" / "1.0-event-grid.json").read_text(encoding="utf-8")

moments = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
order_ids = st.text("abcXYZ019._-", min_size=1, max_size=128).filter(is_order_id)
events = st.fixed_dictionaries(
    {
        "event_id": st.text(min_size=1),
        "order_id": order_ids,
        "status": st.sampled_from(OrderStatus),
        "previous_status": st.none() | st.sampled_from(OrderStatus),
        "version": st.integers(1, 2**53),
        "occurred_at": moments,
        "command_id": st.text(min_size=1, max_size=100),
        "traceparent": st.none() | st.text(max_size=55),
    }
).map(OrderStatusUpdated.model_validate)
json_values: st.SearchStrategy[Any] = st.deferred(
    lambda: (
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False)
        | st.text(max_size=20)
        | st.lists(json_values, max_size=2)
        | st.dictionaries(st.text(max_size=8), json_values, max_size=2)
    )
)


def first() -> dict[str, Any]:
    """Version 1.0 as a document, to spoil."""
    document: dict[str, Any] = json.loads(VERSION_1_0)
    return document


@given(events)
def test_both_envelopes_are_read_back(event: OrderStatusUpdated) -> None:
    """An event survives either envelope, its data being a string, and being stored."""
    assert read_document(json.loads(json.dumps(to_document(event)))) == event
    for envelope in (to_event_grid_event(event), to_cloud_event(event)):
        assert decode(json.dumps(envelope)) == event
        envelope["data"] = json.dumps(envelope["data"])
        assert decode(json.dumps(envelope)) == event


def test_a_newer_minor_version_only_adds() -> None:
    """Members of a later minor version are ignored."""
    document = first() | {"dataVersion": "1.7"}
    document["data"]["giftWrap"] = True
    assert decode(json.dumps(document)) == decode(VERSION_1_0)


@pytest.mark.parametrize("version", ["2.0", "0.9", "", "one", "1.0.0", "-1", None, 1])
def test_an_unknown_version_is_refused_by_name(version: object) -> None:
    """Data of a version that is not understood is not guessed at."""
    with pytest.raises(UndecodableEvent, match="dataVersion"):
        decode(json.dumps(first() | {"dataVersion": version}))


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("orderId", "a/b"),
        ("status", "lost"),
        ("previousStatus", 3),
        ("version", 0),
        ("version", "2"),
        ("version", 2.5),
        ("occurredAt", "2026-01-02T03:04:05"),
        ("commandId", ""),
    ],
)
def test_wrong_data_is_refused_by_member(member: str, value: object) -> None:
    """Data that cannot be an event names the member that is wrong."""
    document = first()
    document["data"][member] = value
    with pytest.raises(UndecodableEvent, match=rf"data\.{member}"):
        decode(json.dumps(document))


def test_a_member_has_one_name() -> None:
    """The names of this code's attributes are not names on the wire."""
    document = first()
    document["data"]["order_id"] = document["data"].pop("orderId")
    with pytest.raises(UndecodableEvent, match=r"data\.orderId"):
        decode(json.dumps(document))


@pytest.mark.parametrize(
    "text", ["", "[]", "7", '{"id": "x"}', "[" * 10_000, '{"eventType": "OrderStatusUpdated", "dataVersion": "1.0"}']
)
def test_what_is_no_event_is_refused(text: str) -> None:
    """Text that is not an envelope of ours is refused with a reason."""
    with pytest.raises(UndecodableEvent):
        decode(text)


@given(st.dictionaries(st.sampled_from(["id", "eventType", "type", "specversion", "dataVersion", "data"]), json_values))
def test_nothing_breaks_the_decoder(document: dict[str, Any]) -> None:
    """Whatever JSON comes, the decoder answers with an event or a refusal."""
    text = json.dumps({"eventType": "OrderStatusUpdated", **document})
    with contextlib.suppress(UndecodableEvent):
        assert isinstance(decode(text), OrderStatusUpdated)


@given(moments, moments)
def test_text_order_is_time_order(one: datetime, other: datetime) -> None:
    """Moments compare as text as they do as moments."""
    assert (format_moment(one) < format_moment(other)) == (one < other)


@pytest.mark.parametrize(
    ("text", "fits"),
    [("a", True), ("A-Z_9.x", True), ("...", True), ("x" * 128, True), ("", False), ("x" * 129, False)]
    + [(text, False) for text in (".", "..", "a b", "a/b", "ä", "a\n", "a:b")],
)
def test_order_ids_are_safe_everywhere(text: str, fits: bool) -> None:
    """An order id can stand in a URL, a header and a document id as it is."""
    assert is_order_id(text) is fits
