"""Filters: the docs' rules against a plain reference, and what a filter may say."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulators.eventgrid.filters import OPERATORS, parse_filter
from emulators.eventgrid.schemas import Event, Schema
from tests.emulators.eventgrid.conftest import Emulator, event
from tests.emulators.eventgrid.subscriber import Subscriber

FILTERING = "articles/event-grid event-filtering"
ABSENT = object()

words = st.sampled_from(["", "a", "A", "ab", "AB", "abc", "bc", "ss", "x"])
numbers = st.integers(-3, 3) | st.sampled_from([0.5, -1.5])
values = words | numbers | st.booleans() | st.none() | st.just(ABSENT)
arrays = st.lists(words | numbers | st.booleans(), max_size=3)


def matches(condition: dict[str, Any], data: Any, *, over_arrays: bool = False) -> bool:
    """What the emulator says of an event whose data.key is `data`."""
    document = event(data={} if data is ABSENT else {"key": data})
    wanted = parse_filter(
        {"advancedFilters": [{"key": "data.key", **condition}], "enableAdvancedFilteringOnArrays": over_arrays}
    )
    return wanted.matches(Event(Schema.EVENT_GRID, "1", document))


def is_number(value: object) -> bool:
    """A JSON number."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def string_reference(name: str, found: str, wanted: list[str]) -> bool:
    """The string operators in the docs' words."""
    text, each = found.lower(), [one.lower() for one in wanted]
    positive = {
        "Contains": any(one in text for one in each),
        "BeginsWith": any(text.startswith(one) for one in each),
        "EndsWith": any(text.endswith(one) for one in each),
        "In": text in each,
    }
    negated = name.startswith("StringNot")
    return positive[name.removeprefix("StringNot" if negated else "String")] != negated


@pytest.mark.documented(FILTERING)
@given(st.sampled_from([name for name in OPERATORS if name.startswith("String")]), st.lists(words, min_size=1), values)
def test_string_operators_agree_with_the_docs(name: str, wanted: list[str], found: Any) -> None:
    """Values join by OR, negatives mean none of them, case never counts, a missing key is StringNotIn's only."""
    said = matches({"operatorType": name, "values": wanted[:25]}, found)
    if found is ABSENT or found is None:
        assert said == (name == "StringNotIn")
    else:
        assert said == (isinstance(found, str) and string_reference(name, found, wanted))


@pytest.mark.documented(FILTERING)
@given(
    st.sampled_from(["LessThan", "LessThanOrEquals", "GreaterThan", "GreaterThanOrEquals", "In", "NotIn"]),
    numbers,
    values,
)
def test_number_operators_agree_with_the_docs(name: str, wanted: float, found: Any) -> None:
    """Comparisons of numbers with numbers; a missing key is NumberNotIn's only."""
    member: dict[str, Any] = {"values": [wanted]} if name in ("In", "NotIn") else {"value": wanted}
    said = matches({"operatorType": f"Number{name}", **member}, found)
    if found is ABSENT or found is None:
        assert said == (name == "NotIn")
    elif not is_number(found):
        assert not said
    else:
        table = {
            "LessThan": found < wanted,
            "LessThanOrEquals": found <= wanted,
            "GreaterThan": found > wanted,
            "GreaterThanOrEquals": found >= wanted,
            "In": found == wanted,
            "NotIn": found != wanted,
        }
        assert said == table[name]


@pytest.mark.documented(FILTERING)
@given(numbers, numbers, numbers)
def test_ranges_hold_their_ends(low: float, high: float, found: float) -> None:
    """NumberInRange is inclusive, NumberNotInRange its opposite for numbers."""
    bounds = sorted((low, high))
    inside = bounds[0] <= found <= bounds[1]
    assert matches({"operatorType": "NumberInRange", "values": [bounds]}, found) == inside
    assert matches({"operatorType": "NumberNotInRange", "values": [bounds]}, found) != inside


@pytest.mark.documented(FILTERING)
@given(values)
def test_null_and_bool_operators(found: Any) -> None:
    """A JSON null is as good as a key that is not there."""
    gone = found is ABSENT or found is None
    assert matches({"operatorType": "IsNullOrUndefined"}, found) == gone
    assert matches({"operatorType": "IsNotNull"}, found) != gone
    assert matches({"operatorType": "BoolEquals", "value": True}, found) == (found is True)


@pytest.mark.documented(FILTERING)
@given(st.sampled_from([name for name in OPERATORS if name.startswith("String")]), st.lists(words, min_size=1), arrays)
def test_arrays_pass_only_when_told_to(name: str, wanted: list[str], found: list[Any]) -> None:
    """A positive operator wants any element, a negative one none; elements of other types are ignored."""
    condition = {"operatorType": name, "values": wanted[:25]}
    texts = [each for each in found if isinstance(each, str)]
    some_or_all = all if "Not" in name else any
    expected = some_or_all(string_reference(name, each, wanted) for each in texts)
    assert matches(condition, found, over_arrays=True) == expected
    assert not matches(condition, found)


@pytest.mark.documented(FILTERING)
def test_types_and_subjects(emulator: Emulator, webhook: Subscriber) -> None:
    """Event types by name, the subject's two ends, case of the subject only where it is asked for."""
    endpoint = emulator.topic("orders")
    wanted = {"includedEventTypes": ["Kept"], "subjectBeginsWith": "/A/", "subjectEndsWith": ".jpg"}
    emulator.subscribe("orders", "folded", webhook.url, filter=wanted)
    emulator.subscribe("orders", "exact", webhook.url, filter=wanted | {"isSubjectCaseSensitive": True})
    events = [
        event(id="1", eventType="Kept", subject="/A/b.jpg"),
        event(id="2", eventType="Kept", subject="/a/b.JPG"),
        event(id="3", eventType="Other", subject="/A/b.jpg"),
        event(id="4", eventType="Kept", subject="/A/b.png"),
    ]
    emulator.publish(endpoint, events)
    got = {(each.headers["aeg-subscription-name"], each.document[0]["id"]) for each in webhook.wait_for(3)}
    assert got == {("FOLDED", "1"), ("FOLDED", "2"), ("EXACT", "1")}
    assert emulator.totals()["UnmatchedEventCount"] == 2


@pytest.mark.documented(FILTERING)
@pytest.mark.parametrize(
    ("condition", "says"),
    [
        ({"operatorType": "StringIs", "key": "a", "values": ["x"]}, "operatorType must be one of"),
        ({"operatorType": "StringIn", "key": "", "values": ["x"]}, "key must be"),
        ({"operatorType": "StringIn", "key": "a", "values": []}, "values is required"),
        ({"operatorType": "StringIn", "key": "a", "values": ["x" * 513]}, "512 characters"),
        ({"operatorType": "StringIn", "key": "a", "values": ["x"] * 26}, "25 values"),
        ({"operatorType": "NumberInRange", "key": "a", "values": [[1]]}, "pairs of numbers"),
        ({"operatorType": "NumberLessThan", "key": "a", "value": "1"}, "must be a number"),
    ],
)
def test_an_invalid_filter_is_refused_by_name(emulator: Emulator, condition: dict[str, Any], says: str) -> None:
    """400 with ARM's error body, saying which filter and why."""
    emulator.topic("orders")
    destination = {"endpointType": "WebHook", "properties": {"endpointUrl": "http://127.0.0.1:1/"}}
    body = {"properties": {"destination": destination, "filter": {"advancedFilters": [condition]}}}
    answer = emulator.arm("PUT", "/topics/orders/providers/Microsoft.EventGrid/eventSubscriptions/sub", body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "InvalidRequest")
    assert says in answer.json()["error"]["message"]
