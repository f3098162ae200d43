"""The Bicep's resources on the emulators, with the service on them."""

from __future__ import annotations

import subprocess
import sys

from tests.infra.deployments import MAIN, ROOT

DEMO_SECONDS_MAX = 110


def test_the_service_runs_on_what_the_bicep_says() -> None:
    """`python -m local demo --from infra/main.bicep`: every answer as expected, both sides agree."""
    line = [sys.executable, "-m", "local", "demo", "--from", str(MAIN)]
    outcome = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=DEMO_SECONDS_MAX, check=False)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    assert "both sides agree" in outcome.stdout


def test_a_file_that_is_no_bicep_is_one_line() -> None:
    """Exit code 1 and the file's name, no traceback."""
    line = [sys.executable, "-m", "local", "demo", "--from", str(ROOT / "README.md")]
    outcome = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=DEMO_SECONDS_MAX, check=False)
    assert outcome.returncode == 1
    assert "README.md" in outcome.stderr
    assert "Traceback" not in outcome.stderr
