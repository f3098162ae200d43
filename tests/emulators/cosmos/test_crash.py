"""kill -9 at any moment: what was acknowledged is there, nothing is half there, and the change feed has no gap."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.emulators.cosmos import crash

KILLS = 8
"""A few, for every run; `python -m tests.emulators.cosmos.crash --kills 200` is the whole proof."""


@pytest.mark.our_choice("with --data, an acknowledgement is a promise")
def test_kill_9_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    """Acknowledged creates, upserts, deletes, batches and scripts are there, whole, and in the change feed."""
    counts = crash.run(tmp_path, KILLS)
    assert counts["acknowledged"] >= KILLS * crash.WRITES_PER_KILL
    assert counts["changes"] >= counts["items"] > 0
