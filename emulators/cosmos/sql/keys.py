"""Which partition keys a query's WHERE admits, read from its text: points, or nothing known. Pure; knows no hashing.

A box says for some of the key's paths which values they may have. AND intersects boxes, OR puts them side by side;
whatever is not understood admits everything.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from emulators.cosmos.sql.checks import is_grouped
from emulators.cosmos.sql.functions.patterns import only_match
from emulators.cosmos.sql.limits import KEY_BOXES_MAX
from emulators.cosmos.sql.nodes import (
    Binary,
    Call,
    Expression,
    In,
    Like,
    Logical,
    Name,
    Query,
    Source,
    Subquery,
    Unary,
    path,
)
from emulators.cosmos.sql.values import UNDEFINED, Value, is_number, order_key

Fold = Callable[[Expression], tuple[bool, Value]]
"""(whether an expression is constant, its value)."""
Box = dict[int, dict[bytes, Value]]
"""For the number of a path, the values it may have, by their order keys."""


def admitted_keys(
    query: Query, paths: Sequence[tuple[str, ...]], fold: Fold, *, prefixes: bool = False
) -> list[tuple[Value, ...]] | None:
    """The partition keys that the query can find something under, or None for any.

    With `prefixes` a tuple may be shorter than `paths`. Arrays and objects, which hash as undefined, are UNDEFINED.
    """
    if not query.sources:
        return []
    alias = _alias(query.sources[0])
    if query.where is None:
        return None
    boxes = _Reader(alias, paths, fold).boxes(query.where)
    if boxes is None:
        return None
    found: dict[tuple[bytes, ...], tuple[Value, ...]] = {}
    for box in boxes:
        known = next((number for number in range(len(paths)) if number not in box), len(paths))
        if known == 0 or (known < len(paths) and not prefixes):
            return None
        for key in product(*(box[number].values() for number in range(known))):
            found[tuple(map(order_key, key))] = key
    return list(found.values())


def _alias(source: Source) -> str | None:
    return source.name if isinstance(source.origin, Name) and not source.iterates else None


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads one WHERE."""

    alias: str | None
    paths: Sequence[tuple[str, ...]]
    fold: Fold

    def boxes(self, node: Expression) -> list[Box] | None:
        """What `node is true` admits; None for everything, no box for nothing."""
        if isinstance(node, Logical):
            return self._conjunction(node) if node.operator == "AND" else self._disjunction(node)
        constant, value = self.fold(node)
        if constant:
            return None if value is True else []
        found = self._values(node)
        if found is None:
            return self._demanded_within(node)
        number, values = found
        kept = {order_key(each): each for each in map(_component, values)}
        return [{number: kept}] if kept else []

    def _conjunction(self, node: Logical) -> list[Box] | None:
        total: list[Box] = [{}]
        for operand in node.operands:
            boxes = self.boxes(operand)
            if boxes is not None:
                total = [merged for left in total for right in boxes if (merged := _intersection(left, right))]
            if not total or len(total) > KEY_BOXES_MAX:
                break
        if len(total) > KEY_BOXES_MAX or total == [{}]:
            return None
        return total

    def _disjunction(self, node: Logical) -> list[Box] | None:
        total: list[Box] = []
        for operand in node.operands:
            boxes = self.boxes(operand)
            if boxes is None:
                return None
            total += boxes
        return total if len(total) <= KEY_BOXES_MAX else None

    def _demanded_within(self, node: Expression) -> list[Box] | None:
        """What a compared subquery admits: where its WHERE lets no row through, the comparison is undefined."""
        for side in (node.left, node.right) if isinstance(node, Binary) else ():
            if isinstance(side, Subquery) and not side.kind and not is_grouped(side.query):
                shadowed = any(
                    each.name == self.alias and (each.iterates or each.origin != Name(each.name or ""))
                    for each in side.query.sources
                )
                if side.query.where is not None and not shadowed:
                    return self.boxes(side.query.where)
        return None

    def _values(self, node: Expression) -> tuple[int, list[Value]] | None:
        """(number of a key path, the only values it may have) for a predicate that pins one."""
        match node:
            case Binary(operator="=", left=left, right=right):
                return self._equality(left, right) or self._equality(right, left)
            case In(needle=needle, items=items, negated=False):
                return self._among(needle, list(items))
            case Unary(operator="NOT", operand=operand):
                return self._pinned(operand, [False])
            case Like(operand=operand, pattern=pattern, negated=False):
                constant, text = self.fold(pattern)
                only = only_match(text, node.escape) if constant and isinstance(text, str) else None
                return None if only is None else self._pinned(operand, [only])
            case Call(udf=False, arguments=arguments):
                return self._call(node.function, arguments)
        return self._pinned(node, [True])

    def _call(self, function: str, arguments: tuple[Expression, ...]) -> tuple[int, list[Value]] | None:
        if function == "IS_NULL":
            return self._pinned(arguments[0], [None])
        if function == "IS_BOOL":
            return self._pinned(arguments[0], [False, True])
        if function in ("ARRAY_CONTAINS", "_TRY_ARRAY_CONTAINS") and len(arguments) == 2:
            constant, array = self.fold(arguments[0])
            return self._pinned(arguments[1], array) if constant and isinstance(array, list) else None
        return None

    def _equality(self, left: Expression, right: Expression) -> tuple[int, list[Value]] | None:
        constant, value = self.fold(right)
        if not constant:
            return None
        if isinstance(left, Call) and left.function == "ABS" and len(left.arguments) == 1 and is_number(value):
            return self._pinned(left.arguments[0], [value, -value] if value >= 0 else [])
        return self._pinned(left, [] if value is UNDEFINED else [value])

    def _among(self, needle: Expression, items: list[Expression]) -> tuple[int, list[Value]] | None:
        folded = [self.fold(item) for item in items]
        if not all(constant for constant, _ in folded):
            return None
        return self._pinned(needle, [value for _, value in folded if value is not UNDEFINED])

    def _pinned(self, node: Expression, values: list[Value]) -> tuple[int, list[Value]] | None:
        found = path(node)
        if found is None or found[0] != self.alias or found[1] not in self.paths:
            return None
        steps: Any = found[1]
        return list(self.paths).index(steps), values


def _intersection(left: Box, right: Box) -> Box | None:
    """What both boxes admit, or None for nothing."""
    merged = dict(left)
    for number, values in right.items():
        merged[number] = (
            {key: value for key, value in merged[number].items() if key in values} if number in merged else values
        )
        if not merged[number]:
            return None
    return merged


def _component(value: Value) -> Value:
    return UNDEFINED if isinstance(value, list | dict) else value
