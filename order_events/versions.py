"""Versions of the event's data, and how an older one becomes the current one.

To change the data: raise DATA_VERSION, keep reading every older version by adding the step that leads from it, and
add an example of the version that is now old to the tests. A larger minor version only adds members, so it is read
as it is; a larger major version is not understood and is refused by name, to be parked until this code is upgraded.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError

from order_events.event import OrderStatusUpdated

DATA_VERSION = "1.0"
CURRENT_MAJOR = int(DATA_VERSION.partition(".")[0])

Upcast = Callable[[Mapping[str, Any]], Mapping[str, Any]]
UPCASTS: Mapping[int, Upcast] = {}
"""Major version -> the step from its data to the data of the next major version."""

_VERSION = re.compile(r"(\d{1,4})(?:\.(\d{1,4}))?\Z")


class UndecodableEvent(ValueError):
    """The event can never be applied as it is. The text says why, for whoever finds it parked."""


def read_data(event_id: str, data_version: str, data: Mapping[str, Any]) -> OrderStatusUpdated:
    """The event whose data was written under `data_version`. Raises UndecodableEvent."""
    for major in range(_major(data_version), CURRENT_MAJOR):
        data = UPCASTS[major](data)
    try:
        return OrderStatusUpdated.model_validate({**data, "eventId": event_id}, by_alias=True, by_name=False)
    except ValidationError as refusal:
        raise UndecodableEvent(_explain(refusal)) from refusal


def _major(data_version: str) -> int:
    match = _VERSION.match(data_version)
    if match is None:
        raise UndecodableEvent(f"dataVersion {data_version[:32]!r} is not a version number")
    major = int(match[1])
    oldest = min(UPCASTS, default=CURRENT_MAJOR)
    if not oldest <= major <= CURRENT_MAJOR:
        raise UndecodableEvent(
            f"dataVersion {data_version} is not understood; this reader knows {oldest} to {CURRENT_MAJOR}"
        )
    return major


def _explain(refusal: ValidationError) -> str:
    return "; ".join(
        f"data.{'.'.join(str(part) for part in each['loc'])}: {each['msg']}"
        for each in refusal.errors(include_url=False, include_input=False, include_context=False)
    )
