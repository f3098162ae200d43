"""Which events a subscription gets: event types, subject, and the advanced operators.

Pure: `parse_filter` turns ARM's `filter` into a `Filter` once, `Filter.matches` is asked for every event. Where a key
is missing the docs' table is followed (event-filtering); `matches` of `NumberNotInRange` on a missing key is our
choice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from emulators.eventgrid import limits
from emulators.eventgrid.errors import Misstated
from emulators.eventgrid.paths import MISSING, lookup
from emulators.eventgrid.schemas import Event, Schema

Scalar: TypeAlias = str | float | bool
Range: TypeAlias = tuple[float, float]
Test: TypeAlias = Callable[[Any, Any], bool]
"""(a value of the event, a value of the filter) → whether they meet, types already being right."""


@dataclass(frozen=True, slots=True)
class Operator:
    """One advanced operator, as data."""

    takes: str
    """What its filter values are: number, range, bool, string or nothing."""
    test: Test
    single: bool = False
    """`value` instead of `values`."""
    negative: bool = False
    """Holds when no value meets."""
    holds_when_missing: bool = False


def _folded(test: Callable[[str, str], bool]) -> Test:
    return lambda found, wanted: test(found.casefold(), wanted.casefold())


def _within(found: float, wanted: Range) -> bool:
    return wanted[0] <= found <= wanted[1]


_contains = _folded(lambda found, wanted: wanted in found)
_begins = _folded(str.startswith)
_ends = _folded(str.endswith)
_same_text = _folded(str.__eq__)
_same: Test = lambda found, wanted: found == wanted  # noqa: E731 - one row of a table

OPERATORS: Mapping[str, Operator] = {
    "NumberIn": Operator("number", _same),
    "NumberNotIn": Operator("number", _same, negative=True, holds_when_missing=True),
    "NumberLessThan": Operator("number", lambda found, wanted: found < wanted, single=True),
    "NumberLessThanOrEquals": Operator("number", lambda found, wanted: found <= wanted, single=True),
    "NumberGreaterThan": Operator("number", lambda found, wanted: found > wanted, single=True),
    "NumberGreaterThanOrEquals": Operator("number", lambda found, wanted: found >= wanted, single=True),
    "NumberInRange": Operator("range", _within),
    "NumberNotInRange": Operator("range", _within, negative=True, holds_when_missing=True),
    "BoolEquals": Operator("bool", _same, single=True),
    "StringContains": Operator("string", _contains),
    "StringNotContains": Operator("string", _contains, negative=True),
    "StringBeginsWith": Operator("string", _begins),
    "StringNotBeginsWith": Operator("string", _begins, negative=True),
    "StringEndsWith": Operator("string", _ends),
    "StringNotEndsWith": Operator("string", _ends, negative=True),
    "StringIn": Operator("string", _same_text),
    "StringNotIn": Operator("string", _same_text, negative=True, holds_when_missing=True),
    "IsNullOrUndefined": Operator("nothing", _same, holds_when_missing=True),
    "IsNotNull": Operator("nothing", _same),
}


@dataclass(frozen=True, slots=True)
class Condition:
    """One advanced filter: an operator, the key it looks at, and its values."""

    operator: str
    key: str
    values: Sequence[Any]

    def holds(self, fields: Mapping[str, Any], *, arrays: bool) -> bool:
        """Whether the event with these fields passes. `arrays` is `enableAdvancedFilteringOnArrays`."""
        operator = OPERATORS[self.operator]
        found = lookup(fields, self.key)
        absent = found is MISSING or found is None
        if operator.takes == "nothing":
            return absent == operator.holds_when_missing
        if absent:
            return operator.holds_when_missing
        if isinstance(found, list):
            if not arrays or any(isinstance(each, dict) for each in found):
                return False
            candidates = [each for each in found if is_of_kind(each, operator.takes)]
        elif is_of_kind(found, operator.takes):
            candidates = [found]
        else:
            return False
        met = any(operator.test(each, wanted) for each in candidates for wanted in self.values)
        return met != operator.negative


@dataclass(frozen=True, slots=True)
class Filter:
    """A subscription's whole filter. Its parts are joined by AND."""

    event_types: frozenset[str] | None = None
    subject_begins_with: str = ""
    subject_ends_with: str = ""
    subject_case_sensitive: bool = False
    conditions: tuple[Condition, ...] = ()
    arrays: bool = False

    def matches(self, event: Event) -> bool:
        """Whether the subscription gets `event`."""
        document = event.document
        cloud = event.schema is Schema.CLOUD_EVENT
        if self.event_types is not None:
            event_type = document.get("type" if cloud else "eventType", "")
            if event_type.casefold() not in self.event_types:
                return False
        if not self._subject_matches(document.get("subject") or ""):
            return False
        if not self.conditions:
            return True
        fields = document["data"] if event.schema is Schema.CUSTOM else document
        return all(each.holds(fields, arrays=self.arrays) for each in self.conditions)

    def _subject_matches(self, subject: object) -> bool:
        begins, ends = self.subject_begins_with, self.subject_ends_with
        if not (begins or ends):
            return True
        text = subject if isinstance(subject, str) else ""
        if not self.subject_case_sensitive:
            text, begins, ends = text.casefold(), begins.casefold(), ends.casefold()
        return text.startswith(begins) and text.endswith(ends)


def is_of_kind(value: object, kind: str) -> bool:
    """Whether an event's value is what an operator of `kind` compares."""
    match kind:
        case "string":
            return isinstance(value, str)
        case "bool":
            return isinstance(value, bool)
        case _:
            return isinstance(value, int | float) and not isinstance(value, bool)


def parse_filter(document: object) -> Filter:
    """A filter from ARM's `filter`. Raises Misstated naming the member that is wrong and what it takes."""
    if document is None:
        return Filter()
    if not isinstance(document, dict):
        raise Misstated("filter must be an object")
    known = {
        "subjectBeginsWith", "subjectEndsWith", "includedEventTypes", "isSubjectCaseSensitive",
        "enableAdvancedFilteringOnArrays", "advancedFilters",
    }  # fmt: skip
    if unknown := set(document) - known:
        raise Misstated(f"filter.{min(unknown)} is not known")
    return Filter(
        event_types=_event_types(document.get("includedEventTypes")),
        subject_begins_with=_text(document, "subjectBeginsWith"),
        subject_ends_with=_text(document, "subjectEndsWith"),
        subject_case_sensitive=_flag(document, "isSubjectCaseSensitive"),
        conditions=_conditions(document.get("advancedFilters")),
        arrays=_flag(document, "enableAdvancedFilteringOnArrays"),
    )


def _event_types(document: object) -> frozenset[str] | None:
    if document is None:
        return None
    if not isinstance(document, list) or not all(isinstance(each, str) and each for each in document):
        raise Misstated("filter.includedEventTypes must be an array of non-empty strings")
    folded = frozenset(each.casefold() for each in document)
    return None if not folded or "all" in folded else folded


def _conditions(document: object) -> tuple[Condition, ...]:
    if document is None:
        return ()
    if not isinstance(document, list):
        raise Misstated("filter.advancedFilters must be an array")
    if len(document) > limits.ADVANCED_FILTERS_MAX:
        raise Misstated(f"filter.advancedFilters may hold {limits.ADVANCED_FILTERS_MAX} filters")
    conditions = tuple(_condition(each, f"filter.advancedFilters[{at}]") for at, each in enumerate(document))
    if sum(len(each.values) for each in conditions) > limits.FILTER_VALUES_MAX:
        raise Misstated(f"filter.advancedFilters may hold {limits.FILTER_VALUES_MAX} values in all filters together")
    return conditions


def _condition(document: object, where: str) -> Condition:
    if not isinstance(document, dict):
        raise Misstated(f"{where} must be an object")
    name, key = document.get("operatorType"), document.get("key")
    operator = OPERATORS.get(name) if isinstance(name, str) else None
    if operator is None or not isinstance(name, str):
        raise Misstated(f"{where}.operatorType must be one of {', '.join(OPERATORS)}")
    if not isinstance(key, str) or not key or not all(key.split(".")):
        raise Misstated(f"{where}.key must be a non-empty path such as 'data.name'")
    if operator.takes == "nothing":
        return Condition(name, key, ())
    member = "value" if operator.single else "values"
    given = document.get(member)
    if given is None or (not operator.single and (not isinstance(given, list) or not given)):
        raise Misstated(f"{where}.{member} is required for {name}" + ("" if operator.single else " as an array"))
    values = [given] if operator.single else given
    return Condition(name, key, tuple(_value(each, operator, f"{where}.{member}") for each in values))


def _value(value: Any, operator: Operator, where: str) -> Any:
    if operator.takes == "range":
        if not (isinstance(value, list) and len(value) == 2 and all(is_of_kind(each, "number") for each in value)):
            raise Misstated(f"{where} must hold pairs of numbers")
        low, high = value
        if low > high:
            raise Misstated(f"{where} has the range [{low}, {high}], which is empty")
        return (low, high)
    if not is_of_kind(value, operator.takes):
        raise Misstated(f"{where} must be a {operator.takes}, not {value!r:.50}")
    if isinstance(value, str) and len(value) > limits.FILTER_VALUE_CHARACTERS_MAX:
        raise Misstated(f"{where} may hold {limits.FILTER_VALUE_CHARACTERS_MAX} characters a value")
    return value


def _text(document: Mapping[str, Any], name: str) -> str:
    value = document.get(name)
    if value is not None and not isinstance(value, str):
        raise Misstated(f"filter.{name} must be a string")
    return value or ""


def _flag(document: Mapping[str, Any], name: str) -> bool:
    value = document.get(name)
    if value is not None and not isinstance(value, bool):
        raise Misstated(f"filter.{name} must be true or false")
    return bool(value)
