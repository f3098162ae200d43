"""What a test host keeps: answers, runs, lines of log; and bindings that a test gives or captures. No host in here."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from emulators.base.clock import Clock
from emulators.functions_host.console import Console
from emulators.functions_host.converters import Datum
from emulators.functions_host.index import Binding, Function
from emulators.functions_host.invocation import Call, Connector
from emulators.functions_host.logs import current_invocation


@dataclass(frozen=True)
class Answer:
    """What an HTTP function, or the host, answered."""

    status_code: int
    headers: Mapping[str, Any]
    content: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.content.decode()

    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.content)


@dataclass(frozen=True)
class Log:
    """A line that the function's user would see; `invocation_id` is empty for the host's own."""

    level: str
    text: str
    invocation_id: str = ""


@dataclass(frozen=True)
class Invocation:
    """A run of a function that has ended. A retry is a run of its own."""

    function: str
    id: str
    reason: str
    retry_count: int
    error: BaseException | None
    returned: Any
    outputs: Mapping[str, Any]
    """What output bindings were set to, by parameter (`$return` too); captured or written."""
    logs: Sequence[Log]

    @property
    def succeeded(self) -> bool:
        """Whether it ended without an exception."""
        return self.error is None


class RecordingConsole(Console):
    """The host's console, kept instead of printed."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock, minimum="information", user_minimum="trace")
        self.lines: list[Log] = []

    def _line(self, level: str, text: str) -> None:
        self.lines.append(Log(level, text, current_invocation()))

    def _write(self, text: str) -> None:
        self.lines.append(Log("information", text.rstrip("\n")))


@dataclass(frozen=True)
class GivenBindings:
    """Reads inputs from `given` and keeps outputs; what is not given, and is not to be captured, is real."""

    given: Mapping[str, Any]
    captures: bool
    real: Connector
    outputs: dict[str, dict[str, Any]]

    async def read(self, function: Function, binding: Binding, call: Call) -> Datum:
        """The value the test gave for the parameter, else the service's."""
        if binding.name not in self.given:
            return await self.real.read(function, binding, call)
        return datum_of(self.given[binding.name])

    async def write(self, function: Function, binding: Binding, value: Datum, call: Call) -> None:
        """Keep the value, and write it unless it is to be captured."""
        self.outputs.setdefault(current_invocation(), {})[binding.name] = plain_value(value)
        if not self.captures:
            await self.real.write(function, binding, value, call)

    def check(self, function: Function) -> None:
        """What is given or captured needs no connection, and no binding type that is built."""
        left = [
            each
            for each in function.bindings
            if not (each.direction == "IN" and each.name in self.given)
            and not (each.direction == "OUT" and self.captures)
        ]
        self.real.check(replace(function, bindings=tuple(left)))


def datum_of(value: Any) -> Datum:
    """A value of a test as an input binding hands it over: text and bytes as they are, the rest as JSON."""
    match value:
        case None:
            return Datum(None, None)
        case bytes():
            return Datum(value, "bytes")
        case str():
            return Datum(value, "string")
    return Datum(json.dumps(value), "string")


def plain_value(value: Datum) -> Any:
    """What a binding was set to, JSON parsed."""
    if value.type == "json" and isinstance(value.value, str):
        return json.loads(value.value)
    return value.value
