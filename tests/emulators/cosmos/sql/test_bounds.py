"""What one query may hold at once is bounded, whichever clause makes it hold something."""

from __future__ import annotations

import pytest

from emulators.base.clock import stopped_clock
from emulators.cosmos.sql import aggregates, program
from emulators.cosmos.sql.errors import QueryUnservable
from emulators.cosmos.sql.functions import Context
from emulators.cosmos.sql.statement import prepare
from emulators.cosmos.sql.values import UNDEFINED


@pytest.mark.our_choice("memory is bounded: COLLECTED_VALUES_MAX")
@pytest.mark.parametrize(
    "query",
    [
        "SELECT DISTINCT VALUE n FROM n IN c.numbers",
        "SELECT DISTINCT VALUE n FROM c JOIN (SELECT DISTINCT VALUE n FROM n IN c.numbers) AS n",
        "SELECT VALUE ARRAY(SELECT DISTINCT VALUE n FROM n IN c.numbers) FROM c",
        "SELECT n FROM n IN c.numbers GROUP BY n",
        "SELECT VALUE MAKELIST(n) FROM n IN c.numbers",
    ],
)
def test_a_query_that_would_hold_too_much_is_refused(monkeypatch: pytest.MonkeyPatch, query: str) -> None:
    """Distinct values, groups and lists up to the bound are served, one more is refused."""
    for module in (program, aggregates):
        monkeypatch.setattr(module, "COLLECTED_VALUES_MAX", 10)
    clock = stopped_clock()
    context = Context({}, lambda: 0, 0, clock.now, lambda name, arguments: UNDEFINED, {})
    statement = prepare(query)

    def run(count: int) -> None:
        document = {"numbers": list(range(count))}
        if statement.is_collected:
            statement.collect([document], context).results()
        else:
            list(statement.rows(document, context))

    run(10)
    with pytest.raises(QueryUnservable):
        run(11)
