"""Looks a value up in JSON by a dotted key such as `data.customer.name`. Keys match without regard to case.

Shared by filters, input mappings and delivery attributes; it must not know what a key means to them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from emulators.eventgrid import limits


class Missing:
    """The type of MISSING."""

    __slots__ = ()


MISSING: Final = Missing()
"""What a key that leads nowhere gives. A JSON null is None, which is something else."""


def lookup(document: Mapping[str, Any], key: str) -> Any:
    """The value under the dotted `key`, or MISSING. A step's exact spelling wins over another case."""
    value: Any = document
    steps = key.split(".")
    if len(steps) > limits.JSON_DEPTH_MAX:
        return MISSING
    for step in steps:
        if not isinstance(value, Mapping):
            return MISSING
        if step in value:
            value = value[step]
            continue
        folded = step.casefold()
        value = next((each for name, each in value.items() if name.casefold() == folded), MISSING)
    return value
