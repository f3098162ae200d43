"""How accepted connections change hands between processes, over a socket pair (POSIX only).

Whoever listens puts connections into a `Doorway`; the process that serves takes them out at its inner end, which its
server has beside its listening sockets (`Entrance`). What was put in and never taken, because that process ended,
can be had back. Must not know who gets which connection, and why.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable, Iterator

TAKEN_AT_ONCE_MAX = 64
"""Connections that are taken before other events of the loop have their turn: our choice."""
HANDSHAKE_SECONDS_MAX = 10.0
"""How long a client may take for its TLS handshake: our choice, asyncio grants a minute."""


class Doorway:
    """Both ends of one process's doorway: `inner` is for that process to inherit."""

    def __init__(self) -> None:
        self._outer, self.inner = socket.socketpair()
        self._outer.setblocking(False)
        self.inner.setblocking(False)

    def put(self, connection: socket.socket) -> bool:
        """Hand `connection` over and close it here; False, and nothing done, while no more go in."""
        try:
            socket.send_fds(self._outer, [b"c"], [connection.fileno()])
        except OSError:  # full, or as many on their way as the system allows one user
            return False
        connection.close()
        return True

    def left_behind(self) -> list[socket.socket]:
        """What nobody has taken, taken back: ask only when the process has ended."""
        connections: list[socket.socket] = []
        while some := list(_take(self.inner)):
            connections += some
        return connections

    def close(self) -> None:
        """End both ends here."""
        self._outer.close()
        self.inner.close()


class Entrance:
    """The inner end in the serving process, to its server as good as a listening socket: close it and it is empty."""

    def __init__(
        self, inner: socket.socket, make_protocol: Callable[[], asyncio.Protocol], tls: ssl.SSLContext | None
    ) -> None:
        self._inner = inner
        self._make_protocol = make_protocol
        self._tls = tls
        self._loop = asyncio.get_running_loop()
        self._entering: set[asyncio.Task[None]] = set()
        self._is_open = True
        self._loop.add_reader(inner.fileno(), self._enter_some)

    def close(self) -> None:
        """Take what has been put in so far, and nothing more."""
        if self._is_open:
            while self._enter_some() == TAKEN_AT_ONCE_MAX:
                pass
            self._leave_be()

    async def entered(self, seconds_max: float) -> None:
        """Return when the server has every connection that was taken; those still in their handshake may be cut."""
        if self._entering:
            await asyncio.wait(set(self._entering), timeout=seconds_max)

    def _enter_some(self) -> int:
        count = 0
        try:
            for connection in _take(self._inner):
                task = self._loop.create_task(self._enter(connection))
                self._entering.add(task)
                task.add_done_callback(self._entering.discard)
                count += 1
        except EOFError:
            self._leave_be()
        return count

    async def _enter(self, connection: socket.socket) -> None:
        patience = HANDSHAKE_SECONDS_MAX if self._tls else None
        with contextlib.suppress(OSError):  # the client has gone, or does not speak TLS: asyncio's servers say no more
            await self._loop.connect_accepted_socket(
                self._make_protocol, connection, ssl=self._tls, ssl_handshake_timeout=patience
            )

    def _leave_be(self) -> None:
        if self._is_open:
            self._is_open = False
            self._loop.remove_reader(self._inner.fileno())
            self._inner.close()


def _take(inner: socket.socket) -> Iterator[socket.socket]:
    """Connections that wait at `inner`, so many at once. Raises EOFError when none can ever come."""
    for _ in range(TAKEN_AT_ONCE_MAX):
        try:
            told, descriptors, _, _ = socket.recv_fds(inner, 1, 1)
        except (BlockingIOError, InterruptedError):
            return
        if not told:
            raise EOFError
        for descriptor in descriptors:
            connection = socket.socket(fileno=descriptor)
            connection.setblocking(False)
            connection.set_inheritable(False)
            yield connection
