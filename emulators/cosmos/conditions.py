"""A patch's condition: `FROM c WHERE …` asked of one document, in the query language of `sql`."""

from __future__ import annotations

from typing import Any

from emulators.cosmos import errors
from emulators.cosmos.errors import Refused


def holds(condition: str, document: dict[str, Any]) -> bool:
    """Whether `document` meets the condition. Raises Refused."""
    raise Refused(errors.NOT_BUILT, "Conditions of patch operations are not implemented in this emulator yet.")
