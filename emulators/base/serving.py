"""Bytes to `Request`, `Response` to bytes. Which HTTP server does it (uvicorn) only `server` knows.

An emulator is an `Application`: a coroutine from Request to Response and how to open and close it. The same object
is served on a socket here and called in process by tests and simulations.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import signal
import socket
import ssl
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import parse_qsl, unquote

Result = TypeVar("Result")

DISCARDED_BYTES_MAX = 64 * 1024 * 1024
"""How much of a body that is too large is still read, so that its sender hears the refusal. Our choice."""
DRAIN_SECONDS_MAX = 10
"""How long SIGTERM waits for requests in flight: the Functions host's own figure for a host stop."""
ORPHAN_SECONDS_MAX = DRAIN_SECONDS_MAX + 5
"""A process whose parent is gone ends itself by then, drained or not. Our choice."""
BACKLOG_CONNECTIONS = 1024


Receive = Callable[[], Awaitable[Any]]


@dataclass(slots=True)
class Request:
    """One HTTP request, whole.

    `headers` has lower-case names; repeated headers are joined with commas. `path` is percent-decoded, `target`
    is the path and query as they came. `scheme` and `host` are as the client called them.
    """

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""
    scheme: str = "http"
    client: str = "127.0.0.1"
    receive: Receive | None = None
    """Where `Application.streams`: the ASGI messages of the body, which is not read then, and of the client's end."""
    _path: str = field(default="", init=False, repr=False, compare=False)

    @property
    def path(self) -> str:
        """The percent-decoded path, decoded once: many rooms ask for it."""
        if not self._path:
            self._path = unquote(self.raw_path)
        return self._path

    @property
    def raw_path(self) -> str:
        """The path as it came, still percent-encoded."""
        return self.target.partition("?")[0]

    @property
    def query_string(self) -> str:
        """The query as it came, without the question mark."""
        return self.target.partition("?")[2]

    @property
    def query(self) -> list[tuple[str, str]]:
        """The query's decoded pairs in order, empty values kept."""
        return parse_qsl(self.query_string, keep_blank_values=True)

    @property
    def host(self) -> str:
        """The authority that the client called, port included, or empty."""
        return self.headers.get("host", "")


@dataclass(slots=True)
class Response:
    """One HTTP answer. A header whose value is a list is sent once per element (Set-Cookie)."""

    status: int = 200
    headers: Mapping[str, str | list[str]] = field(default_factory=dict)
    body: bytes | AsyncIterator[bytes] = b""


class Dropped(Response):
    """No answer at all: the connection is cut (fault rules). An in-process caller sees a connection error."""


DROPPED = Dropped()

Handler = Callable[[Request], Awaitable[Response]]


async def _nothing() -> None:
    return None


def _deaf(url: str) -> None:
    return None


def _nothing_to_end() -> None:
    return None


@dataclass(slots=True)
class Application:
    """What is served. `refuse_body` answers a request whose body exceeds `body_bytes_max` (its body is empty then).

    `located` is told the URL it will be served at, before `open`: with port 0 nobody knows it earlier.
    `stopping` is called when no further connection is taken, before requests in flight are waited for: long polls
    answer now, not when their time is over.
    `streams` says of a request whose body is not read yet whether `handle` reads it itself, as it comes.
    """

    handle: Handler
    refuse_body: Callable[[Request], Response]
    body_bytes_max: int
    open: Callable[[], Awaitable[None]] = _nothing
    close: Callable[[], Awaitable[None]] = _nothing
    located: Callable[[str], None] = _deaf
    stopping: Callable[[], None] = _nothing_to_end
    streams: Callable[[Request], bool] | None = None
    """Says of a request, before its body is read, whether `handle` reads the body itself, as it comes."""


@dataclass(frozen=True, slots=True)
class Bind:
    """Where to serve. `port=0` takes a free one; `tls` makes it https."""

    host: str = "127.0.0.1"
    port: int = 0
    tls: ssl.SSLContext | None = None

    def url(self, port: int) -> str:
        """The address clients use once `port` is known."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.tls else 'http'}://{'127.0.0.1' if name == '0.0.0.0' else name}:{port}"  # noqa: S104


class PortTaken(Exception):
    """The port is in use, or may not be used. The text says what to do."""


def listen(bind: Bind) -> socket.socket:
    """A listening socket on `bind`. Raises PortTaken with what to do about it."""
    family = socket.AF_INET6 if ":" in bind.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    if os.name == "posix":  # on Windows the same option would let another process steal the port
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((bind.host, bind.port))
    except OSError as failure:
        listener.close()
        if failure.errno in (errno.EADDRINUSE, errno.EACCES):
            raise PortTaken(
                f"Port {bind.port} on {bind.host} is unavailable ({failure.strerror}). "
                "Close the process that uses it, or choose another with --port (0 takes a free one)."
            ) from failure
        raise PortTaken(f"Cannot listen on {bind.host}:{bind.port}: {failure.strerror}.") from failure
    listener.listen(BACKLOG_CONNECTIONS)
    listener.setblocking(False)
    return listener


def run(application: Application, bind: Bind, *, ready: Callable[[str], None], exits_with_stdin: bool = False) -> None:
    """Serve `application` until SIGTERM or SIGINT, drain, and return. `ready` is told the URL when it serves."""
    listener = listen(bind)
    port = listener.getsockname()[1]
    run_loop(
        serve(application, [listener], bind, ready=lambda: ready(bind.url(port)), exits_with_stdin=exits_with_stdin)
    )


def run_loop(main: Coroutine[Any, Any, Result]) -> Result:
    """`asyncio.run`, on uvloop where it exists."""
    if sys.platform == "win32":
        return asyncio.run(main)
    import uvloop

    return uvloop.run(main)


async def serve(
    application: Application,
    listeners: list[socket.socket],
    bind: Bind,
    *,
    ready: Callable[[], None],
    exits_with_stdin: bool = False,
    stop: asyncio.Event | None = None,
    doorway: socket.socket | None = None,
) -> None:
    """Open `application`, serve it on `listeners` until `stop` is set or a signal comes, drain, close it.

    By `doorway` (see there) come connections that another process has accepted.
    """
    from emulators.base.server import Server  # uvicorn: a process that serves nothing itself does without

    stop = stop or asyncio.Event()
    server = Server(asgi(application), bind.tls, ready, drain_seconds=DRAIN_SECONDS_MAX, doorway=doorway)
    with stop_signals(stop):
        if exits_with_stdin:
            stop_when_stdin_closes(stop)
        application.located(bind.url(listeners[0].getsockname()[1] if listeners else bind.port))
        await application.open()
        try:
            serving = asyncio.create_task(server.serve(sockets=listeners))
            stopping = asyncio.create_task(stop.wait())
            await asyncio.wait((serving, stopping), return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            server.stop_accepting()
            application.stopping()
            server.should_exit = True
            await serving
        finally:
            await application.close()


def asgi(application: Application) -> Callable[..., Awaitable[None]]:
    """`application` as an ASGI app (HTTP only)."""

    async def app(
        scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
    ) -> None:
        request = _request(scope)
        whole = True
        if application.streams is not None and application.streams(request):
            request.receive = receive
        else:
            try:
                whole, request.body = await _body(receive, request.headers, application.body_bytes_max)
            except ConnectionResetError:
                return  # nobody is left to answer
        response = await application.handle(request) if whole else application.refuse_body(request)
        if isinstance(response, Dropped):
            scope["cut"]()
            await asyncio.sleep(0)  # lets the protocol learn that its connection is lost before uvicorn looks
            await asyncio.sleep(0)
            return
        await _send(response, send, close=not whole)

    return app


def _request(scope: Mapping[str, Any]) -> Request:
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    query = scope["query_string"]
    target: bytes = scope["raw_path"] + (b"?" + query if query else b"")
    client = scope.get("client")
    return Request(
        scope["method"], target.decode("latin-1"), headers, b"", scope["scheme"], client[0] if client else ""
    )


async def _body(
    receive: Callable[[], Awaitable[Any]], headers: Mapping[str, str], bytes_max: int
) -> tuple[bool, bytes]:
    """(whether it fits, the body). What is too much is read and thrown away, up to a bound.

    Raises ConnectionResetError when the client goes away before its request is whole.
    A server that answers and closes with bytes unread resets the connection, and the client never sees the answer.
    """
    if headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers:
        return True, b""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionResetError("the client went away before its request was whole")
        part: bytes = message.get("body", b"")
        size += len(part)
        if size <= bytes_max:
            parts.append(part)
        elif size > bytes_max + DISCARDED_BYTES_MAX:
            return False, b""
        if not message.get("more_body", False):
            return (True, parts[0] if len(parts) == 1 else b"".join(parts)) if size <= bytes_max else (False, b"")


async def _send(response: Response, send: Callable[[Any], Awaitable[None]], *, close: bool) -> None:
    headers: list[tuple[bytes, bytes]] = []
    for name, value in response.headers.items():
        raw_name = name.encode("latin-1")
        headers.extend((raw_name, each.encode("latin-1")) for each in (value if isinstance(value, list) else (value,)))
    if close:
        headers.append((b"connection", b"close"))
    body = response.body
    if isinstance(body, bytes):
        if response.status not in (204, 304) and b"content-length" not in (name.lower() for name, _ in headers):
            headers.append((b"content-length", str(len(body)).encode()))
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})
        return
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    async for part in body:
        await send({"type": "http.response.body", "body": part, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


@contextlib.contextmanager
def stop_signals(stop: asyncio.Event) -> Iterator[None]:
    """SIGTERM and SIGINT set `stop`; a second one while draining has its usual effect."""
    loop = asyncio.get_running_loop()
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)}

    def ask_to_stop(number: int, frame: object) -> None:
        loop.call_soon_threadsafe(stop.set)
        signal.signal(number, before[signal.Signals(number)])

    for each in before:
        signal.signal(each, ask_to_stop)
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def stop_when_stdin_closes(stop: asyncio.Event, *, seconds_max: float = ORPHAN_SECONDS_MAX) -> None:
    """Set `stop` when the pipe at stdin ends: whoever started us is gone, even by kill -9.

    A process that has not ended `seconds_max` later is ended, whatever it does.
    """
    loop = asyncio.get_running_loop()

    def watch() -> None:
        while os.read(0, 4096):
            pass
        with contextlib.suppress(RuntimeError):  # the loop may have ended by itself meanwhile
            loop.call_soon_threadsafe(stop.set)
        threading.Event().wait(seconds_max)
        os._exit(1)  # something blocks the loop; nobody is left to kill us

    threading.Thread(target=watch, daemon=True, name="parent-watch").start()
