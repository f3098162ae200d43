"""Envelopes: whatever is published is judged as a plain reading of the docs would, and delivered as they say."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulators.eventgrid.conversion import DELIVERABLE, DeliverySchema, Stored, payload
from emulators.eventgrid.errors import Refused
from emulators.eventgrid.mapping import NO_MAPPING, parse_mapping
from emulators.eventgrid.schemas import Event, Reception, Schema, read_cloud_events, read_custom, read_event_grid
from tests.emulators.eventgrid.conftest import ARM

TOPIC = f"{ARM}/topics/orders"
SCHEMAS = "articles/event-grid event-schema, cloud-event-schema, input-mappings, webhook-event-delivery"
NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
RECEPTION = Reception(TOPIC, NO_MAPPING, lambda: "fresh", NOW)

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
texts = st.sampled_from(["", "a", "orders/update", "ä", "\U0001f600"])
times = st.sampled_from(
    ["2026-11-23T10:00:00Z", "2026-11-23T10:00:00", "2026-11-23T10:00:00.1234567+02:00", "soon", ""]
)
odd: st.SearchStrategy[Any] = st.sampled_from([None, 7, {}, []])
GOOD = {
    "id": "1",
    "subject": "s",
    "eventType": "T",
    "eventTime": "2026-11-23T10:00:00Z",
    "dataVersion": "1.0",
    "data": {"n": 1},
}


@st.composite
def event_grid_events(draw: st.DrawFn) -> dict[str, Any]:
    """Events that are right but for what is drawn to be wrong."""
    changes = draw(
        st.fixed_dictionaries(
            {},
            optional={
                "id": texts | odd,
                "subject": texts | odd,
                "eventType": texts | odd,
                "eventTime": times | odd,
                "dataVersion": texts | odd,
                "data": json_values,
                "metadataVersion": st.sampled_from([None, "1", "2", 1]),
                "topic": st.sampled_from([None, "", TOPIC, TOPIC.upper(), "other"]),
                "further": st.just(1),
            },
        )
    )
    gone = draw(st.sets(st.sampled_from(sorted(GOOD)), max_size=1))
    return {name: value for name, value in (GOOD | changes).items() if name not in gone}


def is_time(value: object) -> bool:
    """A date and time, with or without a zone."""
    return isinstance(value, str) and value not in ("", "soon")


def is_event_grid(event: Mapping[str, Any]) -> bool:
    """The docs' rules and what was seen on Azure, one a line."""
    return all((
        set(event) <= {*GOOD, "metadataVersion", "topic"},
        all(isinstance(event.get(name), str) and event[name] for name in ("id", "subject", "eventType", "eventTime")),
        is_time(event.get("eventTime")),
        "dataVersion" not in event or (isinstance(event["dataVersion"], str) and event["dataVersion"] != ""),
        event.get("metadataVersion") in (None, "1"),
        not event.get("topic") or str(event["topic"]).lower() == TOPIC.lower(),
    ))  # fmt: skip


def accepted(read: Any) -> list[Event] | None:
    """What was read, or None when it was refused."""
    try:
        found: list[Event] = read()
    except Refused:
        return None
    return found


@pytest.mark.seen_on_azure("parity suite of pm7y/AzureEventGridSimulator, run against Azure; " + SCHEMAS)
@given(st.lists(event_grid_events(), max_size=3))
def test_event_grid_events_are_judged_by_the_plain_rules(events: list[dict[str, Any]]) -> None:
    """All of a request or none of it; an accepted event keeps what it had and gets its topic and metadata version."""
    read = accepted(lambda: read_event_grid(orjson.dumps(events), RECEPTION))
    if not events or not all(is_event_grid(each) for each in events):
        assert read is None
        return
    assert read is not None
    filled = {"topic": TOPIC, "metadataVersion": "1"}
    assert [dict(each.document) for each in read] == [{"dataVersion": ""} | each | filled for each in events]


@pytest.mark.seen_on_azure("parity suite of pm7y/AzureEventGridSimulator, run against Azure; " + SCHEMAS)
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "id": texts | odd,
            "type": texts | odd,
            "source": texts | odd,
            "specversion": texts | odd,
            "time": times | odd,
            "subject": texts | odd,
            "data": json_values,
            "data_base64": texts,
            "extension": texts,
        },
    )
)
def test_cloud_events_are_judged_by_the_plain_rules(event: dict[str, Any]) -> None:
    """Id and type are demanded, a time must be one, everything else goes through as it is."""
    headers = {"content-type": "application/cloudevents+json; charset=utf-8"}
    read = accepted(lambda: read_cloud_events(headers, orjson.dumps(event), RECEPTION))
    right = all(isinstance(event.get(name), str) and event[name] for name in ("id", "type"))
    right = right and (event.get("time") is None or is_time(event["time"]))
    assert (read is not None) == right
    if read is not None:
        assert dict(read[0].document) == event


@pytest.mark.documented("CloudEvents HTTP protocol binding 1.0.2, section 3.1")
@given(texts, st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1), json_values)
def test_a_binary_cloud_event_is_its_headers_and_its_body(subject: str, extension: str, data: Any) -> None:
    """Attributes are percent-decoded; the content type becomes datacontenttype."""
    headers = {
        "content-type": "application/json",
        "ce-id": "1",
        "ce-type": "T",
        "ce-source": "/s",
        "ce-specversion": "1.0",
        "ce-subject": quote(subject),
        "ce-extension": quote(extension),
    }
    (event,) = read_cloud_events(headers, orjson.dumps(data), RECEPTION)
    assert dict(event.document) == {
        "id": "1", "type": "T", "source": "/s", "specversion": "1.0", "subject": subject, "extension": extension,
        "datacontenttype": "application/json", "data": data,
    }  # fmt: skip


@pytest.mark.documented(SCHEMAS)
@given(st.dictionaries(st.sampled_from(["kind", "about", "version", "key"]), texts | json_values, max_size=4))
def test_custom_events_are_mapped_by_the_plain_rules(original: dict[str, Any]) -> None:
    """Texts and numbers are taken, else the default, else the request is refused; the original is the data."""
    fields = {
        "id": {"sourceField": "key"},
        "eventType": {"sourceField": "kind", "defaultValue": "D"},
        "subject": {"sourceField": "about"},
        "dataVersion": {"defaultValue": "1"},
    }
    mapping = parse_mapping({"inputSchemaMappingType": "Json", "properties": fields})
    reception = Reception(TOPIC, mapping, lambda: "fresh", NOW)
    read = accepted(lambda: read_custom(orjson.dumps([original]), reception))

    def taken(name: str) -> str | None:
        value = original.get(name)
        if isinstance(value, str):
            return value or None
        return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else None

    assert (read is not None) == (taken("about") is not None)
    if read is not None:
        envelope = read[0].document
        found = {name: envelope[name] for name in ("id", "eventType", "subject", "dataVersion", "data", "topic")}
        assert found == {
            "id": taken("key") or "fresh", "eventType": taken("kind") or "D", "subject": taken("about"),
            "dataVersion": "1", "data": original, "topic": TOPIC,
        }  # fmt: skip


@pytest.mark.documented(SCHEMAS)
@given(event_grid_events().filter(is_event_grid), st.booleans())
def test_event_grid_events_become_cloud_events_by_the_docs_table(event: dict[str, Any], batched: bool) -> None:
    """Topic is the source, eventType the type, eventTime the time; one bare object unless batched."""
    (read,) = read_event_grid(orjson.dumps([event]), RECEPTION)
    made = payload([Stored(read.schema, read.body)], DeliverySchema.CLOUD_EVENT, batched=batched)
    document = orjson.loads(made.body)
    delivered = document[0] if batched else document
    assert delivered == {
        "id": event["id"], "source": TOPIC, "specversion": "1.0", "type": event["eventType"],
        "subject": event["subject"], "time": event["eventTime"],
        **({"data": event["data"]} if "data" in event else {}),
    }  # fmt: skip
    assert ("batch" in made.content_type) == batched


@pytest.mark.documented(SCHEMAS)
@pytest.mark.parametrize("schema", Schema)
def test_the_schemas_that_a_topics_events_may_be_delivered_in(schema: Schema) -> None:
    """As published or as CloudEvents; a custom event also in an Event Grid envelope; a CloudEvent only as itself."""
    also = {
        Schema.EVENT_GRID: {DeliverySchema.EVENT_GRID, DeliverySchema.CLOUD_EVENT},
        Schema.CLOUD_EVENT: {DeliverySchema.CLOUD_EVENT},
        Schema.CUSTOM: set(DeliverySchema),
    }
    assert set(DELIVERABLE[schema]) == also[schema]
