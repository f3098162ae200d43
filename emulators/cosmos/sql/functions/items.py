"""Functions that ask something of a whole document."""

from __future__ import annotations

import base64

from emulators.cosmos.sql.functions.signatures import Registry
from emulators.cosmos.sql.values import UNDEFINED, Value

FUNCTIONS = define = Registry()

_COUNTER = slice(8, 15)
"""Where a document's counter lies in its 16-byte resource id, little-endian (DOCUMENTID's reference page)."""


@define("DOCUMENTID", "object")
def document_id(document: dict[str, Value]) -> Value:
    """The number that the container gave the document: the counter in its resource id."""
    rid = document.get("_rid")
    if not isinstance(rid, str):
        return UNDEFINED
    try:
        raw = base64.b64decode(rid.replace("-", "/"), validate=True)
    except ValueError:
        return UNDEFINED
    return int.from_bytes(raw[_COUNTER], "little") if len(raw) == 16 else UNDEFINED
