"""The order of an index as SQL: from its beginning, or on from a row that was given before. Pure.

Going on after a row takes one statement for each way in which a later row can differ from it, the nearest first; each
is a seek in the index and needs no sorting. Where the first column descends, documents of equal keys do too: an exact
reverse, which is what the .NET client counts on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from emulators.cosmos.sql.columns import Column

Place = tuple[tuple[int, Any], ...]
"""(rank, value) of a row for each column."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of the walk: a condition, its bindings, and the order in which to take what meets it."""

    where: str
    bindings: tuple[Any, ...]
    order: str


def stretches(columns: Sequence[Column], after: Place | None, position: int, *, ranked: bool) -> Iterator[Stretch]:
    """The stretches of a walk in their order, from the row at `after` and `position` on, that row included.

    `ranked` is false where a condition pins the first column's rank: it then takes no part in the order.
    """
    terms = [
        (key, column.descends)
        for number, column in enumerate(columns)
        for key in (column.keys if ranked or number else column.keys[1:])
    ]
    last = ("position", columns[0].descends)
    if after is None:
        yield Stretch("true", (), _order([*terms, last]))
        return
    bounds = [bound for place in after for bound in place][0 if ranked else 1 :]
    for depth in range(len(terms), -1, -1):
        equal = [f"{key}=?" for key, _ in terms[:depth]]
        rest = [*terms[depth:], last]
        key, descends = rest[0]
        sign = "<" if descends else ">"
        beyond = f"position{sign}=?" if depth == len(terms) else f"{key}{sign}?"
        bound = position if depth == len(terms) else bounds[depth]
        yield Stretch(" AND ".join([*equal, beyond]), (*bounds[:depth], bound), _order(rest))


def _order(terms: Sequence[tuple[str, bool]]) -> str:
    return ", ".join(f"{key} DESC" if descends else key for key, descends in terms)
