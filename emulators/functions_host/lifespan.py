"""The end of an ASGI app's life: AsgiFunctionApp starts its app at the first request, and ends it in `__del__`.

That is too late, when no loop runs any more: the real worker has been killed by then. Here the app hears of the
end, so that what it opened at its start is closed. Knows the library's class, no host.
"""

from __future__ import annotations

import asyncio
import contextlib

from azure.functions import AsgiFunctionApp, FunctionRegister

from emulators.functions_host.limits import LIFESPAN_SECONDS_MAX


async def end_lifespan(app: FunctionRegister) -> None:
    """Tell the ASGI app within `app`, if there is one that has started, that it ends. It may start again after that."""
    if not isinstance(app, AsgiFunctionApp) or not app.startup_task_done:
        return
    middleware = app.middleware
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LIFESPAN_SECONDS_MAX):
            await middleware.notify_shutdown()  # type: ignore[no-untyped-call]
    app.startup_task_done = False
    middleware.lifespan_receive_queue = None
    middleware.lifespan_startup_event = None
    middleware.lifespan_shutdown_event = None
