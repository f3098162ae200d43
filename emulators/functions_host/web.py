"""HTTP functions of a web extension (`azurefunctions-extensions-http-fastapi`): its own types, bodies streamed.

The real worker then runs the extension's web app, to which the host forwards requests; here the same web app answers
within the process. Which functions there are, and who may call them, it must not know.
"""

from __future__ import annotations

import asyncio
import importlib
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any

from emulators.base.serving import Request, Response
from emulators.functions_host.limits import STREAMED_PARTS_MAX

BASE = "azurefunctions.extensions.base"
INIT_INDEXING = "PYTHON_ENABLE_INIT_INDEXING"
CALL = "functions_host.call"
"""Where in an ASGI scope the function to be called is handed to the extension's web app."""

Message = MutableMapping[str, Any]
Call = Callable[[Any], Awaitable[Any]]


def imported_base() -> Any:
    """The base of the web extension that the app has imported, or None. On Azure all its HTTP functions use it then."""
    base = sys.modules.get(BASE)
    return base if base is not None and base.HttpV2FeatureChecker.http_v2_enabled() else None


class BodyTooLarge(Exception):
    """The body of a request, read as it came, has turned out to be too large."""


class WebExtension:
    """The extension's web app, with one route that calls the function found for a request."""

    def __init__(self, base: Any) -> None:
        self._base = base
        web_app = importlib.import_module(base.ModuleTrackerMeta.get_module()).WebApp()

        async def catch_all(request: Any) -> Any:
            return await request.scope[CALL](request)

        catch_all.__annotations__["request"] = base.RequestTrackerMeta.get_request_type()
        web_app.route(catch_all)
        self._app = web_app.get_app()

    def set_route_values(self, request: Any, values: dict[str, str]) -> None:
        """What the host's route has found replaces what the catch-all route has."""
        self._base.RequestTrackerMeta.get_synchronizer().sync_route_params(request, values)

    async def answer(self, request: Request, call: Call, body_bytes_max: int) -> Response:
        """The response of the web app, as soon as it begins; its body follows as it is made.

        Raises BodyTooLarge when the app has asked for more of the request's body than that.
        """
        exchange = _Exchange(request, body_bytes_max)
        task = asyncio.create_task(self._app({**exchange.scope, CALL: call}, exchange.receive, exchange.send))
        task.add_done_callback(exchange.end)
        response = await exchange.response(task)
        if exchange.is_too_large:  # what the web app makes of it is not for the caller
            task.cancel()
            raise BodyTooLarge
        return response


class _Exchange:
    """One request as the ASGI app sees it."""

    def __init__(self, request: Request, body_bytes_max: int) -> None:
        self._body_bytes_left = body_bytes_max
        self.is_too_large = False
        host, _, port = request.host.rpartition(":")
        self.scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": request.method,
            "scheme": request.scheme,
            "path": request.path,
            "raw_path": request.raw_path.encode("latin-1"),
            "query_string": request.query_string.encode("latin-1"),
            "root_path": "",
            "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in request.headers.items()],
            "client": (request.client, 0),
            "server": (host or request.host, int(port) if port.isdecimal() else None),
        }
        self._receive = request.receive or _whole_body(request.body)
        self._start: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._parts: asyncio.Queue[bytes | None] = asyncio.Queue(STREAMED_PARTS_MAX)

    async def receive(self) -> Message:
        """The next part of the body. Raises BodyTooLarge."""
        message: Message = await self._receive()
        self._body_bytes_left -= len(message.get("body", b""))
        if self._body_bytes_left < 0:
            self.is_too_large = True
            raise BodyTooLarge
        return message

    async def send(self, message: Message) -> None:
        """Take what the app answers; it waits when the client is slow."""
        if message["type"] == "http.response.start":
            self._start.set_result(message)
        elif message["type"] == "http.response.body":
            await self._parts.put(message.get("body", b""))
            if not message.get("more_body", False):
                await self._parts.put(None)

    def end(self, task: asyncio.Task[None]) -> None:
        """The app has ended, well or not."""
        if not self._start.done():
            failure = None if task.cancelled() else task.exception()
            self._start.set_exception(failure or ConnectionResetError("the web app did not answer"))

    async def response(self, task: asyncio.Task[None]) -> Response:
        """The answer, once it begins."""
        start = await self._start
        headers: dict[str, str | list[str]] = {}
        for raw_name, raw_value in start.get("headers", ()):
            name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
            kept = headers.get(name)
            if kept is None:
                headers[name] = value
            else:
                headers[name] = [*(kept if isinstance(kept, list) else [kept]), value]
        return Response(start["status"], headers, self._body(task))

    async def _body(self, task: asyncio.Task[None]) -> AsyncIterator[bytes]:
        try:
            while True:
                getting = asyncio.create_task(self._parts.get())
                await asyncio.wait((getting, task), return_when=asyncio.FIRST_COMPLETED)
                if not getting.done() and self._parts.empty():
                    getting.cancel()  # the app has ended in the middle: so does the answer
                    await task
                    return
                part = await getting
                if part is None:
                    return
                ended = False
                while not self._parts.empty() and not ended:  # what is there already goes out as one, as by a proxy
                    more = self._parts.get_nowait()
                    part, ended = part + (more or b""), more is None
                yield part
                if ended:
                    return
        finally:
            task.cancel()


def _whole_body(body: bytes) -> Callable[[], Awaitable[Message]]:
    """The messages of a body that is there already."""
    given = False

    async def receive() -> Message:
        nonlocal given
        if given:
            await asyncio.Event().wait()  # an in-process caller does not go away
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive
