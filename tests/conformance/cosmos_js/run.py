"""Runs the journey of @azure/cosmos against a Cosmos DB emulator."""

from __future__ import annotations

import sys
from pathlib import Path

from emulators.cosmos.account import WELL_KNOWN_KEY
from tests.conformance import journeys
from tests.conformance.emulator import running

HERE = Path(__file__).resolve().parent


def main() -> int:
    """Run the journey; node's exit code."""
    installed = journeys.install(HERE)
    with running("cosmos", journeys.RESULTS / "cosmos-js.log") as endpoint:
        return journeys.run(installed, {"ACCOUNT_HOST": endpoint, "ACCOUNT_KEY": WELL_KNOWN_KEY})


if __name__ == "__main__":
    sys.exit(main())
