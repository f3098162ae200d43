"""Accepts the connections of a host with several workers and hands each to the next worker in turn (POSIX).

The real host hands its workers the invocations in turn; workers that listened on one socket would leave them all to
whoever wakes first. A connection that no worker can take waits here, those behind it in the system's backlog.
"""

from __future__ import annotations

import asyncio
import socket
from collections import deque

from emulators.base.doorway import Doorway
from emulators.functions_host.limits import ACCEPTED_AT_ONCE_MAX, DOORS_SHUT_SECONDS


class Doorkeeper:
    """Stands between the listening socket and the doorways of the workers in service."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._doorways: deque[Doorway] = deque()
        self._waiting: deque[socket.socket] = deque()
        """Accepted and not yet handed over: one at most, and what workers that ended have left behind."""
        self._loop = asyncio.get_running_loop()
        self._accepts = False
        self._is_closed = False
        self._retry: asyncio.TimerHandle | None = None

    def open(self, doorway: Doorway) -> None:
        """Let connections in by it, from now on."""
        self._doorways.append(doorway)
        self._resume()

    def shut(self, doorway: Doorway) -> None:
        """Let none in any more: call it before the worker behind it is told to leave."""
        if doorway in self._doorways:
            self._doorways.remove(doorway)
        if not self._doorways:
            self._pause()

    def reclaim(self, doorway: Doorway) -> None:
        """The worker behind it has ended: what it never took goes to the others."""
        self.shut(doorway)
        self._waiting.extend(doorway.left_behind())
        doorway.close()
        if self._is_closed:
            self._turn_away()
        self._resume()

    def close(self) -> None:
        """Accept nothing more."""
        self._is_closed = True
        self._doorways.clear()
        self._pause()
        self._turn_away()

    def _turn_away(self) -> None:
        while self._waiting:
            self._waiting.popleft().close()

    def _resume(self) -> None:
        if self._doorways and self._hand_over() and not self._accepts:
            self._accepts = True
            self._loop.add_reader(self._listener.fileno(), self._accept_some)

    def _pause(self) -> None:
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        if self._accepts:
            self._accepts = False
            self._loop.remove_reader(self._listener.fileno())

    def _pause_a_while(self) -> None:
        """Every worker has more waiting than it takes, or the system has no descriptors left."""
        self._pause()
        self._retry = self._loop.call_later(DOORS_SHUT_SECONDS, self._resume)

    def _accept_some(self) -> None:
        for _ in range(ACCEPTED_AT_ONCE_MAX):
            if not self._hand_over():
                return
            try:
                connection, _ = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError:
                self._pause_a_while()
                return
            self._waiting.append(connection)
        self._hand_over()

    def _hand_over(self) -> bool:
        """Hand over what waits; False when some of it has to wait on."""
        while self._waiting:
            if not self._put(self._waiting[0]):
                self._pause_a_while()
                return False
            self._waiting.popleft()
        return True

    def _put(self, connection: socket.socket) -> bool:
        """Into the next doorway that takes it: a worker that does not read must not stop the others."""
        for _ in range(len(self._doorways)):
            doorway = self._doorways[0]
            self._doorways.rotate(-1)
            if doorway.put(connection):
                return True
        return False
