"""A transport for the Azure SDKs that calls an emulator in this process, and breaks as sockets break.

What it raises is what `AioHttpTransport` raises (azure-core 1.41, pipeline/transport/_aiohttp.py): a connection that
breaks is a ServiceRequestError around aiohttp's own, whether or not the work was done.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from azure.core.exceptions import ServiceRequestError, ServiceResponseTimeoutError
from azure.core.pipeline.transport import AsyncHttpTransport
from azure.core.rest._http_response_impl_async import AsyncHttpResponseImpl
from multidict import CIMultiDict

from emulators.base.serving import DROPPED, Application, Request, Response

Carry = Callable[[Request, Application], Awaitable[Response]]
"""Brings a request to an application, or raises aiohttp.ClientError."""


class InProcess(AsyncHttpTransport[Any, Any]):
    """Sends to the application that `services` has at the request's port."""

    def __init__(self, services: Mapping[int, Application], carry: Carry) -> None:
        self._services = services
        self._carry = carry

    async def send(self, request: Any, **options: Any) -> Any:
        """The answer. Raises ServiceRequestError, ServiceResponseTimeoutError."""
        url = urlsplit(request.url)
        target = url.path + (f"?{url.query}" if url.query else "")
        headers = {"host": url.netloc, **{name.lower(): str(text) for name, text in request.headers.items()}}
        incoming = Request(request.method, target, headers, _body(request))
        try:
            async with asyncio.timeout(options.get("read_timeout", 300)):
                answer = await self._carry(incoming, self._services[url.port or 80])
        except TimeoutError as failure:
            raise ServiceResponseTimeoutError(str(failure), error=failure) from failure
        except aiohttp.ClientError as failure:
            raise ServiceRequestError(str(failure), error=failure) from failure
        return _Answer(request, answer)

    async def open(self) -> None:
        """Nothing to open."""

    async def close(self) -> None:
        """Nothing to close."""

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        """Nothing to leave."""


async def carry_undisturbed(request: Request, application: Application) -> Response:
    """Bring `request` to `application`. Raises ClientOSError when a fault rule of it cuts the connection."""
    answer = await application.handle(request)
    if answer is DROPPED:
        raise aiohttp.ClientOSError(104, "Connection reset by peer")
    return answer


def _body(request: Any) -> bytes:
    data = request.content if hasattr(request, "content") else request.data
    if data is None:
        data = getattr(request, "data", None)
    return data.encode() if isinstance(data, str) else bytes(data or b"")


class _Answer(AsyncHttpResponseImpl):
    """A response whose body is there already."""

    def __init__(self, request: Any, answer: Response) -> None:
        headers = {name: text if isinstance(text, str) else ", ".join(text) for name, text in answer.headers.items()}
        assert isinstance(answer.body, bytes)
        super().__init__(
            request=request,
            internal_response=None,
            status_code=answer.status,
            reason="",
            content_type=headers.get("content-type", ""),
            headers=CIMultiDict(headers),
            stream_download_generator=None,
            block_size=None,
        )
        self._content = answer.body
        self._is_closed = self._is_stream_consumed = True

    def body(self) -> bytes:
        """The body, as azure-cosmos asks for it."""
        return self.content
