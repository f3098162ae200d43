"""The HTTP server: uvicorn, with the bounds and the drain that the emulators need. Nothing else imports it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterator

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from emulators.base.doorway import Entrance

HEADER_BYTES_MAX = 64 * 1024
"""All request headers and the request line together; over it the connection is cut. Our choice (IIS has 16 KiB)."""
KEEP_ALIVE_SECONDS = 180
"""Longer than the 15 s after which aiohttp drops an idle connection, so that no client reuses a closing one."""
FIRST_REQUEST_SECONDS_MAX = 1.0
"""A connection that is taken but has not asked anything when the drain begins is kept that long: our choice."""


class Server(uvicorn.Server):
    """uvicorn without its signal handling (it re-raises SIGTERM after draining; we exit 0) and with a ready call."""

    def __init__(
        self,
        app: Callable[..., Awaitable[None]],
        tls: ssl.SSLContext | None,
        ready: Callable[[], None],
        *,
        drain_seconds: int,
        doorway: socket.socket | None = None,
    ) -> None:
        """`doorway` is the inner end of one, by which connections come that another process has accepted."""
        config = uvicorn.Config(
            app,
            http=Protocol,
            lifespan="off",
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=drain_seconds,
        )
        config.load()
        config.ssl = tls
        super().__init__(config)
        self._ready = ready
        self._doorway = doorway
        self._entrance: Entrance | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve, and say so."""
        await super().startup(sockets)
        if self._doorway is not None:
            self._entrance = Entrance(self._doorway, self._make_protocol, self.config.ssl)
        self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End what is idle, wait for what is under way: uvicorn counts the connections that it has by now."""
        if self._entrance is not None:
            await self._entrance.entered(FIRST_REQUEST_SECONDS_MAX)
        await super().shutdown(sockets)

    def stop_accepting(self) -> None:
        """Take no further connection, at once: uvicorn itself looks ten times a second."""
        for server in getattr(self, "servers", ()):
            server.close()
        if self._entrance is not None:
            self._entrance.close()

    def _make_protocol(self) -> Protocol:
        return Protocol(self.config, self.server_state, self.lifespan.state)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are `serving`'s business."""
        yield


class Protocol(HttpToolsProtocol):
    """uvicorn's own protocol, plus a bound on header bytes, a way to cut the connection and a kinder drain."""

    def on_message_begin(self) -> None:
        """Offer the cut."""
        super().on_message_begin()
        self.scope["cut"] = self.transport.abort  # type: ignore[typeddict-unknown-key]
        self._header_bytes = 0

    def on_url(self, url: bytes) -> None:
        """Count the request line."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count a header."""
        self._count(len(name) + len(value))
        super().on_header(name, value)

    def shutdown(self) -> None:
        """Drain: a connection that was only just taken may have its first request under way, and is heard first."""
        if self.cycle is None:
            asyncio.get_running_loop().call_later(FIRST_REQUEST_SECONDS_MAX, self._end)
        else:
            self._end()

    def _end(self) -> None:
        """A connection that nothing is under way on ends at once: over TLS a close waits for the peer's goodbye."""
        idle = self.cycle is None or self.cycle.response_complete  # type: ignore[redundant-expr] # typed too well
        if idle and self.scheme == "https":
            self.transport.abort()
        else:
            super().shutdown()

    def _count(self, size: int) -> None:
        self._header_bytes += size
        if self._header_bytes > HEADER_BYTES_MAX:
            self.transport.abort()
