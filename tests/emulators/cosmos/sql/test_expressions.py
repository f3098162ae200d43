"""Expressions and what they are worth, one a line in expressions.txt; adding a case is adding a line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from emulators.cosmos.sql.statement import prepare
from emulators.cosmos.sql.values import UNDEFINED
from tests.emulators.cosmos.sql.test_plan import context

SECTION = "["


def cases() -> Iterator[Any]:
    """Each line of the file as a test, with its section's evidence as mark."""
    evidence, source = "", ""
    for number, line in enumerate(Path(__file__).with_name("expressions.txt").read_text("utf-8").splitlines(), 1):
        if line.startswith(SECTION) and " => " not in line:
            evidence, _, source = line[1:].partition("] ")
        elif line and not line.startswith("#"):
            expression, _, expected = line.rpartition(" => ")
            mark = getattr(pytest.mark, evidence)(source)
            yield pytest.param(expression, expected, marks=mark, id=f"{number}: {expression}")


@pytest.mark.parametrize(("expression", "expected"), list(cases()))
def test_an_expression_has_the_value_that_its_source_gives(expression: str, expected: str) -> None:
    """SELECT VALUE of it is that value to the type and digit; undefined is no row at all."""
    rows = [row.value for row in prepare(f"SELECT VALUE {expression}").rows(UNDEFINED, context({}))]
    wanted = [] if expected == "undefined" else [json.loads(expected)]
    assert json.dumps(rows) == json.dumps(wanted)
