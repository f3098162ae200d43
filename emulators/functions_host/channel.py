"""Messages between the supervisor and a worker: JSON lines over a socket pair, told or asked, in both directions.

Knows what a message looks like, not what any message means: `answer` is called with its kind and members.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import socket
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from emulators.functions_host.limits import CONTROL_LINE_BYTES_MAX

Answer = Callable[[str, Mapping[str, Any]], Awaitable[Any]]


class ChannelClosed(Exception):
    """The other side is gone, went before it answered, or could not answer."""


class Channel:
    """One end. Incoming messages are handled each in a task of its own, so that a handler may ask back."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answer: Answer) -> None:
        self._reader = reader
        self._writer = writer
        self._answer = answer
        self._numbers = itertools.count(1)
        self._asked: dict[int, asyncio.Future[Any]] = {}
        self._handling: set[asyncio.Task[None]] = set()
        self._hearing = asyncio.create_task(self._hear())

    async def tell(self, kind: str, **members: Any) -> None:
        """Send a message that needs no answer; one that nobody hears is lost."""
        await self._send({"kind": kind, "members": members})

    async def ask(self, kind: str, **members: Any) -> Any:
        """Send a message and return its answer. Raises ChannelClosed."""
        if self._hearing.done():
            raise ChannelClosed(kind)
        number = next(self._numbers)
        self._asked[number] = future = asyncio.get_running_loop().create_future()
        try:
            await self._send({"kind": kind, "members": members, "number": number})
            return await future
        finally:
            del self._asked[number]

    async def heard_out(self) -> None:
        """Return when the other side has closed and all it has said is handled."""
        await asyncio.wait((self._hearing,))
        await asyncio.gather(*self._handling)

    async def close(self) -> None:
        """Close this end; whoever still waits for an answer gets ChannelClosed."""
        self._hearing.cancel()
        await asyncio.wait((self._hearing,))

    async def _send(self, document: Mapping[str, Any]) -> None:
        if not self._writer.is_closing():
            self._writer.write(json.dumps(document).encode() + b"\n")

    async def _hear(self) -> None:
        try:
            async for line in self._reader:
                self._take(json.loads(line))
        except (ConnectionError, ValueError):
            pass  # killed in the middle of a line: as gone as one that closed
        finally:
            self._writer.close()
            for future in self._asked.values():
                if not future.done():
                    future.set_exception(ChannelClosed("the other side is gone"))

    def _take(self, document: Mapping[str, Any]) -> None:
        if "answers" in document:
            future = self._asked.get(document["answers"])
            if future is not None and not future.done():
                if "failed" in document:
                    future.set_exception(ChannelClosed(document["failed"]))
                else:
                    future.set_result(document["value"])
            return
        task = asyncio.create_task(self._handle(document))
        self._handling.add(task)
        task.add_done_callback(self._handling.discard)

    async def _handle(self, document: Mapping[str, Any]) -> None:
        answer = {"answers": document.get("number"), "failed": f"{document['kind']} could not be answered"}
        try:
            value = await self._answer(document["kind"], document["members"])
            answer = {"answers": document.get("number"), "value": value}
        finally:
            if "number" in document:
                await self._send(answer)  # a mistake of ours must not leave the asker waiting; it is shown here


async def open_channel(connection: socket.socket, answer: Answer) -> Channel:
    """An end on `connection`, hearing from now on."""
    reader, writer = await asyncio.open_connection(sock=connection, limit=CONTROL_LINE_BYTES_MAX)
    return Channel(reader, writer, answer)
