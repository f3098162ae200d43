"""The reference for the Functions host: its handlers as raw ASGI on uvicorn, where azure.functions is imported too."""

from __future__ import annotations

import asyncio
import hashlib
import os
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import azure.functions
import uvicorn

BODY = b"hello"
WORK_ROUNDS = 20_000
"""Some ten milliseconds: so much more than the benchmark's own client takes for a call (on the same cores) that the
figure for two workers is theirs, not the client's."""


async def app(
    scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
) -> None:
    """Answer what the benchmark's function app answers."""
    body = BODY
    if scope["path"] == "/api/work":
        body = hashlib.pbkdf2_hmac("sha256", b"", b"", WORK_ROUNDS).hex().encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def main() -> None:
    """Serve on a free port until stdin ends."""
    assert azure.functions.FunctionApp, "what every worker imports counts for the reference too"
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, lifespan="off", ws="none", log_config=None, access_log=False))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    print(f"ready http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    await asyncio.to_thread(os.read, 0, 1)
    server.should_exit = True
    await serving


if __name__ == "__main__":
    import uvloop

    uvloop.run(main())
