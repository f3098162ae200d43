"""The test host on the caller's own event loop."""

from __future__ import annotations

import asyncio
import contextlib
import json as json_format
import logging
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlencode

from azure.functions import Blueprint, FunctionApp, FunctionRegister

from emulators.base.clock import Clock
from emulators.base.ids import Ids
from emulators.base.serving import DROPPED, Request
from emulators.functions_host import bundle
from emulators.functions_host.application import Flags, Host
from emulators.functions_host.index import Function, index_functions
from emulators.functions_host.invocation import Attempt, Call
from emulators.functions_host.lifespan import end_lifespan
from emulators.functions_host.limits import TEST_WAIT_SECONDS_MAX
from emulators.functions_host.logs import InvocationLogs
from emulators.functions_host.services import Services
from emulators.functions_host.settings import BUNDLE, Configuration, Settings
from emulators.functions_host.testing.records import (
    Answer,
    GivenBindings,
    Invocation,
    Log,
    RecordingConsole,
    plain_value,
)

POLL_SECONDS = 0.01
NOTIFICATION = {"aeg-event-type": "Notification", "content-type": "application/json"}


class AsyncFunctionsTestHost:
    """A host in process, for tests that are coroutines; it lives on the loop it is entered on."""

    def __init__(
        self,
        app: FunctionRegister | Blueprint,
        *,
        settings: Mapping[str, str] | None = None,
        host_json: Mapping[str, Any] | None = None,
        inputs: Mapping[str, Any] | None = None,
        capture_outputs: bool = False,
        listen: bool = False,
        root: Path | None = None,
    ) -> None:
        """`settings` are app settings, in the environment while the host is open; `host_json` is that file's content.

        `inputs` gives input bindings their values by parameter name; `capture_outputs` keeps what outputs are set to
        and writes nothing; `listen` starts timers and the listeners of Cosmos DB, queues and blobs.
        """
        self._app = _function_app(app)
        self._settings = dict(settings or {})
        self._host_json = dict(host_json or {})
        self._inputs = dict(inputs or {})
        self._captures = capture_outputs
        self._listens = listen
        self._root = root or Path.cwd()
        self._clock, self._ids = Clock(), Ids()
        self._console = RecordingConsole(self._clock)
        self._outputs: dict[str, dict[str, Any]] = {}
        self._ended: list[Invocation] = []
        self._changed = asyncio.Event()
        self._exits = contextlib.AsyncExitStack()
        self._opened: Host | None = None

    @property
    def invocations(self) -> list[Invocation]:
        """Every run that has ended, oldest first."""
        return list(self._ended)

    @property
    def logs(self) -> list[Log]:
        """Everything the host and its functions have said, oldest first."""
        return list(self._console.lines)

    @property
    def errors(self) -> dict[str, str]:
        """Functions that do not run, and why."""
        return {each.name: each.error for each in self._host.registry.functions if each.error}

    async def __aenter__(self) -> AsyncFunctionsTestHost:
        """Index the app and start what was asked for. Raises AppNotIndexed or StartError, with nothing changed."""
        async with contextlib.AsyncExitStack() as exits:
            await self._open(exits)
            self._exits = exits.pop_all()
        return self

    async def _open(self, exits: contextlib.AsyncExitStack) -> None:
        exits.enter_context(_environment(self._settings))
        logs = InvocationLogs(self._console, strays=False)
        exits.enter_context(_listening_to_logs(logs))
        environment = dict(os.environ)
        document = {"version": "2.0", "extensionBundle": {"id": BUNDLE, "version": "[4.*, 5.0.0)"}, **self._host_json}
        configuration = Configuration(document, environment)
        services = Services(self._clock)
        exits.push_async_callback(services.close)
        settings = Settings(environment)
        real = bundle.connectors(services, settings, configuration, self._clock, self._ids)
        self._app.functions_bindings = None  # the library counts names on the app, which may run in many tests
        self._opened = Host(
            self._root,
            environment,
            configuration,
            Flags(),
            self._console,
            logs,
            functions=index_functions(self._app, settings, configuration),
            clock=self._clock,
            connector=GivenBindings(self._inputs, self._captures, real, self._outputs),
            observer=self._note,
        )
        application = self._opened.application()
        await application.open()
        exits.push_async_callback(end_lifespan, self._app)
        exits.push_async_callback(application.close)
        if self._listens:
            self._opened.listen()

    async def __aexit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let what runs end, then stop."""
        await self._exits.aclose()

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        data: str | bytes = b"",
    ) -> Answer:
        """An HTTP request to the host: `/api/…` for functions, anything else that it answers. ConnectionError."""
        body = data.encode() if isinstance(data, str) else data
        given = {"host": "localhost:7071", **{name.lower(): value for name, value in (headers or {}).items()}}
        if json is not None:
            body = json_format.dumps(json).encode()
            given.setdefault("content-type", "application/json")
        given["content-length"] = str(len(body))
        target = f"{path}{'&' if '?' in path else '?'}{urlencode(params)}" if params else path
        response = await self._host.handle(Request(method.upper(), target, given, body))
        if response is DROPPED:
            raise ConnectionError(f"A fault rule has dropped {method} {path}.")
        content = (
            response.body if isinstance(response.body, bytes) else b"".join([part async for part in response.body])
        )
        return Answer(response.status, response.headers, content)

    async def emit_event(self, *events: Mapping[str, Any], function: str | None = None) -> list[Invocation]:
        """Deliver events of either schema to a function, or to all that Event Grid triggers; the runs they caused.

        Members that every event has and a test seldom cares for (id, eventTime, topic, dataVersion) are filled in.
        """
        names = [function] if function else sorted(self._host.registry.webhooks)
        if not names:
            raise ValueError(f"The app has no function with an Event Grid trigger that works: {self.errors or 'none'}.")
        since = len(self._ended)
        for name in names:
            body = json_format.dumps([self._whole_event(each) for each in events])
            path = f"/runtime/webhooks/eventgrid?{urlencode({'functionName': name})}"
            answer = await self.request("POST", path, headers=NOTIFICATION, data=body)
            if answer.status_code not in (202, 500):
                raise ValueError(f"The event was not taken by '{name}': {answer.status_code} {answer.text}")
        return [each for each in self._ended[since:] if each.function in names]

    async def tick(self, function: str | None = None) -> list[Invocation]:
        """Run a timer function now, or all of them; the runs this caused."""
        kinds = [each for each in self._host.registry.functions if each.name in self._host.registry.schedules]
        names = [function] if function else [each.name for each in kinds if each.error is None]
        return [each for name in names for each in await self.send(name, "")]

    async def send(self, function: str, payload: Any) -> list[Invocation]:
        """Run a function on a trigger's value: a queue message, a list of Cosmos DB documents, an event.

        Anything but text is sent as JSON. Raises ValueError when there is no such function or it is in error.
        """
        text = payload if isinstance(payload, str) else json_format.dumps(payload)
        return await self._invoke(*await self._host.call_for(function, text))

    async def send_blob(self, function: str, path: str, content: bytes) -> list[Invocation]:
        """Run a blob-triggered function on a blob that need not exist. Raises ValueError."""
        return await self._invoke(*self._host.blob_call(function, path, content))

    async def advance(self, seconds: float) -> None:
        """Turn the host's clock: timers, retries, polls and leases that fall due meanwhile are due now."""
        self._clock.advance(seconds)
        await asyncio.sleep(0)

    async def drain(self) -> None:
        """Wait until no function runs. Raises TimeoutError."""
        async with asyncio.timeout(TEST_WAIT_SECONDS_MAX):
            while self._host.outstanding:
                self._changed.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), POLL_SECONDS)

    async def wait_for(self, function: str, times: int = 1) -> list[Invocation]:
        """The runs of a function, once there are so many. Raises TimeoutError."""
        async with asyncio.timeout(TEST_WAIT_SECONDS_MAX):
            while len(found := [each for each in self._ended if each.function == function]) < times:
                self._changed.clear()
                await self._changed.wait()
        return found

    async def wait_until_listening(self, function: str) -> None:
        """Wait until a function's listener has started: before that a turned clock is not noticed. TimeoutError."""
        async with asyncio.timeout(TEST_WAIT_SECONDS_MAX):
            while function not in self._host.listening:  # noqa: ASYNC110 - listeners tell nobody
                await asyncio.sleep(POLL_SECONDS)

    async def add_fault(self, rule: Mapping[str, Any]) -> str:
        """Make the host fail as docs/FAULTS.md describes; the rule's id. Raises ValueError."""
        answer = await self._control("POST", "/faults", rule)
        return str(answer.json()["id"])

    async def clear_faults(self) -> None:
        """Take all fault rules away."""
        await self._control("DELETE", "/faults", None)

    @property
    def _host(self) -> Host:
        if self._opened is None:
            raise RuntimeError("Enter the test host first: with FunctionsTestHost(app) as host: …")
        return self._opened

    async def _control(self, method: str, path: str, body: Any) -> Answer:
        headers = {"x-emulator-control": "1"}
        answer = await self.request(method, f"/admin/emulator{path}", headers=headers, json=body)
        if answer.status_code >= 400:
            raise ValueError(answer.text)
        return answer

    async def _invoke(self, function: Function, call: Call) -> list[Invocation]:
        since = len(self._ended)
        await self._host.invoke(function, call)
        return [each for each in self._ended[since:] if each.function == function.name]

    def _note(self, attempt: Attempt) -> None:
        logs = [each for each in self._console.lines if each.invocation_id == attempt.invocation_id]
        self._ended.append(
            Invocation(
                attempt.function,
                attempt.invocation_id,
                attempt.reason,
                attempt.retry_count,
                attempt.failure,
                None if attempt.returned is None else plain_value(attempt.returned),
                self._outputs.pop(attempt.invocation_id, {}),
                logs,
            )
        )
        self._changed.set()

    def _whole_event(self, event: Mapping[str, Any]) -> dict[str, Any]:
        if "specversion" in event:
            return {"id": self._ids.guid(), "source": "/test", "type": "Test", **event}
        now = self._clock.utc().isoformat().replace("+00:00", "Z")
        usual = {"id": self._ids.guid(), "topic": "/test", "subject": "", "eventType": "Test", "eventTime": now}
        return {**usual, "dataVersion": "1.0", "metadataVersion": "1", "data": {}, **event}


def _function_app(app: FunctionRegister | Blueprint) -> FunctionRegister:
    if isinstance(app, FunctionRegister):
        return app
    whole = FunctionApp()
    whole.register_functions(app)
    return whole


@contextlib.contextmanager
def _environment(settings: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextlib.contextmanager
def _listening_to_logs(logs: InvocationLogs) -> Iterator[None]:
    root = logging.getLogger()
    level, silenced = root.level, root.manager.disable
    root.addHandler(logs)
    root.setLevel(min(level, logging.INFO) if level else logging.INFO)
    logging.disable(logging.NOTSET)  # a suite that silences logging still asserts on what functions say
    try:
        yield
    finally:
        root.removeHandler(logs)
        root.setLevel(level)
        logging.disable(silenced)
