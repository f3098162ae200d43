"""Emulators in the test's process, each on a thread and a free port of its own, so that any SDK can call it."""

from __future__ import annotations

import asyncio
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from emulators.base.control import CONTROL_HEADER
from emulators.base.serving import Application, Bind, listen, serve

START_SECONDS_MAX = 30.0
CALL_SECONDS_MAX = 30.0
SUBSCRIBE_SECONDS_MAX = 20.0
POLL_SECONDS = 0.01
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""Calls that no proxy of the environment may take."""
ARM = "/subscriptions/s/resourceGroups/g/providers/Microsoft.EventGrid"
ARM_VERSION = "api-version=2025-02-15"


@contextmanager
def served(create: Callable[[], Application], bind: Bind | None = None) -> Iterator[str]:
    """Yield the URL at which what `create` makes answers; it lives on a loop and thread of its own."""
    bind = bind or Bind()
    listener = listen(bind)
    url = bind.url(listener.getsockname()[1])
    ready: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def main() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        await serve(create(), [listener], bind, ready=lambda: ready.set_result((loop, stop)), stop=stop)

    def run() -> None:
        try:
            asyncio.run(main())
        except BaseException as failure:
            if not ready.done():
                ready.set_exception(failure)
            raise

    thread = threading.Thread(target=run, name=f"served {url}")
    thread.start()
    loop, stop = ready.result(timeout=START_SECONDS_MAX)
    try:
        yield url
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()


@dataclass(frozen=True)
class Fault:
    """A rule that is in force."""

    emulator: Emulator
    id: str

    @property
    def fired(self) -> int:
        """How often it has struck."""
        rules = self.emulator.control("GET", "/faults")["rules"]
        return int(next(each["fired"] for each in rules if each["id"] == self.id))


@dataclass(frozen=True)
class Emulator:
    """A running emulator: its address, its clock, its faults."""

    url: str

    def advance(self, seconds: float) -> None:
        """Turn its clock forward: retries and times to live that fall due are due now."""
        self.control("POST", "/clock", {"advanceSeconds": seconds})

    def reset(self) -> None:
        """Empty it, fault rules included."""
        self.control("POST", "/reset")

    def add_fault(self, *, match: Mapping[str, str], act: Mapping[str, Any], **how_often: Any) -> Fault:
        """A fault rule as docs/FAULTS.md describes; `times`, `skip`, `every` and the like as keywords. ValueError."""
        made = self.control("POST", "/faults", {"match": dict(match), "act": dict(act), **how_often})
        return Fault(self, str(made["id"]))

    @contextmanager
    def fault(self, *, match: Mapping[str, str], act: Mapping[str, Any], **how_often: Any) -> Iterator[Fault]:
        """A fault rule for the time of a `with` block."""
        rule = self.add_fault(match=match, act=act, **how_often)
        try:
            yield rule
        finally:
            self.control("DELETE", f"/faults/{rule.id}")

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """A control endpoint's answer. Raises ValueError with what it says is wrong."""
        return self.call(method, f"/_emulator{path}", body, {CONTROL_HEADER: "1"})

    def call(self, method: str, path: str, body: Any, headers: Mapping[str, str]) -> Any:
        """A JSON answer, None when there is no body. Raises ValueError for an error."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(  # noqa: S310 - the address is our own server's
            self.url + path, data, {"content-type": "application/json", **headers}, method=method
        )
        try:
            with DIRECT.open(request, timeout=CALL_SECONDS_MAX) as answer:
                text = answer.read()
        except urllib.error.HTTPError as refusal:
            with refusal:
                raise ValueError(f"{method} {path}: {refusal.code} {refusal.read().decode()}") from None
        return json.loads(text) if text else None


@dataclass(frozen=True)
class CosmosEmulator(Emulator):
    """A Cosmos DB account."""

    key: str

    @property
    def connection_string(self) -> str:
        """What a connection setting takes."""
        return f"AccountEndpoint={self.url}/;AccountKey={self.key};"

    def split(self, database: str, container: str, range_id: str = "0") -> list[dict[str, Any]]:
        """Split a physical partition, as a growing container does by itself; the new ranges."""
        body = {"database": database, "container": container, "range": range_id}
        return list(self.control("POST", "/split", body)["ranges"])


@dataclass(frozen=True)
class EventGridEmulator(Emulator):
    """An Event Grid with topics of one's own."""

    key: str

    def topic(self, name: str, *, schema: str = "EventGridSchema") -> str:
        """Create a topic (schema EventGridSchema or CloudEventSchemaV1_0); the endpoint to publish to."""
        body = {"location": "local", "properties": {"inputSchema": schema}}
        return str(self._arm("PUT", f"/topics/{name}", body)["properties"]["endpoint"])

    def subscribe(self, topic: str, name: str, endpoint_url: str, **properties: Any) -> None:
        """Have a topic's events delivered to a webhook; `properties` (filter, retryPolicy …) as in ARM.

        The webhook has to answer the handshake; `wait_until_subscribed` returns when it has.
        """
        destination = {"endpointType": "WebHook", "properties": {"endpointUrl": endpoint_url}}
        self._arm("PUT", _subscription(topic, name), {"properties": {"destination": destination, **properties}})

    def wait_until_subscribed(self, topic: str, name: str) -> None:
        """Return when a subscription delivers. Raises ValueError when its webhook has not consented."""
        state = ""
        for _ in range(round(SUBSCRIBE_SECONDS_MAX / POLL_SECONDS)):
            state = self._arm("GET", _subscription(topic, name), None)["properties"]["provisioningState"]
            if state == "Succeeded":
                return
            time.sleep(POLL_SECONDS)
        raise ValueError(f"The subscription '{name}' of topic '{topic}' is {state}, not Succeeded.")

    def _arm(self, method: str, path: str, body: Any) -> Any:
        return self.call(method, f"{ARM}{path}?{ARM_VERSION}", body, {"authorization": "Bearer test"})


def _subscription(topic: str, name: str) -> str:
    return f"/topics/{topic}/providers/Microsoft.EventGrid/eventSubscriptions/{name}"


@contextmanager
def cosmos() -> Iterator[CosmosEmulator]:
    """A fresh Cosmos DB account in memory."""
    from emulators.cosmos.account import WELL_KNOWN_KEY
    from emulators.cosmos.application import create

    with served(create) as url:
        yield CosmosEmulator(url, WELL_KNOWN_KEY)


@contextmanager
def eventgrid() -> Iterator[EventGridEmulator]:
    """A fresh Event Grid in memory."""
    from emulators.eventgrid.application import create
    from emulators.eventgrid.auth import DEVELOPMENT_KEY

    with served(create) as url:
        yield EventGridEmulator(url, DEVELOPMENT_KEY)
