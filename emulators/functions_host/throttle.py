"""host.json's `maxConcurrentRequests` and `maxOutstandingRequests`: how many HTTP requests run, wait, or get 429.

As the host's HttpRequestQueue: a request counts as outstanding from its arrival to its answer, and runs when fewer than
the allowed number do. With several worker processes each has its share.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from emulators.base.serving import Response
from emulators.functions_host.errors import StartError
from emulators.functions_host.settings import Configuration

CONCURRENT = "extensions:http:maxConcurrentRequests"
OUTSTANDING = "extensions:http:maxOutstandingRequests"
UNBOUNDED = -1
SCALE_OUT = {"x-function-scaleout": "1"}


class Throttle:
    """Lets requests through, keeps them waiting, or refuses them. UNBOUNDED for no bound."""

    def __init__(self, concurrent: int = UNBOUNDED, outstanding: int = UNBOUNDED) -> None:
        self._running = None if concurrent == UNBOUNDED else asyncio.Semaphore(concurrent)
        self._outstanding_max = outstanding
        self._outstanding = 0

    @property
    def is_on(self) -> bool:
        """Whether there is any bound."""
        return self._running is not None or self._outstanding_max != UNBOUNDED

    async def run(self, work: Callable[[], Awaitable[Response]]) -> Response:
        """What `work` answers, when its turn comes; 429 when too many are outstanding."""
        if self._outstanding_max != UNBOUNDED and self._outstanding >= self._outstanding_max:
            return Response(429, SCALE_OUT)
        self._outstanding += 1
        try:
            if self._running is None:
                return await work()
            async with self._running:
                return await work()
        finally:
            self._outstanding -= 1


def read_throttle(host: Configuration, *, workers: int, number: int) -> Throttle:
    """The share of worker `number` of what host.json allows. Raises StartError."""
    return Throttle(*(_share(host, path, workers, number) for path in (CONCURRENT, OUTSTANDING)))


def _share(host: Configuration, path: str, workers: int, number: int) -> int:
    bound = host.number(path, UNBOUNDED)
    if bound == UNBOUNDED:
        return UNBOUNDED
    name = path.replace(":", ".")
    if bound < 1:
        raise StartError(f"host.json: {name} takes a number from 1, or -1 for no bound; got {bound}.")
    if bound < workers:
        raise StartError(
            f"host.json: {name} is {bound} and FUNCTIONS_WORKER_PROCESS_COUNT {workers}: each worker process needs a "
            "share of at least 1. Raise the one or lower the other."
        )
    return bound // workers + (number < bound % workers)
