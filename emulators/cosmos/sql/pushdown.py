"""What SQLite can sift before Python sees a document: predicates over a path and a value, under AND and OR.

A sieve may let through more than the query wants, never less, unless it is exact: then what it lets through is what
WHERE selects. Knows SQLite's expressions over a JSONB column `body`, not its tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from emulators.cosmos.sql.arithmetic import number_of
from emulators.cosmos.sql.columns import json_path
from emulators.cosmos.sql.limits import GLOB_CHARACTERS_MAX, PUSHED_TERMS_MAX
from emulators.cosmos.sql.nodes import (
    Between,
    Binary,
    Call,
    Constant,
    Expression,
    In,
    Like,
    Logical,
    Query,
    Unary,
    path,
)
from emulators.cosmos.sql.terms import MIRRORED, MISSING, constant_of, container_alias
from emulators.cosmos.sql.values import EXACT_INTEGER_MAX, Value

_DIFFERS = frozenset({"!=", "<>"})
_TYPE_CHECKS = {
    "IS_DEFINED": "IS NOT NULL",
    "IS_NULL": "= 'null'",
    "IS_BOOL": "IN ('true', 'false')",
    "IS_NUMBER": "IN ('integer', 'real')",
    "IS_STRING": "= 'text'",
    "IS_ARRAY": "= 'array'",
    "IS_OBJECT": "= 'object'",
    "IS_PRIMITIVE": "IN ('null', 'true', 'false', 'integer', 'real', 'text')",
}
_TEXT_SEARCHES = {
    "CONTAINS": "instr(CAST(body ->> ? AS BLOB), CAST(? AS BLOB)) > 0",
    "STARTSWITH": "substr(body ->> ?, 1, {length}) = ?",
    "ENDSWITH": "substr(body ->> ?, -{length}) = ?",
}
"""Searches for a constant text of `length` characters. Bytes are found sooner than characters, at the same places."""
_LIKE_SEARCHES = {(True, True): "CONTAINS", (False, True): "STARTSWITH", (True, False): "ENDSWITH"}
"""By whether a pattern begins and ends with %."""
_WILDCARDS = frozenset("%_[")


@dataclass(frozen=True, slots=True)
class Sieve:
    """A condition in SQL with its bindings; empty when nothing can be said."""

    sql: str = ""
    bindings: tuple[Any, ...] = ()
    exact: bool = False


def sieve(query: Query, parameters: Mapping[str, Value]) -> Sieve:
    """What SQLite can say of the query's WHERE."""
    if query.where is None:
        return Sieve(exact=True)
    alias = container_alias(query)
    found = None if alias is None else _Sifter(alias, parameters).sieve(query.where)
    if found is None or len(found.bindings) > PUSHED_TERMS_MAX:
        return Sieve()
    return found


@dataclass(frozen=True, slots=True)
class _Sifter:
    """Translates one WHERE over the container's `alias`."""

    alias: str
    parameters: Mapping[str, Value]

    def sieve(self, node: Expression) -> Sieve | None:
        """The sieve of a predicate, None when nothing can be said of it."""
        match node:
            case Logical(operator="AND", operands=operands):
                return self._all([self.sieve(operand) for operand in operands])
            case Logical(operands=operands):
                return self._any([self.sieve(operand) for operand in operands])
            case In(needle=needle, items=items, negated=False) if len(items) <= PUSHED_TERMS_MAX:
                return self._any([self._comparison(Binary("=", needle, item)) for item in items])
            case Between(operand=operand, low=low, high=high, negated=False):
                ends = (Binary(">=", operand, low), Binary("<=", operand, high))
                return self._all([self._comparison(end) for end in ends])
            case Binary(operator=operator) if operator in MIRRORED:
                return self._comparison(node) or self._computed(node)
            case Binary(operator=operator, left=left, right=right) if operator in _DIFFERS:
                return self._difference(left, right) or self._difference(right, left)
            case Like(operand=operand, pattern=pattern, escape=None, negated=False):
                return self._like(operand, constant_of(pattern, self.parameters))
            case Unary(operator="NOT", operand=Call(udf=False) as call):
                return self._call(call, wanted=False)
            case Call(udf=False):
                return self._call(node)
        return None

    def _all(self, found: list[Sieve | None]) -> Sieve | None:
        known = [each for each in found if each is not None]
        if not known:
            return None
        exact = len(known) == len(found) and all(each.exact for each in known)
        return Sieve(" AND ".join(each.sql for each in known), _bindings(known), exact)

    def _any(self, found: list[Sieve | None]) -> Sieve | None:
        known = [each for each in found if each is not None]
        if len(known) != len(found):
            return None
        return Sieve(
            f"({' OR '.join(each.sql for each in known)})", _bindings(known), all(each.exact for each in known)
        )

    def _comparison(self, node: Binary) -> Sieve | None:
        operator, steps, value = node.operator, self._steps(node.left), constant_of(node.right, self.parameters)
        if steps is None or value is MISSING:
            operator, steps = MIRRORED[operator], self._steps(node.right)
            value = constant_of(node.left, self.parameters)
        if steps is None or value is MISSING:
            return None
        if value is None or isinstance(value, bool):
            name = "null" if value is None else "true" if value else "false"
            return Sieve(f"json_type(body, ?) = '{name}'", (steps,), exact=True) if operator == "=" else None
        if _is_plain(value):
            kinds = "= 'text'"
        elif isinstance(value, int | float) and abs(value) <= EXACT_INTEGER_MAX:
            kinds = "IN ('integer', 'real')"
        else:
            return None
        return Sieve(f"(body ->> ? {operator} ? AND json_type(body, ?) {kinds})", (steps, value, steps), exact=True)

    def _difference(self, left: Expression, right: Expression) -> Sieve | None:
        """left != right: defined, and not equal."""
        steps, equality = self._steps(left), self._comparison(Binary("=", left, right))
        if steps is None or equality is None:
            return None
        sql = f"(json_type(body, ?) IS NOT NULL AND ({equality.sql}) IS NOT TRUE)"
        return Sieve(sql, (steps, *equality.bindings), exact=True)

    def _computed(self, node: Binary) -> Sieve | None:
        """A comparison of computed numbers. What SQLite cannot compute, beyond a double, is let through.

        Of two paths nothing is computed: both may be strings, or anything else that is equal.
        """
        if self._steps(node.left) is not None and self._steps(node.right) is not None:
            return None
        sides = [number_of(side, self.parameters, self._steps) for side in (node.left, node.right)]
        left, right = sides
        if left is None or right is None:
            return None
        paths = sorted(left.paths | right.paths)
        checks = "".join(" AND json_type(body, ?) IN ('integer', 'real')" for _ in paths)
        sql = f"(({left.sql} {node.operator} {right.sql}) IS NOT FALSE{checks})"
        return Sieve(sql, (*left.bindings, *right.bindings, *paths))

    def _call(self, node: Call, *, wanted: bool = True) -> Sieve | None:
        """A function over a path that is true, or that is false."""
        steps = self._steps(node.arguments[0]) if node.arguments else None
        if steps is None:
            return None
        negation = "" if wanted else "NOT "
        if node.function in _TYPE_CHECKS:
            # IFNULL, because a type check is false of what is missing, and never undefined.
            return Sieve(f"{negation}ifnull(json_type(body, ?) {_TYPE_CHECKS[node.function]}, 0)", (steps,), exact=True)
        if len(node.arguments) != 2:
            return None
        sought = constant_of(node.arguments[1], self.parameters)
        if node.function in _TEXT_SEARCHES and _is_plain(sought) and sought:
            return self._search(node.function, steps, sought, negation)
        if node.function == "ARRAY_CONTAINS" and wanted and (_is_plain(sought) or sought is None):
            return self._element(steps, sought)
        return None

    def _like(self, operand: Expression, pattern: Any) -> Sieve | None:
        """LIKE with nothing but % at its ends."""
        steps = self._steps(operand)
        if steps is None or not _is_plain(pattern):
            return None
        inner = pattern.strip("%")
        if not inner or set(inner) & _WILDCARDS:
            return None
        if inner == pattern:
            return self._comparison(Binary("=", operand, Constant(pattern, "string")))
        function = _LIKE_SEARCHES[pattern.startswith("%"), pattern.endswith("%")]
        return self._search(function, steps, inner, "")

    @staticmethod
    def _search(function: str, steps: str, sought: str, negation: str) -> Sieve:
        test = _TEXT_SEARCHES[function].format(length=len(sought))
        bindings: tuple[str, ...] = (steps, sought)
        if function == "CONTAINS" and _is_written_plainly(sought):
            # GLOB leaps from candidate to candidate, over JSON's text as written: that has no NUL, which would end it.
            # It may find the word in an escape, so that what it finds is searched again.
            test, bindings = f"(body -> ? GLOB ? AND {test})", (steps, _anywhere(sought), *bindings)
        return Sieve(f"({negation}{test} AND json_type(body, ?) = 'text')", (*bindings, steps), exact=True)

    @staticmethod
    def _element(steps: str, wanted: str | None) -> Sieve:
        """Some element of an array is a string, or null."""
        test, bindings = ("type = 'null'", ()) if wanted is None else ("type = 'text' AND atom = ?", (wanted,))
        sql = f"json_type(body, ?) = 'array' AND EXISTS (SELECT 1 FROM json_each(body, ?) WHERE {test})"  # noqa: S608
        return Sieve(f"({sql})", (steps, steps, *bindings), exact=True)

    def _steps(self, node: Expression) -> str | None:
        found = path(node)
        return None if found is None or found[0] != self.alias else json_path(found[1])


def _is_plain(value: Any) -> bool:
    """Whether it is a string that SQLite holds and compares as we do."""
    return isinstance(value, str) and "\x00" not in value and value.isprintable()


def _is_written_plainly(word: str) -> bool:
    """Whether an item's JSON holds a word as it is, without escapes, and GLOB takes it as a pattern."""
    return word.isascii() and not {'"', "\\"} & set(word) and len(word) <= GLOB_CHARACTERS_MAX


def _anywhere(word: str) -> str:
    """The GLOB pattern of texts that hold the word."""
    return f"*{''.join(f'[{each}]' if each in '*?[' else each for each in word)}*"


def _bindings(found: list[Sieve]) -> tuple[Any, ...]:
    return tuple(binding for each in found for binding in each.bindings)
