"""A path of a document as SQLite sees it: expressions over the JSONB column `body` by which values compare and sort.

`rank` is the value's type as ORDER BY ranks types, `value` its number or string, 0 for everything else. Both are in
the text of a path's index and of the conditions that it serves, letter by letter: SQLite matches them so.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

RANKS = {"undefined": 0, "null": 1, "false": 2, "true": 3, "number": 4, "string": 5, "array": 6, "object": 7}
"""Types in the order of ORDER BY, as `values.order_key` has them."""
_SQLITE_TYPES = {
    "null": "null",
    "false": "false",
    "true": "true",
    "integer": "number",
    "real": "number",
    "text": "string",
    "array": "array",
    "object": "object",
}

_PATHS_KEPT = 4096
"""Paths whose SQL is remembered: our choice."""

Steps = tuple[str | int, ...]
"""Property names from the document down."""


@dataclass(frozen=True, slots=True)
class Column:
    """A path that an index sorts by."""

    steps: Steps
    descends: bool = False

    @property
    def keys(self) -> tuple[str, str]:
        """(rank, value) in SQL."""
        return _keys(self.steps)


@lru_cache(_PATHS_KEPT)
def _keys(steps: Steps) -> tuple[str, str]:
    path = literal(steps)
    assert path is not None
    return rank(path), value(path)


@lru_cache(_PATHS_KEPT)
def json_path(steps: Steps) -> str | None:
    """SQLite's spelling of a path, None for one with an array index or a name that it cannot quote."""
    if not steps or not all(
        isinstance(step, str) and step.isprintable() and not {'"', "\\"} & set(step) for step in steps
    ):
        return None
    return "$" + "".join(f'."{step}"' for step in steps)


def literal(steps: Steps) -> str | None:
    """The same as a string literal in SQL."""
    path = json_path(steps)
    return None if path is None else "'" + path.replace("'", "''") + "'"


def rank(path: str) -> str:
    """The type's rank at a path literal."""
    arms = " ".join(f"WHEN '{kind}' THEN {RANKS[name]}" for kind, name in _SQLITE_TYPES.items())
    return f"CASE json_type(body,{path}) {arms} ELSE 0 END"


def value(path: str) -> str:
    """The number, always a double, or the string at a path literal; 0 for all else."""
    number = f"CAST(body->>{path} AS REAL)"
    return (
        f"CASE json_type(body,{path}) WHEN 'text' THEN body->>{path} "
        f"WHEN 'integer' THEN {number} WHEN 'real' THEN {number} ELSE 0 END"
    )
