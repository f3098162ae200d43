"""Log lines with named values, as text for people or as JSON lines for machines, each with its trace.

What goes in: identifiers, results, numbers, reasons. What never goes in: keys of accounts, tokens, bodies.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

VALUE_CHARACTERS_MAX = 512
"""Of one value: reasons quote others, whose texts have no bound."""

Fields = Mapping[str, object]

_trace_id: ContextVar[str | None] = ContextVar("trace_id", default=None)


@contextmanager
def correlated(traceparent: str | None) -> Iterator[None]:
    """Have each line of the block bear the trace that `traceparent` names."""
    token = _trace_id.set(traceparent.split("-")[1] if traceparent else None)
    try:
        yield
    finally:
        _trace_id.reset(token)


def as_text(event: str, fields: Fields) -> str:
    """`event name=value …`; a value that holds anything but ordinary characters is quoted, so a line stays a line."""
    return " ".join((event, *(f"{name}={_readable(value)}" for name, value in fields.items())))


def as_json(event: str, fields: Fields) -> str:
    """One JSON object."""
    return json.dumps({"event": event, **fields}, default=str)


def _readable(value: object) -> str:
    text = str(value)
    return text if text.isascii() and text.isprintable() and not set(text) & {" ", '"', "="} else json.dumps(text)


class EventLog:
    """A logger whose lines are an event's name and values."""

    render: Callable[[str, Fields], str] = staticmethod(as_text)
    """How all lines of this process are written; wiring sets it."""

    def __init__(self, name: str) -> None:
        self._log = logging.getLogger(name)

    def info(self, event: str, /, **fields: object) -> None:
        """Something that is as it should be."""
        self._write(logging.INFO, event, fields)

    def warning(self, event: str, /, **fields: object) -> None:
        """Something that will be made up for."""
        self._write(logging.WARNING, event, fields)

    def urgent(self, event: str, /, **fields: object) -> None:
        """Something that somebody has to look at."""
        self._write(logging.ERROR, event, fields)

    def mistake(self, event: str, /, **fields: object) -> None:
        """The exception being handled, a mistake of ours, with its stack."""
        self._write(logging.ERROR, event, fields, stack=True)

    def _write(self, level: int, event: str, fields: Fields, *, stack: bool = False) -> None:
        if not self._log.isEnabledFor(level):
            return
        shown = {
            name: value[:VALUE_CHARACTERS_MAX] if isinstance(value, str) else value
            for name, value in fields.items()
            if value is not None
        }
        if trace_id := _trace_id.get():
            shown["trace"] = trace_id
        self._log.log(level, "%s", EventLog.render(event, shown), exc_info=stack)
