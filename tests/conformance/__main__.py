"""`python -m tests.conformance`: every official suite that we can run; not 0 when one that passed no longer does."""

from __future__ import annotations

import sys

from tests.conformance.cosmos_sdk.run import main

if __name__ == "__main__":
    sys.exit(main())
