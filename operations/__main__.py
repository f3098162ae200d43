"""The operator's command line, against any deployment: it reads the app's own settings from the environment."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys

from update_order_status import wiring
from update_order_status.errors import SettingsWrong, StoreThrottled, StoreUnavailable

EXIT_FAILED = 1
EXIT_USAGE = 2


def main(arguments: list[str] | None = None) -> int:
    """Run one verb; 0 when it did what it says."""
    parser = argparse.ArgumentParser(prog="python -m operations", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("relay", help="publish one portion of the events that no request could publish, oldest first")
    parser.parse_args(arguments)
    try:
        return asyncio.run(_relay())
    except SettingsWrong as failure:
        print(failure, file=sys.stderr)
        return EXIT_USAGE
    except (StoreThrottled, StoreUnavailable) as failure:
        print(f"Cosmos DB did not answer: {failure!r}", file=sys.stderr)
        return EXIT_FAILED


async def _relay() -> int:
    side = await wiring.connect(wiring.Settings.read(os.environ))
    try:
        relayed = await side.relay.tick()
    finally:
        await side.close()
    print(f"found {relayed.found}, sent {relayed.sent}, oldest pending {relayed.oldest_age_seconds:.1f} s")
    return 0 if relayed.sent == relayed.found else EXIT_FAILED


if __name__ == "__main__":
    sys.exit(main())
