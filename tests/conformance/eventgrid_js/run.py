"""Runs the journey of @azure/eventgrid against an Event Grid emulator over https, and over http where it is let."""

from __future__ import annotations

import sys
from pathlib import Path

from emulators.base.tls import authority_directory, certificate_file
from emulators.eventgrid.auth import DEVELOPMENT_KEY
from tests.conformance import journeys
from tests.conformance.emulator import running

HERE = Path(__file__).resolve().parent


def main() -> int:
    """Run the journey over both; the worst of node's exit codes."""
    installed = journeys.install(HERE)
    codes = []
    for scheme in ("https", "http"):
        with running("eventgrid", journeys.RESULTS / f"eventgrid-js-{scheme}.log", https=scheme == "https") as endpoint:
            environment = {
                "EVENTGRID_URL": endpoint,
                "EVENTGRID_KEY": DEVELOPMENT_KEY,
                "NODE_EXTRA_CA_CERTS": str(certificate_file(authority_directory())),
            }
            codes.append(journeys.run(installed, environment))
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())
