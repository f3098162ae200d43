"""Kills services of the running stack while a replay goes on: nothing that was accepted may be lost by it."""

from __future__ import annotations

import os
import signal
import ssl
from collections.abc import Callable
from pathlib import Path

from local.client import Answer, OrderService
from local.state import StackState

VICTIMS = ("eventgrid", "cosmos", "functions")
"""In the order of their deaths, evenly spread over the commands."""
KILL = getattr(signal, "SIGKILL", signal.SIGTERM)
"""On Windows any signal ends a process at once."""


class KillingService(OrderService):
    """A client that kills one victim after another while `commands` commands are answered."""

    def __init__(
        self,
        url: str,
        data: Path,
        commands: int,
        *,
        key: str | None = None,
        trusted: ssl.SSLContext | None = None,
        connections: int = 64,
        answered: Callable[[int], None] = lambda count: None,
    ) -> None:
        super().__init__(url, key=key, trusted=trusted, connections=connections)
        self._data = data
        share = commands // (len(VICTIMS) + 1)
        self._victims = {share * place: victim for place, victim in enumerate(VICTIMS, 1)}
        self._answered = 0
        self._hear = answered

    async def update(
        self, order_id: str, status: str, *, idempotency_key: str | None = None, if_match: str | None = None
    ) -> Answer:
        """Command a status, and kill if it is time to."""
        answer = await super().update(order_id, status, idempotency_key=idempotency_key, if_match=if_match)
        self._answered += 1
        if victim := self._victims.get(self._answered):
            state = StackState.read(self._data)
            if state is not None:
                os.kill(state.processes[victim], KILL)
        self._hear(self._answered)
        return answer
