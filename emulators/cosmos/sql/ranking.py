"""ORDER BY RANK carried out here, for a query that needs no client: the texts to run, and the fusing of ranks.

It takes the client's own way: statistics of all texts first, then every score, then the best by reciprocal ranks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from emulators.cosmos.sql.nodes import ArrayLiteral, Item, Query, Select
from emulators.cosmos.sql.printer import query_text
from emulators.cosmos.sql.search import HOLE, components_of, statistics_text
from emulators.cosmos.sql.values import Value, json_text

RANK_CONSTANT = 60
"""k of reciprocal rank fusion, as azure-cosmos has it (its hybrid search aggregator)."""


class Ranking:
    """What a query's ORDER BY RANK asks for. Raises QueryUnservable or QueryRefused for what it may not say."""

    def __init__(self, query: Query, parameters: Mapping[str, Value]) -> None:
        assert query.rank is not None
        self._query = query
        self._components, weights = components_of(query.rank, parameters)
        self._weights = [abs(each) for each in weights] or [1.0] * len(self._components)

    @property
    def statistics(self) -> str:
        """The query whose one row tells of all texts."""
        return statistics_text(self._query, self._components)

    def scores(self, told: Mapping[str, Any]) -> str:
        """The query whose rows are the scores of the documents that WHERE selects; more is better."""
        shown = ArrayLiteral(tuple(each.shown(turned=True) for each in self._components))
        text = query_text(Query(Select("VALUE", (Item(shown),)), self._query.sources, self._query.where)).replace(
            f"{{{HOLE}-totaldocumentcount}}", json_text(told["documentCount"])
        )
        for number, each in enumerate(told["fullTextStatistics"]):
            text = text.replace(f"{{{HOLE}-totalwordcount-{number}}}", json_text(each.get("totalWordCount", 0)))
            text = text.replace(f"{{{HOLE}-hitcountsarray-{number}}}", json_text(each["hitCounts"]))
        return text

    def order(self, scores: Sequence[Sequence[float]]) -> list[int]:
        """The numbers of the rows, the best first; rows that are equally good keep their order."""
        if len(self._components) == 1:
            return sorted(range(len(scores)), key=lambda number: -scores[number][0])
        fused = [0.0] * len(scores)
        for component, weight in enumerate(self._weights):
            values = sorted({each[component] for each in scores}, reverse=True)
            ranks = {value: rank for rank, value in enumerate(values, 1)}
            for number, each in enumerate(scores):
                fused[number] += weight / (RANK_CONSTANT + ranks[each[component]])
        return sorted(range(len(scores)), key=lambda number: -fused[number])
