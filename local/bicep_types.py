"""Whether a value is what a Bicep parameter or output says it is: its type, and the decorators that bound it.

The compiler's part of the reader; it must not know files, symbols or resources.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "array": list,
    "bool": bool,
    "int": int,
    "object": Mapping,
    "string": str,
}

_BOUNDS: Mapping[str, tuple[str, Callable[[Any, Any], bool]]] = {
    "allowed": ("allows {}", lambda value, bound: value in bound),
    "min_value": ("is at least {}", lambda value, bound: value >= bound),
    "max_value": ("is at most {}", lambda value, bound: value <= bound),
    "min_length": ("has at least {} parts", lambda value, bound: len(value) >= bound),
    "max_length": ("has at most {} parts", lambda value, bound: len(value) <= bound),
}


def complaint(wanted: str, decorators: Mapping[str, Any], value: Any) -> str | None:
    """Why `value` is not of the type `wanted`, or not within its decorators' bounds; or None."""
    if wanted not in _TYPES:
        return f"the type {wanted} is not read"
    if not isinstance(value, _TYPES[wanted]) or (wanted == "int" and isinstance(value, bool)):
        return f"wants {wanted}, not {value!r}"
    for name, (says, holds) in _BOUNDS.items():
        if name in decorators and not holds(value, decorators[name]):
            return f"{says.format(decorators[name])}, not {value!r}"
    return None
