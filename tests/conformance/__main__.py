"""`python -m tests.conformance`: the official SDKs against the emulators; not 0 when what passed no longer does.

Arguments are the azure-cosmos suite's; `--quick` and a run without arguments include the JavaScript SDKs' journeys, a
run without arguments azure-cosmos's samples too.
"""

from __future__ import annotations

import sys

from tests.conformance.cosmos_js import run as cosmos_js
from tests.conformance.cosmos_samples import run as cosmos_samples
from tests.conformance.cosmos_sdk import run as cosmos_sdk
from tests.conformance.eventgrid_js import run as eventgrid_js


def main(arguments: list[str]) -> int:
    """Run what `arguments` select; the worst exit code."""
    codes = [cosmos_sdk.main(arguments)]
    if arguments in ([], ["--quick"]):
        codes += [cosmos_js.main(), eventgrid_js.main()]
    if arguments == []:
        codes.append(cosmos_samples.main())
    return max(codes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
