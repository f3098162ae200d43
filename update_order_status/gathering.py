"""Sends what many callers want sent in few requests: what comes while a request is under way waits for it, a moment at
most, and then goes together. Knows neither events nor Azure; a caller that is alone is sent at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

Document = dict[str, Any]
Post = Callable[[list[Document]], Awaitable[None]]


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    documents: list[Document]
    size: int
    sent: asyncio.Future[None]


class Gathering:
    """Calls `post` with the documents of one caller or several, at most `bytes_max` together."""

    def __init__(self, post: Post, *, bytes_max: int, wait_seconds_max: float) -> None:
        self._post = post
        self._bytes_max = bytes_max
        self._wait_seconds_max = wait_seconds_max
        self._waiting: list[_Waiting] = []
        self._flights: set[asyncio.Task[None]] = set()
        self._patience: asyncio.TimerHandle | None = None

    async def send(self, documents: list[Document], size: int) -> None:
        """Return when `documents` were sent; raise what `post` raised for the request that they were part of.

        Who stops waiting takes his documents back, unless they are under way already.
        """
        waiting = _Waiting(documents, size, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        if not self._flights:
            self._depart()
        elif self._patience is None:
            self._patience = asyncio.get_running_loop().call_later(self._wait_seconds_max, self._depart)
        try:
            await waiting.sent
        finally:
            if waiting in self._waiting:
                self._waiting.remove(waiting)

    def _depart(self) -> None:
        """Send all that waits, each request a task of its own: none may end with the caller that began it."""
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
        while self._waiting:
            together = [self._waiting.pop(0)]
            size = together[0].size
            while self._waiting and size + self._waiting[0].size <= self._bytes_max:
                together.append(self._waiting.pop(0))
                size += together[-1].size
            flight = asyncio.create_task(self._fly(together))
            self._flights.add(flight)
            flight.add_done_callback(self._landed)

    def _landed(self, flight: asyncio.Task[None]) -> None:
        self._flights.discard(flight)
        if not self._flights:
            self._depart()

    async def _fly(self, together: list[_Waiting]) -> None:
        try:
            await self._post([document for each in together for document in each.documents])
        except Exception as failure:  # noqa: BLE001 - whatever it is, it is for those who wait
            for each in together:
                if not each.sent.done():
                    each.sent.set_exception(failure)
        else:
            for each in together:
                if not each.sent.done():
                    each.sent.set_result(None)
        finally:
            for each in together:
                each.sent.cancel()
