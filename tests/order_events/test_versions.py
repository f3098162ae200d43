"""Past versions decode for ever: what was once published, and steps that lead from one version to the next."""

from __future__ import annotations

import json
from collections.abc import Mapping
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
    Versions,
    decode,
    read_document,
    to_cloud_event,
    to_document,
    to_event_grid_event,
)
from order_events.versions import DATA_VERSION, UPCASTS, VERSIONS
from tests.order_events.test_envelopes import events

PUBLISHED = Path(__file__).parent / "published"
"""Examples of each version as it was once written: <version>-<what>.json. Never change one; add."""
AS_TODAY = OrderStatusUpdated(
    event_id="event:1",
    order_id="o-1",
    status=OrderStatus.APPROVED,
    previous_status=OrderStatus.CREATED,
    version=2,
    occurred_at=datetime(2026, 1, 2, 3, 4, 5, 600_000, tzinfo=UTC),
    command_id="c",
    traceparent=None,
)


@pytest.mark.parametrize("example", sorted(PUBLISHED.glob("*.json")), ids=lambda path: path.stem)
def test_what_was_once_published_is_understood_today(example: Path) -> None:
    """Every example of every past version, in each envelope and as stored, says today what it said then."""
    text = example.read_text(encoding="utf-8")
    read = read_document(json.loads(text)) if "stored" in example.stem else decode(text)
    assert read == AS_TODAY


def test_every_version_has_examples() -> None:
    """The current version and each that a step leads from have an example in both envelopes and as stored."""
    for version in {DATA_VERSION, *(f"{major}.0" for major in UPCASTS)}:
        kinds = {path.stem.removeprefix(f"{version}-") for path in PUBLISHED.glob(f"{version}-*.json")}
        assert {"event-grid", "cloud-event", "stored"} <= kinds, version


def from_first(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """A step as the next change would bring one: two members become one, another gets its present name."""
    rest = {name: value for name, value in data.items() if name not in ("orderNumber", "site", "state")}
    return {**rest, "orderId": f"{data['site']}-{data['orderNumber']}", "status": data["state"]}


def from_second(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """Another: statuses get lower case."""
    return {**data, "status": data["status"].lower()}


LATER = Versions(3, {1: from_first, 2: from_second})


def as_second(event: OrderStatusUpdated) -> dict[str, Any]:
    """What version 2 would have said."""
    return {**event.data(), "status": event.status.value.upper()}


def as_first(event: OrderStatusUpdated) -> dict[str, Any]:
    """What version 1 would have said."""
    site, _, number = event.order_id.partition("-")
    kept = {name: value for name, value in event.data().items() if name not in ("orderId", "status")}
    return {**kept, "site": site, "orderNumber": number, "state": event.status.value.upper()}


@given(events, st.sampled_from(["de", "nl", "X1"]), st.integers(0, 99))
def test_steps_lead_from_any_past_version_to_today(event: OrderStatusUpdated, site: str, minor: int) -> None:
    """An event of any past version, in each envelope and as stored, is the event of today."""
    today = event.model_copy(update={"order_id": f"{site}-{event.order_id}"[:100]})
    for major, data in ((1, as_first(today)), (2, as_second(today)), (3, today.data())):
        version = f"{major}.{minor}"
        extra = {"addedByAMinorVersion": minor}
        grid = {**to_event_grid_event(today), "dataVersion": version, "data": {**data, **extra}}
        cloud = {**to_cloud_event(today), "dataversion": version, "data": {**data, **extra}}
        assert decode(json.dumps(grid), LATER) == decode(json.dumps(cloud), LATER) == today
        stored = {"eventId": today.event_id, "dataVersion": version, **data}
        assert read_document(stored, LATER) == today


@given(st.integers(0, 9999), st.none() | st.integers(0, 9999))
def test_versions_that_no_step_leads_from_are_refused(major: int, minor: int | None) -> None:
    """A version is understood if and only if it is among those known; else it is refused by its name."""
    version = str(major) if minor is None else f"{major}.{minor}"
    document = {**to_document(AS_TODAY), "dataVersion": version}
    if VERSIONS.oldest <= major <= VERSIONS.current:
        assert read_document(document) == AS_TODAY
    else:
        with pytest.raises(UndecodableEvent, match=version):
            read_document(document)


@pytest.mark.parametrize("spoilt", [{}, {"site": "de"}, {"site": "de", "orderNumber": "1", "state": None}])
def test_data_that_a_step_cannot_read_is_undecodable(spoilt: dict[str, Any]) -> None:
    """Data that is not what its version says it is gets refused with a reason, not with an accident."""
    with pytest.raises(UndecodableEvent):
        read_document({"eventId": "event:1", "dataVersion": "1.0", **spoilt}, LATER)


def test_steps_without_a_gap() -> None:
    """A table that cannot lead from some version to today is a mistake that shows at import."""
    with pytest.raises(AssertionError):
        Versions(3, {1: from_first})


@pytest.mark.parametrize("document", [{}, {"eventId": "e"}, {"eventId": 7, "dataVersion": "1.0"}])
def test_a_stored_document_that_is_no_event_is_undecodable(document: dict[str, Any]) -> None:
    """A document without an event's id or version is refused with a reason."""
    with pytest.raises(UndecodableEvent):
        read_document(document)
