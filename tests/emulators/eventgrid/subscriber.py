"""A webhook that is as good or as bad as a test wants: it records what it gets and answers as it is told."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson

WAIT_SECONDS_MAX = 20


@dataclass
class Received:
    """One request, its headers' names in lower case."""

    method: str
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        """The body, parsed."""
        return orjson.loads(self.body)


Reply = tuple[int, dict[str, str], bytes]


def consent(request: Received) -> Reply | None:
    """What a well-behaved webhook answers to a handshake; None for anything else."""
    if request.method == "OPTIONS":
        return 200, {"WebHook-Allowed-Origin": "eventgrid.azure.net"}, b""
    if request.headers.get("aeg-event-type") == "SubscriptionValidation":
        code = request.document[0]["data"]["validationCode"]
        return 200, {}, orjson.dumps({"validationResponse": code})
    return None


@dataclass
class Subscriber:
    """`statuses` are answered in turn to deliveries, then 200 for ever; `handshake` answers handshakes."""

    url: str = ""
    statuses: list[int] = field(default_factory=list)
    handshake: Callable[[Received], Reply | None] = consent
    requests: list[Received] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)
    """Deliveries wait for it: set unless a test makes the subscriber hang."""
    changed: threading.Condition = field(default_factory=threading.Condition)

    def __post_init__(self) -> None:
        self.released.set()

    def deliveries(self) -> list[Received]:
        """The requests that brought events."""
        return [each for each in self.requests if each.headers.get("aeg-event-type") == "Notification"]

    def wait_for(self, count: int) -> list[Received]:
        """The deliveries, once there are so many."""
        with self.changed:
            arrived = self.changed.wait_for(lambda: len(self.deliveries()) >= count, WAIT_SECONDS_MAX)
        assert arrived, f"{len(self.deliveries())} of {count} deliveries came"
        return self.deliveries()

    def answer(self, request: Received) -> Reply:
        """Record a request and decide its answer."""
        agreed = self.handshake(request)
        with self.changed:
            self.requests.append(request)
            status = 200 if agreed or not self.statuses else self.statuses.pop(0)
            self.changed.notify_all()
        if agreed:
            return agreed
        self.released.wait(WAIT_SECONDS_MAX)
        return status, {}, b""


@contextmanager
def subscriber() -> Iterator[Subscriber]:
    """A subscriber on a free port."""
    one = Subscriber()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, extra, content = one.answer(Received(self.command, headers, body))
            self.send_response(status)
            for name, value in extra.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_OPTIONS = do_POST  # noqa: N815 - the base class's spelling

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128  # the default of 5 makes a burst of connections wait for a second

        def handle_error(self, request: object, client_address: object) -> None:
            """A client that was killed before its answer is what some tests are about."""

    server = Server(("127.0.0.1", 0), Handler)
    one.url = f"http://127.0.0.1:{server.server_port}/hook"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield one
    finally:
        one.released.set()
        server.shutdown()
        thread.join()
        server.server_close()
