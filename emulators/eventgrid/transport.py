"""Sends one HTTP request to a subscriber and tells how it ended. The only room that knows the HTTP client (aiohttp).

A simulation hands in a `Transport` of its own. Nothing here knows what is sent or what follows from the answer.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import aiohttp

from emulators.base.tls import authority_directory, certificate_file
from emulators.eventgrid import limits


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A request to a subscriber."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Incoming:
    """A subscriber's answer. `status` is None when there was none; `outcome` and `body` then say why."""

    status: int | None
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    outcome: str = ""


class Transport(Protocol):
    """How requests reach subscribers."""

    async def send(self, request: Outgoing) -> Incoming:
        """The answer; never raises for what a subscriber does."""

    async def close(self) -> None:
        """Let go of connections."""


class HttpTransport:
    """Real HTTP, pooled. Redirects are not followed: to Event Grid they are failures.

    There is no bound over all subscribers together, on purpose: one that hangs must not take another's connection.
    Each subscription's lane bounds its own.
    """

    def __init__(self, answer_timeout_seconds: float | None) -> None:
        self._timeout = aiohttp.ClientTimeout(total=answer_timeout_seconds, sock_connect=answer_timeout_seconds)
        self._session: aiohttp.ClientSession | None = None
        self._trust = _Trust()

    async def send(self, request: Outgoing) -> Incoming:
        """Send and read the answer up to a bound."""
        try:
            async with self._open().request(
                request.method,
                request.url,
                data=request.body or None,
                headers=request.headers,
                allow_redirects=False,
                ssl=self._trust.context() if request.url.startswith("https:") else True,
            ) as answer:
                body = await _read(answer.content, limits.ANSWER_BYTES_MAX)
                return Incoming(answer.status, body, {name.lower(): each for name, each in answer.headers.items()})
        except (aiohttp.ClientError, OSError, ValueError) as failure:  # a TimeoutError is an OSError
            return Incoming(None, _reason(failure).encode(), outcome=outcome_of(failure))

    async def close(self) -> None:
        """Close the pool."""
        if self._session is not None:
            await self._session.close()

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0),
                timeout=self._timeout,
                cookie_jar=aiohttp.DummyCookieJar(),
                skip_auto_headers=("User-Agent", "Accept-Encoding", "Content-Type"),
                auto_decompress=False,
            )
        return self._session


async def _read(content: aiohttp.StreamReader, bytes_max: int) -> bytes:
    """All of a body, or its first `bytes_max` bytes: one `read` gives only what has arrived by then."""
    parts: list[bytes] = []
    left = bytes_max
    while left and (part := await content.read(left)):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def outcome_of(failure: BaseException) -> str:
    """The service's name for a request that got no answer."""
    if isinstance(failure, TimeoutError):
        return "TimedOut"
    if isinstance(failure, aiohttp.ClientConnectorDNSError | socket.gaierror):
        return "ResolutionError"
    if isinstance(failure, aiohttp.ClientResponseError | ValueError):
        return "Aborted"
    return "SocketError"


def _reason(failure: BaseException) -> str:
    return str(failure) or type(failure).__name__


class _Trust:
    """The system's authorities and the local one, read anew when the latter has come into being."""

    def __init__(self) -> None:
        self._context: ssl.SSLContext | None = None
        self._file: Path | None = None

    def context(self) -> ssl.SSLContext:
        local = certificate_file(authority_directory())
        file = local if local.exists() else None
        if self._context is None or file != self._file:
            self._context = ssl.create_default_context()
            if file is not None:
                self._context.load_verify_locations(file)
            self._file = file
        return self._context
