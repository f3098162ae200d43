"""Each parser, fed with noise and with well-formed examples that were cut, doubled and mixed."""

import subprocess
import sys
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.mutation import SPICES, mutate
from tests.fuzz.targets import BYTES_MAX, SECONDS_MAX, TARGETS


@st.composite
def mutilated(draw: st.DrawFn, examples: tuple[bytes, ...]) -> bytes:
    """An example with pieces cut out, doubled, or others put in."""
    data = draw(st.sampled_from(examples))
    for _ in range(draw(st.integers(1, 4))):
        start, end = sorted(draw(st.tuples(st.integers(0, len(data)), st.integers(0, len(data)))))
        piece = draw(st.sampled_from([b"", data[start:end] * 2, *SPICES]) | st.binary(max_size=4))
        data = data[:start] + piece + data[end:]
    return data[:BYTES_MAX]


@pytest.mark.parametrize("name", TARGETS)
@settings(max_examples=100, deadline=timedelta(seconds=SECONDS_MAX), suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_whatever_comes_is_understood_or_refused(name: str, data: st.DataObject) -> None:
    """Nothing is raised but what the caller turns into an answer, and nothing takes seconds."""
    target = TARGETS[name]
    by_dice = st.randoms(use_true_random=False).map(lambda dice: mutate(dice, target.examples, BYTES_MAX))
    target.take(data.draw(st.binary(max_size=100) | mutilated(target.examples) | by_dice))


@pytest.mark.parametrize("name", TARGETS)
def test_the_examples_are_understood(name: str) -> None:
    """They must reach the depths of the parser; one that is refused at the door would make the fuzzing shallow."""
    target = TARGETS[name]
    understood = 0
    for example in target.examples:
        try:
            target.feed(example)
        except target.refusals:
            continue
        understood += 1
    assert understood


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize("pair", [b"[]", b"{}", b"()", b'""', b"''", b"%2F", b",1", b"AND"])
def test_depth_and_length_end_at_a_limit(name: str, pair: bytes) -> None:
    """Thousands of the same thing, nested and in a row, are answered too: no recursion without an end."""
    half = len(pair) // 2 or 1
    TARGETS[name].take(pair[:half] * 20_000 + pair[half:] * 20_000)
    TARGETS[name].take(pair * 20_000)


def test_the_command_runs_for_its_seconds_and_tells() -> None:
    """One line a target; its exit code is 1 when there was a finding."""
    run = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", "--seconds", "0.2", "--by-chance", "host schedule", "order event"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert [line.partition(":")[0] for line in run.stdout.splitlines()] == ["host schedule", "order event"]
