"""Throttling: when a container's or database's RU/s of this second are spent, further requests are refused.

Off unless asked for. As in the service a request is let in while anything is left and charged afterwards, so that a
dear one overdraws and the next seconds pay for it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from emulators.base.clock import Clock
from emulators.cosmos import charges, errors
from emulators.cosmos.errors import Refused


@dataclass(slots=True)
class _Account:
    """What one offer has spent, minus what has been provisioned since."""

    spent: float
    moment: float


class Throttle:
    """Keeps account of request units by the rid of what the throughput was bought for."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._accounts: dict[str, _Account] = {}

    def admit(self, owner: str, throughput: int) -> None:
        """Return when `owner` has request units left. Raises Refused (429) with when to come again."""
        account = self._settled(owner, throughput)
        overdrawn = account.spent - throughput
        if overdrawn >= 0:
            milliseconds = max(1, math.ceil(1000 * (overdrawn + 1) / throughput))
            raise Refused(
                errors.THROTTLED, headers={"x-ms-retry-after-ms": str(milliseconds)}, charge=charges.REFUSED_THROTTLED
            )

    def charge(self, owner: str, throughput: int, units: float) -> None:
        """Book what a request came to."""
        self._settled(owner, throughput).spent += units

    def _settled(self, owner: str, throughput: int) -> _Account:
        """The account with what was provisioned since it was last looked at taken off."""
        now = self._clock.now()
        account = self._accounts.setdefault(owner, _Account(0.0, now))
        account.spent = max(0.0, account.spent - throughput * (now - account.moment))
        account.moment = now
        return account
