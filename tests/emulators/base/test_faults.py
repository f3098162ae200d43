"""Fault rules: what they match, how often they strike, what they refuse."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulators.base.clock import stopped_clock
from emulators.base.faults import FaultRuleError, Faults


def faults_with(**rule: object) -> Faults:
    faults = Faults(stopped_clock())
    faults.add({"act": {"status": 503}, **rule})
    return faults


def strikes(faults: Faults, tries: int, **facts: str) -> list[bool]:
    return [faults.strike(**facts) is not None for _ in range(tries)]


def test_a_rule_strikes_only_what_all_its_patterns_match() -> None:
    """Every pattern of `match` has to hold; names a request does not have never match."""
    faults = faults_with(match={"operation": "item.*", "container": "orders-*"})
    assert strikes(faults, 1, operation="item.create", container="orders-write") == [True]
    assert strikes(faults, 1, operation="item.create", container="other") == [False]
    assert strikes(faults, 1, operation="item.create") == [False]


def test_times_skip_and_every_count_matching_requests() -> None:
    """`skip` lets the first ones pass, `every` takes each n-th, `times` ends it."""
    faults = faults_with(skip=1, every=2, times=2)
    assert strikes(faults, 7) == [False, False, True, False, True, False, False]


@given(st.integers(0, 2**32), st.floats(0.1, 0.9))
def test_a_seed_repeats_its_dice(seed: int, probability: float) -> None:
    """The same seed strikes the same requests."""
    once, again = (strikes(faults_with(seed=seed, probability=probability), 50) for _ in range(2))
    assert once == again


def test_a_window_closes_by_the_clock() -> None:
    """`forSeconds` is measured on the emulator's clock."""
    clock = stopped_clock()
    faults = Faults(clock)
    faults.add({"act": {"status": 503}, "forSeconds": 60})
    assert strikes(faults, 1) == [True]
    clock.advance(60)
    assert strikes(faults, 1) == [False]


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ({}, "act takes an object"),
        ({"act": {"status": 200}}, "status takes a number from 400"),
        ({"act": {"explode": True}}, "act takes an object"),
        ({"act": {"status": 503, "explode": True}}, "act.explode is not known; .*retryAfterSeconds"),
        ({"act": {"drop": "sometimes"}}, "before"),
        ({"act": {"status": 503}, "match": {"colour": "red"}}, "match.colour is not known"),
        ({"act": {"status": 503}, "probability": 2}, "probability takes a number from 0 to 1"),
        ({"act": {"status": 503}, "often": 2}, "unknown member 'often'"),
        ({"act": {"status": 503}, "times": 0}, "times takes a number from 1"),
    ],
)
def test_a_rule_that_cannot_be_obeyed_says_what_is_wrong(rule: dict[str, object], says: str) -> None:
    """A wrong rule is refused by the name of its wrong member, and none is in force."""
    faults = Faults(stopped_clock())
    with pytest.raises(FaultRuleError, match=says):
        faults.add(rule)
    assert faults.describe() == []
