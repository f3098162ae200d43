"""Serves an emulator's `Application` on a free port of this process, so that sync and async SDKs can both call it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager

from emulators.base.serving import Application, Bind, listen, serve


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
    loop, stop = ready.result(timeout=30)
    try:
        yield url
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
