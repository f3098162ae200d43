"""Takes items whose time to live is over out of the file. They are hidden the moment they expire; this is upkeep.

Done a little at a time by the writes to a container, so that no request pays for much and nothing runs on its own.
"""

from __future__ import annotations

import apsw

from emulators.base.clock import Clock
from emulators.cosmos import limits
from emulators.cosmos.store.catalog import Container
from emulators.cosmos.store.changes import expired, window_end
from emulators.cosmos.store.documents import Address, Scope, Writer


class Sweeper:
    """Remembers for each range how far it has looked and when to look again."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._next: dict[int, float] = {}
        self._looked_until: dict[int, int] = {}

    def due(self, container: Container) -> bool:
        """Whether a write to `container` should sweep now."""
        return container.default_ttl is not None and self._clock.now() >= self._next.get(container.number, 0.0)

    def sweep(self, connection: apsw.Connection, container: Container) -> None:
        """Look at the next few items of each range, oldest change first, and remove the expired."""
        self._next[container.number] = self._clock.now() + limits.EXPIRED_SWEEP_SECONDS
        for range_ in container.ranges:
            scope = Scope(container, range_, int(self._clock.now()))
            after = self._looked_until.get(range_.place, 0)
            end = window_end(connection, range_, after, limits.EXPIRED_SWEEP_ITEMS_MAX)
            remove_expired(connection, scope, after, end)
            self._looked_until[range_.place] = end or 0


def remove_expired(connection: apsw.Connection, scope: Scope, after: int = 0, until: int | None = None) -> None:
    """Delete the expired items of a range, of those last written in LSNs (after, until]; each a write of its own."""
    for each in expired(connection, scope, after, until):
        writer = Writer(connection, scope.container, scope.range, scope.now, creates=0)
        writer.delete_expired(Address(scope.range, each.epk, each.pk, each.id))
