"""docs/GUARANTEES.md keeps its word: the tests that it names exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_test_that_a_guarantee_names_exists() -> None:
    """Each `test_…` in the page is a test function below tests/."""
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "docs" / "GUARANTEES.md").read_text(encoding="utf-8")))
    rooms = ("order_events", "update_order_status", "update_order_status_read_model", "operations", "local")
    sources = [path.read_text(encoding="utf-8") for room in rooms for path in (ROOT / "tests" / room).glob("test_*.py")]
    known = {name for source in sources for name in re.findall(r"def (test_\w+)\(", source)}
    assert len(named) > 15
    assert named <= known
