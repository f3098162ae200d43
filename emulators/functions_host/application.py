"""The composition of one worker: the app's functions behind keys, fault rules, routes and the host's endpoints.

`Host` needs no socket. It imports the user's app, so make it on the loop that is to run the functions.
"""

from __future__ import annotations

import asyncio
import hashlib
import platform
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from azure.functions import FunctionRegister

from emulators.base.clock import Clock
from emulators.base.control import Control, problem
from emulators.base.faults import Act, Faults, suffer
from emulators.base.ids import Ids
from emulators.base.serving import DROPPED, Application, Request, Response
from emulators.functions_host import bundle, http
from emulators.functions_host.admin import Admin, manual_calls
from emulators.functions_host.console import Console
from emulators.functions_host.cors import Cors
from emulators.functions_host.errors import FunctionInError
from emulators.functions_host.index import Function, index_functions, load_app
from emulators.functions_host.invocation import Attempt, Call, Connector, Invoker, Outcome
from emulators.functions_host.keys import SYSTEM_KEYS, Keys, Level, satisfies, secret_store
from emulators.functions_host.limits import BODY_BYTES_MAX
from emulators.functions_host.listeners import Listeners
from emulators.functions_host.logs import InvocationLogs
from emulators.functions_host.registry import HttpTarget, build_registry
from emulators.functions_host.retries import read_host_retry_policy
from emulators.functions_host.services import Services
from emulators.functions_host.settings import Configuration, Settings
from emulators.functions_host.storage import HOSTS_CONTAINER, JsonBlobs, StorageUnavailable, webjobs_storage
from emulators.functions_host.trace import continue_trace
from emulators.functions_host.triggers.eventgrid import EventGridWebhook
from emulators.functions_host.triggers.timer import TimerListener, is_monitored

CONTROL_PREFIX = "/admin/emulator"
WEBHOOK = re.compile(r"/runtime/webhooks/([^/]+)(/.*)?", re.IGNORECASE)
WEBHOOK_METHODS = frozenset({"GET", "PUT", "POST", "DELETE", "OPTIONS"})
UNHEEDED = ("extensions:http:maxOutstandingRequests", "extensions:http:maxConcurrentRequests")
"""Settings of host.json that would change answers and are not built; whoever sets them is warned."""
HOME_PAGE = (
    b"<!DOCTYPE html><html><body><p>The Functions host of the local emulators is up and running.</p></body></html>"
)


@dataclass(frozen=True)
class Flags:
    """What the command line says about one worker."""

    url: str = "http://127.0.0.1:7071"
    enable_auth: bool = False
    cors: Cors = field(default_factory=Cors)
    processes: int = 1


@dataclass(frozen=True)
class Parts:
    """What a host in process is given instead of what it would make itself: for the test host."""

    app: FunctionRegister | None = None
    clock: Clock | None = None
    connectors: Connector | None = None
    observer: Callable[[Attempt], None] = lambda attempt: None


class Host:
    """Takes requests through control endpoints, CORS, keys, fault rules and routes; runs the listeners."""

    def __init__(
        self,
        root: Path,
        environment: Mapping[str, str],
        configuration: Configuration,
        flags: Flags,
        console: Console,
        logs: InvocationLogs,
        parts: Parts | None = None,
    ) -> None:
        """Import and index the app. Raises AppNotIndexed or StartError."""
        parts = parts or Parts()
        self._flags = flags
        self._console = console
        self._clock, self._ids = parts.clock or Clock(), Ids()
        self._settings = settings = Settings(environment)
        self._services = Services(self._clock)
        connectors = parts.connectors or bundle.connectors(
            self._services, settings, configuration, self._clock, self._ids
        )
        functions = index_functions(parts.app or load_app(root, settings), settings, configuration)
        self.registry = build_registry(functions, connectors, settings, configuration)
        self._invoker = Invoker(
            clock=self._clock,
            ids=self._ids,
            console=console,
            logs=logs,
            connector=connectors,
            default_retry=read_host_retry_policy(configuration),
            observer=parts.observer,
        )
        host_id = settings.get("AzureFunctionsWebHost:hostid") or default_host_id(root)
        self._webhook = EventGridWebhook(self.registry.webhooks, self._invoker, self._clock)
        self._store: JsonBlobs | None = None
        timers = {each.function.name: each for each in self._timers(host_id)}
        self._sources = bundle.Sources(
            self.registry,
            self._services,
            self._invoker,
            settings,
            configuration,
            self._clock,
            self._ids,
            console,
            host_id,
        )
        self._listeners = Listeners(
            [each for each in (*timers.values(), *self._sources.listeners) if each.function.runs], self._clock, console
        )
        self._keys = Keys(secret_store(settings, host_id), self._ids) if flags.enable_auth else None
        self._keys_lock = asyncio.Lock()
        self._admin = Admin(
            self.registry,
            self._invoker,
            console,
            url=flags.url,
            host_id=host_id,
            instance_id=self._ids.guid(),
            calls={**manual_calls(self._webhook, timers), **self._sources.manual_calls()},
        )
        self._faults = Faults(self._clock)
        self._control = Control(
            "functions_host", self._clock, self._faults, self._health, self._reset, prefix=CONTROL_PREFIX
        )
        self._headers = {"server": "Kestrel", **configuration.section("extensions:http:customHeaders")}
        self._body_bytes_max = settings.number("FUNCTIONS_REQUEST_BODY_SIZE_LIMIT", BODY_BYTES_MAX)
        for path in UNHEEDED:
            if configuration.number(path, -1) > 0:
                console.always(f"host.json: {path.replace(':', '.')} is not heeded by this host.", "warning")

    def _timers(self, host_id: str) -> list[TimerListener]:
        timers = []
        for function in list(self.registry.functions):
            schedule = self.registry.schedules.get(function.name)
            if function.error is not None or schedule is None:
                continue
            try:
                store = self._status_store(function)
            except FunctionInError as failure:
                self.registry.fail(function, str(failure))
            else:
                timers.append(
                    TimerListener(function, schedule, self._invoker, self._clock, self._console, store, host_id)
                )
        return timers

    def _status_store(self, function: Function) -> JsonBlobs | None:
        if not is_monitored(function, self.registry.schedules[function.name], self._clock.utc()):
            return None
        if self._store is None:
            self._store = JsonBlobs(webjobs_storage(self._settings), HOSTS_CONTAINER)
        return self._store

    def application(self) -> Application:
        """What is served."""
        return Application(
            self.handle,
            lambda request: Response(413, self._headers),
            self._body_bytes_max,
            open=self._open,
            close=self._close,
        )

    def call_for(self, name: str, payload: str) -> tuple[Function, Call]:
        """A function and the call that `payload` asks of it, as POST /admin/functions/NAME does. Raises ValueError."""
        return self._admin.call_for(name, payload)

    async def invoke(self, function: Function, call: Call) -> Outcome:
        """Run a function."""
        return await self._invoker.invoke(function, call)

    def blob_call(self, name: str, path: str, content: bytes) -> tuple[Function, Call]:
        """A blob-triggered function and its call for a blob that need not exist. Raises ValueError."""
        return self._sources.blob_call(name, path, content)

    def listen(self) -> None:
        """Start what is not HTTP: one worker of a host does."""
        self._listeners.start()

    async def _open(self) -> None:
        if self._keys is not None:
            try:
                await self._load_keys(self._keys)
            except StorageUnavailable as failure:
                self._console.always(f"Keys cannot be read yet, they are tried again by request: {failure}", "warning")

    async def _load_keys(self, keys: Keys) -> None:
        async with self._keys_lock:
            if not keys.master:
                await keys.load(each.name for each in self.registry.functions)

    async def _close(self) -> None:
        self._invoker.stop()
        await self._listeners.stop()
        await self._admin.finish()
        self._invoker.close()
        await self._services.close()
        if self._store is not None:
            await self._store.close()
        if self._keys is not None:
            await self._keys.store.close()

    async def handle(self, request: Request) -> Response:
        """The answer to any request."""
        if self._control.owns(request.path):
            return await self._answer_control(request)
        preflight = self._flags.cors.preflight(request)
        response = preflight or await self._answer(request)
        if response is not DROPPED:
            given = {**self._headers, **response.headers}
            response.headers = given if preflight else {**given, **self._flags.cors.headers(request)}
        return response

    async def _answer_control(self, request: Request) -> Response:
        if self._flags.processes > 1 and request.method != "GET":
            return problem(501, "Control endpoints with several worker processes are not built.")
        return await self._control.handle(request)

    async def _answer(self, request: Request) -> Response:
        raw = request.raw_path.replace("%2f", "%252F").replace("%2F", "%252F")  # an encoded slash stays encoded
        path = unquote(raw)
        lower = path.lower()
        if webhook := WEBHOOK.fullmatch(path):
            return await self._answer_webhook(request, webhook[1])
        if lower == "/admin" or lower.startswith("/admin/"):
            if await self._demand(request, Level.ADMIN) is None:
                return Response(401)
            return await self._admin.handle(request)
        found = self.registry.router.match(request.method, path)
        if found is not None:
            return await self._answer_route(request, *found)
        if path == "/" and request.method == "GET":
            if self._settings.flag("AzureWebJobsDisableHomepage"):
                return Response(204)
            return Response(200, {"content-type": "text/html"}, HOME_PAGE)
        return Response(404)

    async def _answer_route(self, request: Request, target: HttpTarget, values: Mapping[str, str]) -> Response:
        function = target.function
        proved = await self._demand(request, target.level, function)
        if proved is None:
            return Response(401)
        if function.disabled and proved is not Level.ADMIN:
            return Response(404)
        if target.not_built:
            return http.text_response(501, target.not_built)
        call = Call(
            http.request_datum(request, values),
            trace=continue_trace(request.headers, self._ids),
            data=dict(values),
        )

        async def work() -> Response:
            outcome = await self._invoker.invoke(function, call)
            if outcome.failure is not None:
                return Response(500)
            try:
                return http.response(outcome.returned)
            except ValueError as refusal:
                self._console.always(f"The answer of function '{function.name}' cannot be sent: {refusal}", "error")
                return Response(500)

        return await self._under_faults(request, "http", function.name, work)

    async def _answer_webhook(self, request: Request, extension: str) -> Response:
        handle = {"eventgrid": self._webhook.handle, "blobs": self._sources.blob_webhook}.get(extension.lower())
        if handle is None or request.method not in WEBHOOK_METHODS:
            return Response(404)
        if await self._demand(request, Level.SYSTEM, key=SYSTEM_KEYS[extension.lower()]) is None:
            return Response(401)
        name = next((value for key, value in request.query if key.lower() == "functionname"), "")
        if name in self.registry.not_built_webhooks:
            return http.text_response(501, self.registry.not_built_webhooks[name])

        async def work() -> Response:
            try:
                return await handle(request, name)
            except (ValueError, KeyError, TypeError, IndexError) as refusal:
                self._console.always(f"The webhook's body cannot be used: {type(refusal).__name__}: {refusal}", "error")
                return Response(500)

        return await self._under_faults(request, "webhook", name, work)

    async def _under_faults(
        self, request: Request, operation: str, function: str, work: Callable[[], Awaitable[Response]]
    ) -> Response:
        act = self._faults.strike(operation=operation, method=request.method, path=request.path, function=function)
        if act is None:
            return await work()
        return await suffer(act, self._clock, work, _refuse_by_rule, lambda: DROPPED)

    async def _demand(
        self, request: Request, level: Level, function: Function | None = None, *, key: str = ""
    ) -> Level | None:
        """What the caller has proved, or None when that does not open `level`; a system key has to be `key`."""
        if self._keys is None:  # without --enableAuth every caller is the administrator, unless nobody asks
            return level if level is Level.ANONYMOUS else Level.ADMIN
        if not self._keys.master:
            try:
                await self._load_keys(self._keys)
            except StorageUnavailable as failure:
                self._console.always(f"Keys cannot be read: {failure}", "error")
                return level if level is Level.ANONYMOUS else None
        proved, name = self._keys.level(request, function.name if function else None)
        if level is Level.SYSTEM and proved is Level.SYSTEM and name != key:
            return None
        return proved if satisfies(proved, level) else None

    def _health(self) -> dict[str, Any]:
        return {
            "functions": [each.name for each in self.registry.functions if each.runs],
            "inError": {each.name: each.error for each in self.registry.functions if each.error},
            "listening": sorted(self._listeners.running),
            "listenersFailing": dict(self._listeners.failures),
            "outstandingInvocations": self._invoker.outstanding,
        }

    @property
    def outstanding(self) -> int:
        """Invocations that have not ended."""
        return self._invoker.outstanding

    @property
    def listening(self) -> set[str]:
        """Functions whose listeners have started."""
        return set(self._listeners.running)

    async def _reset(self) -> None:
        """The host keeps nothing of its own; fault rules are cleared by whoever calls this."""


def default_host_id(root: Path) -> str:
    """Stable per machine and app folder, at most 32 characters."""
    machine = re.sub(r"[^a-z0-9]", "", platform.node().lower())[:20] or "host"
    return f"{machine}-{int.from_bytes(hashlib.sha256(str(root).encode()).digest()[:4], 'big')}"


def _refuse_by_rule(act: Act) -> Response:
    assert act.status is not None
    seconds = act.retry_after_seconds
    return Response(act.status, {} if seconds is None else {"retry-after": str(round(seconds))})
