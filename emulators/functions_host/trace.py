"""W3C trace context as an invocation sees it: the caller's trace with a span of ours, or a trace of its own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from emulators.base.ids import Ids

TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-([0-9a-f]{2})")


@dataclass(frozen=True)
class TraceContext:
    """`context.trace_context`, under its present and its deprecated names."""

    trace_parent: str
    trace_state: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)

    @property
    def Traceparent(self) -> str:  # noqa: N802 - the worker's own spelling
        """The traceparent (deprecated name)."""
        return self.trace_parent

    @property
    def Tracestate(self) -> str:  # noqa: N802
        """The tracestate (deprecated name)."""
        return self.trace_state

    @property
    def Attributes(self) -> Mapping[str, str]:  # noqa: N802
        """The attributes (deprecated name)."""
        return self.attributes


def new_traceparent(ids: Ids) -> str:
    """A trace that nobody has started before."""
    return f"00-{ids.token(16).hex()}-{ids.token(8).hex()}-00"


def continue_trace(headers: Mapping[str, str], ids: Ids) -> TraceContext:
    """The caller's trace with a new span, or a new trace when the caller sent none that is valid."""
    match = TRACEPARENT.fullmatch(headers.get("traceparent", ""))
    if match is None:
        return TraceContext(new_traceparent(ids))
    return TraceContext(f"00-{match[1]}-{ids.token(8).hex()}-{match[2]}", headers.get("tracestate", ""))
