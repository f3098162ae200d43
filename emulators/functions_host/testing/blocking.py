"""The test host for tests that are plain functions: the async one on a loop and thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Future
from types import TracebackType
from typing import Any, TypeVar

from azure.functions import Blueprint, FunctionRegister

from emulators.functions_host.limits import TEST_WAIT_SECONDS_MAX
from emulators.functions_host.testing.host import POLL_SECONDS, AsyncFunctionsTestHost
from emulators.functions_host.testing.records import Answer, Invocation, Log

T = TypeVar("T")


class FunctionsTestHost:
    """A host in process, for tests that are plain functions; async functions run on a loop of its own thread.

    Takes what AsyncFunctionsTestHost takes.
    """

    def __init__(self, app: FunctionRegister | Blueprint, **options: Any) -> None:
        self._app = app
        self._options = options
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._inner: AsyncFunctionsTestHost | None = None

    def __enter__(self) -> FunctionsTestHost:
        """Start. Raises AppNotIndexed or StartError."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="functions test host", daemon=True)
        self._thread.start()
        try:
            self._inner = self._run(self._open())
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let what runs end, then stop."""
        try:
            self._run(self._host.__aexit__(kind, failure, trace))
        finally:
            self._end()

    @property
    def invocations(self) -> list[Invocation]:
        """Every run that has ended, oldest first."""
        return self._host.invocations

    @property
    def logs(self) -> list[Log]:
        """Everything the host and its functions have said, oldest first."""
        return self._host.logs

    @property
    def errors(self) -> dict[str, str]:
        """Functions that do not run, and why."""
        return self._host.errors

    def request(self, method: str, path: str, **options: Any) -> Answer:
        """An HTTP request to the host; options as of AsyncFunctionsTestHost.request."""
        return self._run(self._host.request(method, path, **options))

    def emit_event(self, *events: Mapping[str, Any], function: str | None = None) -> list[Invocation]:
        """Deliver events to a function, or to all that Event Grid triggers; the runs they caused."""
        return self._run(self._host.emit_event(*events, function=function))

    def tick(self, function: str | None = None) -> list[Invocation]:
        """Run a timer function now, or all of them; the runs this caused."""
        return self._run(self._host.tick(function))

    def send(self, function: str, payload: Any) -> list[Invocation]:
        """Run a function on a queue message, a list of Cosmos DB documents or an event; the runs this caused."""
        return self._run(self._host.send(function, payload))

    def send_blob(self, function: str, path: str, content: bytes) -> list[Invocation]:
        """Run a blob-triggered function on a blob that need not exist; the runs this caused."""
        return self._run(self._host.send_blob(function, path, content))

    def advance(self, seconds: float) -> None:
        """Turn the host's clock."""
        self._run(self._host.advance(seconds))

    def drain(self) -> None:
        """Wait until no function runs. Raises TimeoutError."""
        self._run(self._host.drain())

    def wait_for(self, function: str, times: int = 1) -> list[Invocation]:
        """The runs of a function, once there are so many. Raises TimeoutError."""
        return self._run(self._host.wait_for(function, times))

    def wait_until_listening(self, function: str) -> None:
        """Wait until a function's listener has started. Raises TimeoutError."""
        self._run(self._host.wait_until_listening(function))

    def wait_until(self, holds: Callable[[], bool]) -> None:
        """Return once `holds()`: for what others see of a run, such as a blob. Raises TimeoutError."""

        async def poll() -> None:
            async with asyncio.timeout(TEST_WAIT_SECONDS_MAX):
                while not await asyncio.to_thread(holds):  # noqa: ASYNC110 - nobody tells when it does
                    await asyncio.sleep(POLL_SECONDS)

        self._run(poll())

    def add_fault(self, rule: Mapping[str, Any]) -> str:
        """Make the host fail as docs/FAULTS.md describes; the rule's id."""
        return self._run(self._host.add_fault(rule))

    def clear_faults(self) -> None:
        """Take all fault rules away."""
        self._run(self._host.clear_faults())

    @property
    def _host(self) -> AsyncFunctionsTestHost:
        if self._inner is None:
            raise RuntimeError("Enter the test host first: with FunctionsTestHost(app) as host: …")
        return self._inner

    async def _open(self) -> AsyncFunctionsTestHost:
        return await AsyncFunctionsTestHost(self._app, **self._options).__aenter__()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        assert self._loop is not None
        ended: Future[T] = asyncio.run_coroutine_threadsafe(work, self._loop)
        return ended.result()

    def _end(self) -> None:
        assert self._loop is not None
        assert self._thread is not None
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
