"""The HTTP client towards subscribers: answers whole, whatever pieces they come in, up to a bound."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from emulators.eventgrid import limits
from emulators.eventgrid.transport import HttpTransport, Incoming, Outgoing


async def answer_in(*pieces: bytes, pause_seconds: float = 0.05) -> Incoming:
    """What the transport makes of an answer that comes in these pieces, and then the end of the connection."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        with contextlib.suppress(ConnectionError):  # who has read enough hangs up
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(pause_seconds)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        transport = HttpTransport(answer_timeout_seconds=20.0)
        try:
            return await transport.send(Outgoing("POST", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", {}))
        finally:
            await transport.close()


@pytest.mark.our_choice("a handshake's answer may come in pieces, as any HTTP body")
async def test_an_answer_in_pieces_is_read_whole() -> None:
    """A webhook that flushes its answer early agrees all the same."""
    answer = await answer_in(b'{"validationResponse":', b' "code"}')
    assert (answer.status, answer.body) == (200, b'{"validationResponse": "code"}')


@pytest.mark.our_choice("limits.ANSWER_BYTES_MAX")
async def test_a_long_answer_is_read_up_to_its_bound() -> None:
    """Nobody fills the emulator's memory with an answer."""
    answer = await answer_in(*[b"x" * 50_000] * 3, pause_seconds=0.0)
    assert len(answer.body) == limits.ANSWER_BYTES_MAX
