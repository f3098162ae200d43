"""Binding expressions: `{queueTrigger}`, `{Query.name}`, `{rand-guid}`, `{DateTime:yyyy}` in what a binding says. Pure.

What may stand between the braces comes from the trigger: its own names, the members of a JSON payload, `sys` and the
two generated ones (webjobs-sdk BindingTemplate, BindingParameterResolver). `%Setting%` is replaced before, at indexing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from emulators.base.clock import Clock
from emulators.base.ids import Ids
from emulators.functions_host.dates import round_trip
from emulators.functions_host.invocation import Call
from emulators.functions_host.limits import EXPRESSION_CHARACTERS_MAX

TOKEN = re.compile(r"\{\{|\}\}|\{([^{}]*)\}")
DATE_DEFAULT = "yyyy-MM-ddTHH-mm-ssK"
DATE_PART = re.compile(r"y+|M+|d+|H+|h+|m+|s+|f+|t+|K|'[^']*'|\\.|.", re.DOTALL)
GUID_FORMATS = {"n": "{0.hex}", "d": "{0}", "b": "{{{0}}}", "p": "({0})"}


class ExpressionError(Exception):
    """An expression names nothing that this invocation has."""


@dataclass(frozen=True)
class BindingData:
    """What expressions of one invocation are replaced from. Names are case-insensitive, as in the host."""

    values: Mapping[str, Any]
    clock: Clock
    ids: Ids

    def resolve(self, template: str) -> str:
        """`template` with every expression replaced. Raises ExpressionError."""
        if len(template) > EXPRESSION_CHARACTERS_MAX:
            raise ExpressionError(f"A binding expression is longer than {EXPRESSION_CHARACTERS_MAX} characters.")
        return TOKEN.sub(lambda match: _escaped(match[0]) or self.value(match[1]), template)

    def value(self, token: str) -> str:
        """What stands for `{token}`. Raises ExpressionError."""
        name, _, form = token.partition(":")
        match name.lower():
            case "rand-guid" | "sys.randguid":
                return _guid(self.ids.guid(), form)
            case "sys.utcnow":
                return _date(self.clock.utc(), form) if form else round_trip(self.clock.utc())
        found = self._find(name)
        if found is None and name.lower() == "datetime":
            return _date(self.clock.utc(), form or DATE_DEFAULT)
        if found is None:
            raise ExpressionError(
                f"No value for named parameter '{name}'. This trigger has {', '.join(sorted(self.values)) or 'none'}."
            )
        return as_text(found)

    def query(self, template: str) -> tuple[str, list[dict[str, str]]]:
        """A query's text and parameters: each expression is a parameter, so that values are never read as SQL."""
        parameters: dict[str, str] = {}

        def name(match: re.Match[str]) -> str:
            if plain := _escaped(match[0]):
                return plain
            parameter = "@" + re.sub(r"\W", "_", match[1])
            parameters[parameter] = self.value(match[1])
            return parameter

        text = TOKEN.sub(name, template)
        return text, [{"name": name, "value": value} for name, value in parameters.items()]

    def _find(self, name: str) -> Any:
        found: Any = self.values
        for part in name.split("."):
            if not isinstance(found, Mapping):
                return None
            found = next((value for key, value in found.items() if key.lower() == part.lower()), None)
        return found


def binding_data(function: str, call: Call, clock: Clock, ids: Ids) -> BindingData:
    """What expressions of a call are replaced from: the trigger's own names before the members of a JSON payload."""
    values: dict[str, Any] = {}
    payload = call.trigger_value
    if payload.type == "http":
        request = payload.value
        values |= _members(request["body"].value if request.get("body") else "")
        values["Query"] = {name: datum.value for name, datum in request["query"].items()}
        values["Headers"] = {name: datum.value for name, datum in request["headers"].items()}
    elif payload.type in ("string", "json"):
        values |= _members(payload.value)
    given = {name.lower() for name in call.data}
    kept = {name: value for name, value in values.items() if name.lower() not in given}
    return BindingData({**kept, **call.data, "sys": {"MethodName": function}}, clock, ids)


def as_text(value: Any) -> str:
    """A value of the trigger as it stands in a path or a name."""
    match value:
        case str():
            return value
        case bool():
            return str(value)
        case dict() | list():
            return json.dumps(value, separators=(",", ":"))
    return str(value)


def _members(text: str | bytes) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _escaped(token: str) -> str:
    return {"{{": "{", "}}": "}"}.get(token, "")


def _guid(text: str, form: str) -> str:
    pattern = GUID_FORMATS.get((form or "D").lower())
    if pattern is None:
        raise ExpressionError(f"'{form}' is not a format of a GUID: use one of N, D, B, P.")
    return pattern.format(UUID(text))


def _date(moment: datetime, form: str) -> str:
    """A moment in .NET's custom format: the parts that paths are made of."""
    return "".join(_date_part(moment, match[0]) for match in DATE_PART.finditer(form))


def _date_part(moment: datetime, part: str) -> str:
    width = len(part)
    match part[0]:
        case "y":
            return f"{moment.year % 100:02d}" if width <= 2 else f"{moment.year:0{width}d}"
        case "M" if width > 2:
            return moment.strftime("%b" if width == 3 else "%B")
        case "d" if width > 2:
            return moment.strftime("%a" if width == 3 else "%A")
        case "f":
            return f"{moment.microsecond * 10:07d}"[:width]
        case "K":
            return "Z"
        case "t":
            return moment.strftime("%p")[:width]
        case "'":
            return part.strip("'")
        case "\\":
            return part[1]
    numbers = {"M": moment.month, "d": moment.day, "H": moment.hour, "h": moment.hour % 12 or 12}
    numbers |= {"m": moment.minute, "s": moment.second}
    number = numbers.get(part[0])
    return part if number is None else f"{number:0{min(width, 2)}d}"
