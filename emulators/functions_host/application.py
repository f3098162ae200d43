"""The composition of one worker: the app's functions behind keys, fault rules, routes and the host's endpoints.

`Host` needs no socket. It imports the user's app, so make it on the loop that is to run the functions.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import platform
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from emulators.base.clock import Clock
from emulators.base.faults import Act, suffer
from emulators.base.ids import Ids
from emulators.base.serving import DROPPED, Application, Request, Response
from emulators.functions_host import bundle, http
from emulators.functions_host.admin import Admin, Identity, MakeCall, manual_calls
from emulators.functions_host.admin_keys import KeysApi
from emulators.functions_host.console import Console
from emulators.functions_host.cors import Cors
from emulators.functions_host.deadlines import read_time_limit
from emulators.functions_host.errors import AppNotIndexed, FunctionInError
from emulators.functions_host.headers import AnswerHeaders
from emulators.functions_host.index import Function
from emulators.functions_host.invocation import Attempt, Call, Connector, Invoker, Outcome, retry_warnings
from emulators.functions_host.keys import SYSTEM_KEYS, KeyRing, Level, satisfies
from emulators.functions_host.limits import BODY_BYTES_MAX
from emulators.functions_host.listeners import Listener, Listeners
from emulators.functions_host.locks import BlobLease, SingletonListener, lock_name
from emulators.functions_host.logs import InvocationLogs
from emulators.functions_host.registry import HttpTarget, build_registry
from emulators.functions_host.retries import read_host_retry_policy
from emulators.functions_host.secrets import secret_store
from emulators.functions_host.services import Services
from emulators.functions_host.settings import Configuration, Settings
from emulators.functions_host.storage import HOSTS_CONTAINER, JsonBlobs, StorageUnavailable, webjobs_storage
from emulators.functions_host.supervision import CONTROL_PREFIX, Activity, Alone, Supervision
from emulators.functions_host.throttle import read_throttle
from emulators.functions_host.trace import continue_trace
from emulators.functions_host.triggers import warmup
from emulators.functions_host.triggers.eventgrid import EventGridWebhook
from emulators.functions_host.triggers.timer import TimerListener, is_monitored
from emulators.functions_host.watch import APP_OFFLINE
from emulators.functions_host.web import WebExtension, imported_base, is_turned_off

WEBHOOK = re.compile(r"/runtime/webhooks/([^/]+)(/.*)?", re.IGNORECASE)
WEBHOOK_METHODS = frozenset({"GET", "PUT", "POST", "DELETE", "OPTIONS"})
EXIT_BLOCKED = 4
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
    number: int = 0
    """Which of the processes this is."""
    instance_id: str = ""
    """The host's own, common to all its processes: locks are held under it."""


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
        *,
        functions: list[Function],
        failure: AppNotIndexed | None = None,
        clock: Clock | None = None,
        supervision: Supervision | None = None,
        connector: Connector | None = None,
        observer: Callable[[Attempt], None] = lambda attempt: None,
    ) -> None:
        """`failure` is why an app has no functions. Raises StartError.

        A test gives a `connector` of its own for bindings, and an `observer` that is told of every run.
        """
        self._flags = flags
        self._console = console
        self._clock, self._ids = clock or Clock(), Ids()
        self._instance_id = flags.instance_id or self._ids.guid()
        self._supervision: Supervision = supervision or Alone(
            self._clock, self.health, self.activity, self.drain, self.listen
        )
        self._settings = settings = Settings(environment)
        self._services = Services(self._clock)
        connector = connector or bundle.connectors(self._services, settings, configuration, self._clock, self._ids)
        self.registry = build_registry(functions, connector, settings, configuration)
        if flags.number == 0:  # said once for the host, not by each of its workers
            for warnings in (retry_warnings, bundle.warnings, warmup.warnings):
                for warning in warnings(self.registry.functions):
                    console.always(warning, "warning")
        blocked = None if supervision is None else self._end_process
        self._invoker = self._make_invoker(configuration, logs, connector, observer, blocked)
        host_id = settings.get("AzureFunctionsWebHost:hostid") or default_host_id(root)
        self._webhook = EventGridWebhook(self.registry.webhooks, self._invoker, self._clock)
        self._warm_up = warmup.WarmUp(self.registry.functions, self._invoker)
        self._store: JsonBlobs | None = None
        timers = {each.function.name: each for each in self._timers(host_id)}
        self._sources = self._bundled(configuration, host_id)
        ticking = [self._singleton(listener, host_id) for listener in timers.values()]
        listeners = [each for each in (*ticking, *self._sources.listeners) if each.function.runs]
        self._listeners = Listeners(listeners, self._clock, console, self._services.import_storage)
        self._offline_page = _offline_page(root)
        names = [each.name for each in functions]
        self._keys = KeyRing(lambda: secret_store(self._services, settings, host_id), self._ids, self._clock, names)
        if flags.enable_auth:
            self._keys.find_store()  # what cannot be is said at the start
        calls = {**manual_calls(self._webhook, timers), **self._sources.manual_calls()}
        self._admin = self._make_admin(root, host_id, configuration, failure, calls)
        self._headers = AnswerHeaders(configuration)
        base = None if is_turned_off(settings) else imported_base()
        self._web = None if base is None else WebExtension(base)
        self._throttle = read_throttle(configuration, workers=flags.processes, number=flags.number)
        self._body_bytes_max = settings.number("FUNCTIONS_REQUEST_BODY_SIZE_LIMIT", BODY_BYTES_MAX)
        self._tasks: set[asyncio.Task[None]] = set()

    def _make_invoker(
        self,
        configuration: Configuration,
        logs: InvocationLogs,
        connector: Connector,
        observer: Callable[[Attempt], None],
        blocked: Callable[[str], None] | None,
    ) -> Invoker:
        return Invoker(
            clock=self._clock,
            ids=self._ids,
            console=self._console,
            logs=logs,
            connector=connector,
            observer=observer,
            default_retry=read_host_retry_policy(configuration),
            time_limit_seconds=read_time_limit(configuration),
            timed_out=self._replace_worker,
            blocked=blocked,
        )

    def _bundled(self, configuration: Configuration, host_id: str) -> bundle.Sources:
        return bundle.Sources(
            self.registry,
            self._services,
            self._invoker,
            self._settings,
            configuration,
            self._clock,
            self._ids,
            self._console,
            host_id,
        )

    def _make_admin(
        self,
        root: Path,
        host_id: str,
        configuration: Configuration,
        failure: AppNotIndexed | None,
        calls: Mapping[str, MakeCall],
    ) -> Admin:
        identity = Identity(
            root,
            self._flags.url,
            host_id,
            self._instance_id,
            configuration,
            failure="\n".join(part for part in (failure.report, str(failure)) if part) if failure else "",
            is_offline=self._offline_page is not None,
        )
        return Admin(
            self.registry,
            self._invoker,
            self._console,
            identity=identity,
            supervision=self._supervision,
            keys=KeysApi(self._keys.load, self._supervision.keys_changed),
            calls=calls,
        )

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

    def _singleton(self, listener: TimerListener, host_id: str) -> Listener:
        """The listener under a lock, unless there is no storage to keep the lock in."""
        try:
            connection = webjobs_storage(self._settings)
        except FunctionInError:
            return listener
        lock = BlobLease(self._services, connection, lock_name(host_id, listener.function.name), self._instance_id)
        return SingletonListener(listener, lock, self._clock, self._console)

    def _status_store(self, function: Function) -> JsonBlobs | None:
        if not is_monitored(function, self.registry.schedules[function.name], self._clock.utc()):
            return None
        if self._store is None:
            self._store = JsonBlobs(self._services, webjobs_storage(self._settings), HOSTS_CONTAINER)
        return self._store

    def application(self) -> Application:
        """What is served."""
        return Application(
            self.handle,
            lambda request: Response(413, self._headers.of(request)),
            self._body_bytes_max,
            open=self._open,
            close=self._close,
            streams=None if self._web is None else self._is_streamed,
        )

    async def call_for(self, name: str, payload: str) -> tuple[Function, Call]:
        """A function and the call that `payload` asks of it, as POST /admin/functions/NAME does. Raises ValueError."""
        return await self._admin.call_for(name, payload)

    def blob_call(self, name: str, path: str, content: bytes) -> tuple[Function, Call]:
        """A blob-triggered function and its call for a blob that need not exist. Raises ValueError."""
        return self._sources.blob_call(name, path, content)

    async def invoke(self, function: Function, call: Call) -> Outcome:
        """Run a function."""
        return await self._invoker.invoke(function, call)

    def listen(self) -> None:
        """Start what is not HTTP: one worker of a host does."""
        self._listeners.start()

    async def drain(self) -> None:
        """Stop what is not HTTP, and wait until its present runs have ended."""
        await self._listeners.stop()

    async def reload_keys(self) -> None:
        """Read the keys again: another worker has changed them."""
        self._keys.forget()

    async def _open(self) -> None:
        if self._flags.enable_auth:
            try:
                await self._keys.load()
            except StorageUnavailable as failure:
                self._console.always(f"Keys cannot be read yet, they are tried again by request: {failure}", "warning")

    async def _close(self) -> None:
        self._invoker.stop()
        await self._listeners.stop()
        await self._admin.finish()
        self._invoker.close()
        await self._services.close()

    async def handle(self, request: Request) -> Response:
        """The answer to any request."""
        if request.raw_path.startswith(CONTROL_PREFIX + "/"):
            return await self._supervision.control(request)
        preflight = self._flags.cors.preflight(request)
        response = preflight or await self._answer(request)
        if response is not DROPPED:
            given = {**self._headers.of(request), **response.headers}
            response.headers = given if preflight else {**given, **self._flags.cors.headers(request)}
        return response

    async def _answer(self, request: Request) -> Response:
        raw = request.raw_path.replace("%2f", "%252F").replace("%2F", "%252F")  # an encoded slash stays encoded
        path = unquote(raw)
        lower = path.lower()
        if webhook := WEBHOOK.fullmatch(path):
            return await self._answer_webhook(request, webhook[1])
        if lower == warmup.PATH:
            return await self._warm_up.answer()
        if lower == "/admin" or lower.startswith("/admin/"):
            if await self._demand(request, Level.ADMIN) is None:
                return Response(401)
            return await self._admin.handle(request)
        if self._offline_page is not None:
            return Response(503, {"content-type": "text/html"}, self._offline_page)
        found = self.registry.router.match(request.method, path)
        if found is not None:
            return await self._answer_route(request, *found)
        if path == "/":
            if (self._settings.get("AzureWebJobsDisableHomepage") or "").lower() == "true":
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
            trace=continue_trace(request.headers, self._ids) if function.signature.takes_context else None,
            data=dict(values),
        )

        async def work() -> Response:
            if self._web is not None:
                return await self._answer_web(self._web, request, function, values, call)
            outcome = await self._invoker.invoke(function, call)
            if outcome.failure is not None:
                return Response(500)
            try:
                return http.response(outcome.answer)
            except ValueError as refusal:
                self._console.always(f"The answer of function '{function.name}' cannot be sent: {refusal}", "error")
                return Response(500)

        if not self._throttle.is_on:
            return await self._under_faults(request, "http", function.name, work)
        return await self._throttle.run(lambda: self._under_faults(request, "http", function.name, work))

    def _is_streamed(self, request: Request) -> bool:
        """Whether a function of the web extension may read the body as it comes."""
        if request.path.lower().startswith(("/admin", "/runtime")):
            return False
        announced = request.headers.get("content-length", "0")
        return announced.isdecimal() and int(announced) <= self._body_bytes_max

    async def _answer_web(
        self, web: WebExtension, request: Request, function: Function, values: Mapping[str, str], call: Call
    ) -> Response:
        async def invoke(web_request: Any) -> Any:
            web.set_route_values(web_request, dict(values))
            outcome = await self._invoker.invoke(function, replace(call, web_request=web_request))
            if outcome.failure is not None:
                raise outcome.failure
            return None if outcome.answer is None else outcome.answer.value

        try:
            return await web.answer(request, invoke)
        except Exception:  # noqa: BLE001 - the invocation has logged it; the worker's web server says no more than this
            return http.text_response(500, "Internal Server Error")

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
        if not self._supervision.has_fault_rules:
            return await work()
        facts = {"operation": operation, "method": request.method, "path": request.path, "function": function}
        act = await self._supervision.strike(facts)
        if act is None:
            return await work()
        return await suffer(act, self._clock, work, _refuse_by_rule, lambda: DROPPED)

    async def _demand(
        self, request: Request, level: Level, function: Function | None = None, *, key: str = ""
    ) -> Level | None:
        """What the caller has proved, or None when that does not open `level`; a system key has to be `key`."""
        if not self._flags.enable_auth:  # every caller is the administrator, unless nobody asks
            return level if level is Level.ANONYMOUS else Level.ADMIN
        try:
            proved, name = await self._keys.level(request, function.name if function else None)
        except StorageUnavailable as failure:
            self._console.always(f"Keys cannot be read: {failure}", "error")
            return level if level is Level.ANONYMOUS else None
        if level is Level.SYSTEM and proved is Level.SYSTEM and name != key:
            return None
        return proved if satisfies(proved, level) else None

    def health(self) -> dict[str, Any]:
        """What this worker says of itself."""
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

    def activity(self) -> Activity:
        """What is under way here."""
        return Activity(self._invoker.outstanding, self._invoker.outstanding_retries)

    def _end_process(self, invocation_id: str) -> None:
        self._console.always(
            f"The function of invocation '{invocation_id}' holds the event loop beyond functionTimeout. Its worker "
            "process is ended, and all invocations with it. Make it a plain `def`, or await what it waits for.",
            "error",
        )
        os._exit(EXIT_BLOCKED)

    def _replace_worker(self, invocation_id: str) -> None:
        why = f"A function timeout has occurred. Restarting worker process executing invocationId '{invocation_id}'."
        task = asyncio.create_task(self._supervision.replace_worker(why))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _offline_page(root: Path) -> bytes | None:
    page = root / APP_OFFLINE
    return page.read_bytes() if page.is_file() else None


def default_host_id(root: Path) -> str:
    """Stable per machine and app folder, at most 32 characters."""
    machine = re.sub(r"[^a-z0-9]", "", platform.node().lower())[:20] or "host"
    return f"{machine}-{int.from_bytes(hashlib.sha256(str(root).encode()).digest()[:4], 'big')}"


def _refuse_by_rule(act: Act) -> Response:
    assert act.status is not None
    seconds = act.retry_after_seconds
    return Response(act.status, {} if seconds is None else {"retry-after": str(round(seconds))})
