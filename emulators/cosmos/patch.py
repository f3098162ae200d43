"""Partial updates: the six patch operations on a document. Pure: a document and operations in, a document out.

Raises Refused with the service's 400, which counts operations from 1.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping
from typing import Any

from emulators.cosmos import errors, limits
from emulators.cosmos.decimals import whole_number
from emulators.cosmos.errors import Refused
from emulators.cosmos.store.catalog import Container
from emulators.cosmos.store.documents import SYSTEM_PROPERTIES

_INTEGERS = (-(2**63), 2**64 - 1)
"""The whole numbers that JSON is read and written with here."""
_LEARN_MORE = "Learn more: https://aka.ms/cosmosdbpatchdocs"


class _Impossible(Exception):
    """An operation that does not fit the document; the text follows the operation's name and number."""


def parse_operations(body: object) -> tuple[list[dict[str, Any]], str]:
    """(operations, condition) of a patch body, which is an object or the bare array. Raises Refused."""
    condition = ""
    operations: object = body
    if isinstance(body, dict):
        operations, condition = body.get("operations"), body.get("condition") or ""
    if not isinstance(operations, list) or not operations or not isinstance(condition, str):
        raise Refused(errors.BAD_REQUEST, "A patch takes an object with an array of operations.")
    if len(operations) > limits.PATCH_OPERATIONS_MAX:
        raise Refused(
            errors.BAD_REQUEST,
            "The number of patch operations can't exceed '10'. Please refer to https://aka.ms/cosmosdbpatchdocs",
        )
    for number, operation in enumerate(operations, 1):
        name = operation.get("op") if isinstance(operation, dict) else None
        if not isinstance(name, str) or name not in _APPLY:
            raise Refused(
                errors.BAD_REQUEST, f"For Operation({number}): The operation is not a known one. {_LEARN_MORE}"
            )
    return operations, condition


def apply(container: Container, document: Mapping[str, Any], operations: list[dict[str, Any]]) -> dict[str, Any]:
    """The document that `operations` make of `document`. Raises Refused."""
    result: dict[str, Any] = copy.deepcopy(dict(document))
    fixed = [("id",), *((name,) for name in SYSTEM_PROPERTIES), *container.partition_key.paths]
    for number, operation in enumerate(operations, 1):
        try:
            path = _split(operation.get("path"))
            moved = _split(operation.get("from")) if operation["op"] == "move" else None
            for touched in (path, moved):
                if touched is not None and any(_covers(touched, each) for each in fixed):
                    raise _Impossible("cannot change the id, the partition key or a system property")
            if moved is not None and path[: len(moved)] == moved and len(path) > len(moved):
                raise _Impossible("cannot move a value into its own child")
            _APPLY[operation["op"]](result, path, operation)
        except _Impossible as reason:
            name = str(operation["op"]).capitalize()
            raise Refused(
                errors.BAD_REQUEST, errors.wrapped(f"For Operation({number}): {name} Operation {reason}. {_LEARN_MORE}")
            ) from None
    return result


def _split(path: object) -> tuple[str, ...]:
    if not isinstance(path, str) or not path.startswith("/") or path == "/":
        raise _Impossible("needs a path that starts with '/'")
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in path[1:].split("/"))


def _covers(touched: tuple[str, ...], fixed: tuple[str, ...]) -> bool:
    """Whether changing `touched` changes what is at `fixed`, or below it."""
    shorter = min(len(touched), len(fixed))
    return touched[:shorter] == fixed[:shorter]


def _parent(document: dict[str, Any], path: tuple[str, ...]) -> Any:
    node: Any = document
    for part in path[:-1]:
        node = _child(node, part)
        if not isinstance(node, dict | list):
            raise _Impossible(
                "can only create a child object of an existing node(array or object) and cannot create path "
                f"recursively, no path found beyond: '{part}'"
            )
    return node


def _child(node: Any, part: str) -> Any:
    """The value at one step, or None when there is nothing to step into."""
    if isinstance(node, dict):
        return node.get(part)
    index = whole_number(part) if isinstance(node, list) else None
    return None if index is None or index >= len(node) else node[index]


def _index(node: list[Any], part: str, *, last: int) -> int:
    index = whole_number(part)
    if index is None or index > last:
        raise _Impossible(f"has an array index that is out of bounds: '{part[:100]}'")
    return index


def _value(operation: Mapping[str, Any]) -> Any:
    if "value" not in operation:
        raise _Impossible("needs a value")
    return copy.deepcopy(operation["value"])


def _put(document: dict[str, Any], path: tuple[str, ...], value: Any, *, insert: bool) -> None:
    node, part = _parent(document, path), path[-1]
    if isinstance(node, dict):
        node[part] = value
    elif part == "-":
        node.append(value)
    elif insert:
        node.insert(_index(node, part, last=len(node)), value)
    else:
        index = _index(node, part, last=len(node))
        node[index : index + 1] = [value]


def _add(document: dict[str, Any], path: tuple[str, ...], operation: Mapping[str, Any]) -> None:
    _put(document, path, _value(operation), insert=True)


def _set(document: dict[str, Any], path: tuple[str, ...], operation: Mapping[str, Any]) -> None:
    _put(document, path, _value(operation), insert=False)


def _replace(document: dict[str, Any], path: tuple[str, ...], operation: Mapping[str, Any]) -> None:
    _take(document, path, keep=True)
    _put(document, path, _value(operation), insert=False)


def _remove(document: dict[str, Any], path: tuple[str, ...], _: Mapping[str, Any]) -> None:
    _take(document, path, keep=False)


def _increment(document: dict[str, Any], path: tuple[str, ...], operation: Mapping[str, Any]) -> None:
    amount = _value(operation)
    if isinstance(amount, bool) or not isinstance(amount, int | float):
        raise _Impossible("needs a number as its value")
    node = _parent(document, path)
    missing = isinstance(node, dict) and path[-1] not in node
    old = 0 if missing else _take(document, path, keep=True)
    if isinstance(old, bool) or not isinstance(old, int | float):
        raise _Impossible("can only be done on a number")
    _put(document, path, _sum(old, amount), insert=False)


def _sum(old: float, amount: float) -> float:
    """The sum as JSON can say it: whole where it fits 64 bits, else the nearest number of the service's, a double."""
    total = old + amount
    if isinstance(total, int) and not _INTEGERS[0] <= total <= _INTEGERS[1]:
        total = float(total)
    if math.isinf(total):
        raise _Impossible("leads to a number that is too large")
    return total


def _move(document: dict[str, Any], path: tuple[str, ...], operation: Mapping[str, Any]) -> None:
    value = _take(document, _split(operation.get("from")), keep=False)
    _put(document, path, value, insert=True)


def _take(document: dict[str, Any], path: tuple[str, ...], *, keep: bool) -> Any:
    """The value at `path`, which must exist; taken out unless `keep`."""
    node, part = _parent(document, path), path[-1]
    if isinstance(node, list):
        index = _index(node, part, last=len(node) - 1)
        return node[index] if keep else node.pop(index)
    if part not in node:
        raise _Impossible(f"finds nothing at its path: '{part}'")
    return node[part] if keep else node.pop(part)


_APPLY: Mapping[str, Callable[[dict[str, Any], tuple[str, ...], Mapping[str, Any]], None]] = {
    "add": _add,
    "set": _set,
    "replace": _replace,
    "remove": _remove,
    "incr": _increment,
    "increment": _increment,
    "move": _move,
}
