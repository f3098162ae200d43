"""docs/GUARANTEES.md keeps its word: the tests that it names exist, and no trap is left out."""

from __future__ import annotations

import re
from pathlib import Path

from local.topology import read_topology

ROOT = Path(__file__).parents[2]
TRAPS = 23


def page() -> str:
    """The page's text."""
    return (ROOT / "docs" / "GUARANTEES.md").read_text(encoding="utf-8")


def test_every_test_that_a_guarantee_names_exists() -> None:
    """Each `test_…` in the page is a test function below tests/."""
    named = set(re.findall(r"`(test_\w+)`", page()))
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py")]
    known = {name for source in sources for name in re.findall(r"def (test_\w+)\(", source)}
    assert len(named) > 40
    assert named <= known


def test_every_trap_has_its_row() -> None:
    """The traps are numbered without a gap, and each says what becomes of it here."""
    rows = re.findall(r"^\| T(\d+) [^|]+ \| ([^|]+) \|$", page(), re.MULTILINE)
    assert [int(number) for number, _ in rows] == list(range(1, TRAPS + 1))


def test_containers_are_partitioned_by_order_and_forget_nothing() -> None:
    """Every container's partition is an order's, which no event changes, and none has a time to live."""
    containers = read_topology().containers
    assert {container.partition_key for container in containers} == {"/orderId"}
    assert {container.default_ttl_seconds for container in containers} == {None}
