"""Conversions between strings and other types: strict JSON, blanks around it allowed."""

from __future__ import annotations

import re

import orjson

from emulators.cosmos.sql.functions.signatures import Registry
from emulators.cosmos.sql.limits import VALUE_DEPTH_MAX
from emulators.cosmos.sql.values import UNDEFINED, Value, depth, json_text, number

FUNCTIONS = define = Registry()

_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?")
_BLANKS = " \t\r\n"


@define("ToString", "any")
def to_string(value: Value) -> str:
    """The value's text; a string is its own."""
    return value if isinstance(value, str) else json_text(value)


@define("StringToNumber", "string")
def string_to_number(text: str) -> Value:
    """The number that the text writes in JSON's notation."""
    text = text.strip(_BLANKS)
    return number(float(text)) if _NUMBER.fullmatch(text) else UNDEFINED


@define("StringToBoolean", "string")
def string_to_boolean(text: str) -> Value:
    """true or false."""
    return {"true": True, "false": False}.get(text.strip(_BLANKS), UNDEFINED)


@define("StringToNull", "string")
def string_to_null(text: str) -> Value:
    """null."""
    return None if text.strip(_BLANKS) == "null" else UNDEFINED


@define("StringToArray", "string")
def string_to_array(text: str) -> Value:
    """The array that the text writes in JSON."""
    value = _parsed(text)
    return value if type(value) is list else UNDEFINED


@define("StringToObject", "string")
def string_to_object(text: str) -> Value:
    """The object that the text writes in JSON."""
    value = _parsed(text)
    return value if type(value) is dict else UNDEFINED


def _parsed(text: str) -> Value:
    try:
        value: Value = orjson.loads(text.encode("utf-8", "surrogatepass"))
    except orjson.JSONDecodeError:
        return UNDEFINED
    return value if depth(value) <= VALUE_DEPTH_MAX else UNDEFINED
