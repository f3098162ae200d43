"""Computed properties: a container's names for expressions over a document, put in their places in a query.

They win over stored properties of the same name and are no part of the document itself: `SELECT *` has none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import Any

from emulators.cosmos.sql.nodes import Expression, Item, Name, Node, Property, Query
from emulators.cosmos.sql.parser import parse

Definitions = tuple[tuple[str, str], ...]
"""(name, query) of each computed property."""


def with_computed(query: Query, definitions: Definitions) -> Query:
    """The query with each computed property of its container replaced by what it stands for. Raises QueryRefused."""
    alias = query.sources[0].name if query.sources and isinstance(query.sources[0].origin, Name) else None
    if not definitions or alias is None or query.sources[0].iterates:
        return query
    expressions = {name: _expression(text, alias) for name, text in definitions}
    return _replaced(query, alias, expressions)


def _expression(text: str, alias: str) -> Expression:
    """`SELECT VALUE expression FROM x` as its expression over `alias`."""
    defined = parse(text)
    own = defined.sources[0].name if defined.sources else None

    def rename(node: Any) -> Any:
        return Name(alias) if isinstance(node, Name) and node.name == own else None

    expression: Expression = _mapped(defined.select.items[0].expression, rename)
    return expression


def _replaced(query: Query, alias: str, expressions: Mapping[str, Expression]) -> Query:
    def substitute(node: Any) -> Any:
        if isinstance(node, Property) and isinstance(node.base, Name) and node.base.name == alias:
            return expressions.get(node.name)
        if isinstance(node, Item) and isinstance(node.expression, Property) and node.alias is None:
            changed = _mapped(node.expression, substitute)
            return replace(node, expression=changed, alias=node.expression.name)
        return None

    changed: Query = _mapped(query, substitute)
    return changed


def _mapped(node: Any, change: Callable[[Any], Any]) -> Any:
    """`node` with everything below it that `change` answers replaced by the answer."""
    if isinstance(node, tuple):
        return tuple(_mapped(each, change) for each in node)
    if not isinstance(node, Node):
        return node
    if (changed := change(node)) is not None:
        return changed
    return replace(
        node, **{each.name: _mapped(getattr(node, each.name), change) for each in fields(node) if each.name != "span"}
    )
