"""docs/PERFORMANCE.md says what the scripts compute, and the scripts rest on what other pages say."""

import math
import re
from pathlib import Path

import pytest

from bench import azure_costs, page

GUARANTEES = Path(__file__).parents[2] / "docs" / "GUARANTEES.md"


def test_the_costs_on_the_page_are_what_the_script_computes() -> None:
    """After a change of a price or an assumption: `python -m bench.azure_costs --write`."""
    assert page.part("azure costs") == azure_costs.markdown()


@pytest.mark.parametrize("operation", azure_costs.UNITS)
def test_the_request_units_are_those_of_the_guarantees(operation: str) -> None:
    """Which a test of its own measures on the emulator."""
    (units,) = re.findall(rf"^\| {operation} \| [^|]+ \| ([0-9.]+) \|", GUARANTEES.read_text(encoding="utf-8"), re.M)
    assert float(units) == azure_costs.UNITS[operation]


def test_everything_grows_in_proportion_to_the_rate() -> None:
    """Ten times the commands, ten times the month, but for what is rounded up."""
    one, ten = (azure_costs.estimate(rate) for rate in (1_000, 10_000))
    assert math.isclose(ten.total, 10 * one.total, rel_tol=0.01)
    assert ten.instances == 10 * one.instances


def test_a_low_rate_needs_one_of_everything() -> None:
    """Nothing is ever less than one."""
    least = azure_costs.estimate(1)
    assert (least.write_partitions, least.read_partitions, least.topics, least.instances) == (1, 1, 1, 1)


@pytest.mark.parametrize("name", ["cost of guarantees", "growth of orders"])
def test_measured_parts_are_there(name: str) -> None:
    """A table with a header and at least one row of figures."""
    lines = page.part(name).splitlines()
    assert len(lines) >= 3
    assert all(line.count("|") == lines[0].count("|") for line in lines)


def test_an_unknown_part_is_refused_by_name() -> None:
    """A renamed part must not be written nowhere."""
    with pytest.raises(ValueError, match="no part 'weather'"):
        page.part("weather")
