"""Versions of the event's data, and how an older one becomes the current one.

To change the data: raise DATA_VERSION, add to UPCASTS the step that leads from the major version that is now the older
one, and add examples of what is published from now on to tests/order_events/published. Past versions decode for ever:
events are kept, and redelivered.

A larger minor version only adds members, so it is read as it is. A larger major version is not understood and is
refused by name, to be parked until this code is upgraded.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from order_events.event import OrderStatusUpdated

DATA_VERSION = "1.0"

Upcast = Callable[[Mapping[str, Any]], Mapping[str, Any]]
UPCASTS: Mapping[int, Upcast] = MappingProxyType({})
"""Major version -> the step from its data to the data of the next major version."""

_VERSION = re.compile(r"(\d{1,4})(?:\.(\d{1,4}))?\Z", re.ASCII)


class UndecodableEvent(ValueError):
    """The event can never be applied as it is. The text says why, for whoever finds it parked."""


@dataclass(frozen=True)
class Versions:
    """The major versions that are understood: the current one, and those that `upcasts` lead to it."""

    current: int
    upcasts: Mapping[int, Upcast]

    def __post_init__(self) -> None:
        assert set(self.upcasts) == set(range(self.oldest, self.current)), "the steps have a gap"

    @property
    def oldest(self) -> int:
        """The first version that is still understood."""
        return min(self.upcasts, default=self.current)

    def upcast(self, data_version: str, data: Mapping[str, Any]) -> Mapping[str, Any]:
        """`data`, written under `data_version`, as the current version says it. Raises UndecodableEvent."""
        written = self._major(data_version)
        for major in range(written, self.current):
            try:
                data = self.upcasts[major](data)
            except (AttributeError, LookupError, TypeError, ValueError) as failure:
                raise UndecodableEvent(f"data is not of version {written}: {failure!r}") from failure
        return data

    def _major(self, data_version: str) -> int:
        match = _VERSION.match(data_version)
        if match is None:
            raise UndecodableEvent(f"dataVersion {data_version[:32]!r} is not a version number")
        major = int(match[1])
        if not self.oldest <= major <= self.current:
            known = f"{self.oldest} to {self.current}"
            raise UndecodableEvent(f"dataVersion {data_version} is not understood; this reader knows {known}")
        return major


VERSIONS = Versions(int(DATA_VERSION.partition(".")[0]), UPCASTS)


def read_data(
    event_id: str, data_version: str, data: Mapping[str, Any], versions: Versions = VERSIONS
) -> OrderStatusUpdated:
    """The event whose data was written under `data_version`. Raises UndecodableEvent."""
    current = versions.upcast(data_version, data)
    try:
        return OrderStatusUpdated.model_validate({**current, "eventId": event_id}, by_alias=True, by_name=False)
    except ValidationError as refusal:
        raise UndecodableEvent(_explain(refusal)) from refusal


def _explain(refusal: ValidationError) -> str:
    return "; ".join(
        f"data.{'.'.join(str(part) for part in each['loc'])}: {each['msg']}"
        for each in refusal.errors(include_url=False, include_input=False, include_context=False)
    )
