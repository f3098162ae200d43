"""What a function set, as a list of the things that are to be written. Pure.

A value comes as JSON (one object or an array), as text that is JSON, or as bytes of such text.
"""

from __future__ import annotations

import json
from typing import Any

from emulators.functions_host.converters import Datum


def documents_of(value: Datum) -> list[dict[str, Any]]:
    """JSON objects, one or many. Raises ValueError for anything else."""
    documents = _parsed(value)
    for each in documents:
        if not isinstance(each, dict):
            raise ValueError(f"An output of JSON objects was set to {json.dumps(each)[:100]}.")  # noqa: TRY004 - one refusal
    return documents


def _parsed(value: Datum) -> list[Any]:
    content = value.value
    if isinstance(content, str | bytes):
        try:
            content = json.loads(content)
        except ValueError as refusal:
            raise ValueError(f"The output is not JSON: {refusal}.") from refusal
    items = content if isinstance(content, list) else [content]
    return [_unwrapped(each) for each in items]


def _unwrapped(item: Any) -> Any:
    """An element that is text holds JSON of its own: a list of strings is converted so by the library."""
    if not isinstance(item, str):
        return item
    try:
        return json.loads(item)
    except ValueError as refusal:
        raise ValueError(f"An element of the output is not JSON: {refusal}.") from refusal
