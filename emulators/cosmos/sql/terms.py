"""What a query says without a document: which parts are constants, what the document is called. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from emulators.cosmos.sql.nodes import Constant, Expression, Name, Parameter, Path, Query, Subquery, children, path
from emulators.cosmos.sql.values import Value

MIRRORED = {"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
"""Comparisons, and what they are with their sides changed."""
MISSING = object()
"""What is no constant."""


def container_alias(query: Query) -> str | None:
    """What the query calls a whole document, None when it has no name for one."""
    if not query.sources or query.sources[0].iterates or not isinstance(query.sources[0].origin, Name):
        return None
    alias = query.sources[0].name
    return None if any(source.name == alias for source in query.sources[1:]) else alias


def constant_of(node: Expression, parameters: Mapping[str, Value]) -> Any:
    """The scalar that a constant or parameter stands for, else MISSING."""
    if isinstance(node, Constant):
        return node.value if node.kind in ("string", "number", "boolean", "null") else MISSING
    if isinstance(node, Parameter):
        value = parameters.get(node.name, MISSING)
        return value if value is None or isinstance(value, bool | int | float | str) else MISSING
    return MISSING


def reads_only_its_key(query: Query) -> bool:
    """Whether the one key of GROUP BY is all that the select list takes from documents: an index has it in order."""
    key = path(query.group_by[0]) if len(query.group_by) == 1 else None
    return key is not None and all(found == key for item in query.select.items for found in _paths(item.expression))


def _paths(node: Expression) -> Iterator[Path | None]:
    """The whole paths in an expression; None for a subquery, whose paths are its own."""
    if (found := path(node)) is not None or isinstance(node, Subquery):
        yield found
        return
    for child in children(node):
        yield from _paths(child)
