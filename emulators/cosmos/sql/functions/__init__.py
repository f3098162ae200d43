"""The system functions by category, one module each; `FUNCTIONS` is all of them by upper-case name."""

from __future__ import annotations

from emulators.cosmos.sql.functions import (
    arrays,
    convert,
    dates,
    integers,
    items,
    mathematics,
    spatial,
    strings,
    texts,
    types,
    vectors,
)
from emulators.cosmos.sql.functions.signatures import Context, Function

FUNCTIONS: dict[str, Function] = {
    **types.FUNCTIONS,
    **mathematics.FUNCTIONS,
    **integers.FUNCTIONS,
    **strings.FUNCTIONS,
    **convert.FUNCTIONS,
    **arrays.FUNCTIONS,
    **dates.FUNCTIONS,
    **items.FUNCTIONS,
    **spatial.FUNCTIONS,
    **texts.FUNCTIONS,
    **vectors.FUNCTIONS,
}

__all__ = ["FUNCTIONS", "Context", "Function"]
