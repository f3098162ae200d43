"""Whether a value is what a Bicep parameter or output says it is: its type, and the decorators that bound it.

The compiler's part of the reader; it must not know files, symbols or resources.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "array": list,
    "bool": bool,
    "int": int,
    "object": Mapping,
    "string": str,
}


def complaint(wanted: str, bounds: Mapping[str, Any], value: Any) -> str | None:
    """Why `value` is not of the type `wanted`, or not within its decorators' bounds; or None."""
    if wanted not in _TYPES:
        return f"the type {wanted} is not read"
    if not isinstance(value, _TYPES[wanted]) or (wanted == "int" and isinstance(value, bool)):
        return f"wants {wanted}, not {value!r}"
    if "allowed" in bounds and value not in bounds["allowed"]:
        return f"allows {bounds['allowed']}, not {value!r}"
    if "min_value" in bounds and value < bounds["min_value"]:
        return f"is at least {bounds['min_value']}, not {value}"
    if "max_value" in bounds and value > bounds["max_value"]:
        return f"is at most {bounds['max_value']}, not {value}"
    if "min_length" in bounds and len(value) < bounds["min_length"]:
        return f"has at least {bounds['min_length']} parts, not {len(value)}"
    if "max_length" in bounds and len(value) > bounds["max_length"]:
        return f"has at most {bounds['max_length']} parts, not {len(value)}"
    return None
