"""The host's own endpoints below /admin: status, drain, restart, processes, keys, functions and running one by hand.

Who may call them is decided before (application). What the real host has and we have not answers 501 by name.
"""

from __future__ import annotations

import asyncio
import json
import platform
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import orjson

from emulators.base.serving import Request, Response
from emulators.functions_host.admin_keys import FUNCTION_SCOPE, HOST_SCOPES, KeysApi
from emulators.functions_host.console import Console
from emulators.functions_host.http import text_response
from emulators.functions_host.index import Function
from emulators.functions_host.invocation import Call, Invoker
from emulators.functions_host.registry import HTTP, Registry
from emulators.functions_host.settings import Configuration
from emulators.functions_host.supervision import Activity, Supervision
from emulators.functions_host.triggers import eventgrid, timer
from emulators.functions_host.watch import APP_OFFLINE

VERSION = "4.1052.200.0"
"""The host version that Core Tools of August 2026 bundles; apps and tools read it here."""
NOT_BUILT = (
    *("host/config", "host/debug", "host/scale/status", "host/extensions*", "host/extensionbundle*"),
    *("functions/download", "functions/*/state", "vfs*", "instance*", "pod*", "proxies*"),
)
"""Endpoints of the real host, below /admin, that are not built."""
OFFLINE_PAGE = "<!DOCTYPE html><html><body><p>This function app is offline.</p></body></html>"
TRACE_LEVELS = {"error": "error", "warning": "warning", "info": "information", "verbose": "debug"}
"""System.Diagnostics.TraceLevel as log levels of the console; "off" is none."""


@dataclass(frozen=True)
class Identity:
    """What the host says it is."""

    root: Path
    url: str
    host_id: str
    instance_id: str
    configuration: Configuration
    failure: str = ""
    """Why the app could not be indexed."""
    is_offline: bool = False

    @property
    def state(self) -> str:
        """The ScriptHostState."""
        if self.is_offline:
            return "Offline"
        return "Error" if self.failure else "Running"


MakeCall = Callable[[Function, str], Awaitable[Call]]
"""How the text of `input` becomes a call of a function. Raises ValueError for text that is not of its trigger."""


class Admin:
    """Answers /admin/*. `calls` makes the call of a function by hand from its `input` text, by trigger type."""

    def __init__(
        self,
        registry: Registry,
        invoker: Invoker,
        console: Console,
        *,
        identity: Identity,
        supervision: Supervision,
        keys: KeysApi,
        calls: Mapping[str, MakeCall],
    ) -> None:
        self._registry = registry
        self._invoker = invoker
        self._console = console
        self._identity = identity
        self._supervision = supervision
        self._keys = keys
        self._calls = calls
        self._started = time.monotonic()
        self._running: set[asyncio.Task[Any]] = set()

    async def handle(self, request: Request) -> Response:
        """The answer to a request below /admin."""
        path = request.path.rstrip("/")
        parts = path.split("/")[2:]
        if len(parts) > 1 and parts[0].lower() == "host":
            route = HOST_ROUTES.get((request.method, "/".join(parts[1:]).lower()))
            if route is not None:
                return await route(self, request)
            if parts[1].lower() in HOST_SCOPES and len(parts) <= 3:
                scope = HOST_SCOPES[parts[1].lower()]
                return await self._answer_keys(request, scope, None, parts[2:])
        elif parts[:1] and parts[0].lower() == "functions":
            answer = await self._answer_functions(request, parts[1:])
            if answer is not None:
                return answer
        if any(fnmatchcase("/".join(parts).lower(), pattern) for pattern in NOT_BUILT):
            return text_response(501, f"{request.method} {path} of the Functions host is not built into this emulator.")
        return Response(404)

    async def _answer_functions(self, request: Request, parts: list[str]) -> Response | None:
        if not parts:
            described = [self._describe(each) for each in self._registry.functions]
            return _json(described) if request.method == "GET" else None
        if [each.lower() for each in parts] == ["download"]:
            return None  # an endpoint of its own, not a function
        function = self._registry.find(parts[0])
        rest = [each.lower() for each in parts[1:2]] + parts[2:]
        if rest[:1] == [FUNCTION_SCOPE] and len(rest) <= 2:
            if function is None:
                return Response(404)
            return await self._answer_keys(request, FUNCTION_SCOPE, function.name, rest[1:])
        match request.method, rest:
            case "GET", []:
                return Response(404) if function is None else _json(self._describe(function))
            case "GET", ["status"]:
                if function is None:
                    return Response(404)
                return _json({"errors": [function.error]} if function.error else {})
            case "POST", []:
                return self._run(function, request)
            case (("PUT" | "DELETE"), []):
                return text_response(501, "Functions of the Python v2 model are changed in function_app.py.")
        return None

    async def _answer_keys(self, request: Request, scope: str, function: str | None, name: list[str]) -> Response:
        allowed = ("GET", "POST", "PUT", "DELETE") if name else ("GET",)
        if request.method not in allowed:
            return Response(405, {"allow": ", ".join(allowed)})
        return await self._keys.answer(request, scope, function, name[0] if name else None)

    async def finish(self) -> None:
        """Wait until what was started by hand has ended."""
        await asyncio.gather(*self._running)

    async def call_for(self, name: str, text: str) -> tuple[Function, Call]:
        """A function and its call for the text of `input`. Raises ValueError that says why there is none."""
        function = self._registry.find(name)
        if function is None:
            known = ", ".join(each.name for each in self._registry.functions)
            raise ValueError(f"There is no function '{name}'; the app has {known or 'none'}.")
        if function.error is not None:
            raise ValueError(f"The '{name}' function is in error: {function.error}")
        make = self._calls.get(function.trigger.type.lower())
        if make is None:
            raise ValueError(f"'{name}' has a {function.trigger.type}, which is not run by hand.")
        return function, await make(function, text)

    def _run(self, function: Function | None, request: Request) -> Response:
        """Start one invocation; its outcome is in the log only."""
        if "json" not in request.headers.get("content-type", "").lower():
            return Response(415)
        try:
            text = json.loads(request.body)["input"]
        except (ValueError, KeyError, TypeError):
            return Response(400)
        if function is None:
            return Response(404)
        if function.error is not None:
            return text_response(501 if function.error.startswith("501") else 404, function.error)
        make = self._calls.get(function.trigger.type.lower())
        if make is None:
            reason = f"POST /admin/functions/{function.name}: HTTP functions are not run by hand here; call their URL."
            return text_response(501, reason)
        self._start(self._run_by_hand(function, make, "" if text is None else str(text)))
        return Response(202)

    async def _run_by_hand(self, function: Function, make: MakeCall, text: str) -> None:
        try:
            call = await make(function, text)
        except ValueError as refusal:
            self._console.user("error", f"Exception binding parameter '{function.trigger.name}': {refusal}")
        else:
            await self._invoker.invoke(function, call)

    async def tell_status(self, request: Request) -> Response:
        """GET status: who the host is and how it does."""
        identity = self._identity
        status = {
            "id": identity.host_id,
            "state": identity.state,
            "version": VERSION,
            "versionDetails": f"{VERSION} (local emulator)",
            "instanceId": identity.instance_id,
            "computerName": platform.node(),
            "processUptime": round((time.monotonic() - self._started) * 1000),
            "functionAppContentEditingState": "NotAllowed",
        }
        if bundle := identity.configuration.text("extensionBundle:id"):
            status["extensionBundle"] = {
                "id": bundle,
                "version": identity.configuration.text("extensionBundle:version"),
            }
        if identity.failure:
            status["errors"] = [identity.failure]
        return _json(status)

    async def ping(self, request: Request) -> Response:
        """Empty, as long as the host lives."""
        return Response(200, {"cache-control": "no-store"})

    async def tell_processes(self, request: Request) -> Response:
        """GET processes: the supervisor's and the workers'."""
        supervisor, *workers = await self._supervision.processes()
        told = [{"processId": supervisor, "processName": "func", "debugEngine": "python"}]
        told += [{"processId": each, "processName": "python", "debugEngine": "python"} for each in workers]
        return _json({"processes": [{**each, "isEligibleForOpenInBrowser": False} for each in told]})

    async def drain(self, request: Request) -> Response:
        """POST drain: stop what is not HTTP; 202 before it has stopped."""
        self._start(self._supervision.drain())
        return Response(202)

    async def tell_drain(self, request: Request) -> Response:
        """GET drain/status: whether anything is still under way."""
        activity = await self._supervision.activity()
        state = "Disabled"
        if await self._supervision.is_draining():
            state = "Completed" if activity == Activity() else "InProgress"
        return _json(
            {
                "state": state,
                "outstandingInvocations": activity.invocations,
                "outstandingRetries": activity.retries,
            }
        )

    async def resume(self, request: Request) -> Response:
        """POST resume: listen again after a drain."""
        if self._identity.state != "Running":
            return Response(409)
        if await self._supervision.is_draining():
            await self._supervision.resume()
        return _json({"state": "Running"})

    async def restart(self, request: Request) -> Response:
        """POST restart: load the app again."""
        if not await self._supervision.restart():
            return text_response(501, "This host is one process, without a supervisor: nobody can restart it.")
        return _json(
            {
                "isSelfHost": True,
                "secretsPath": None,
                "scriptPath": str(self._identity.root),
                "logPath": None,
                "testDataPath": None,
                "hasParentScope": False,
                "isStandbyConfiguration": False,
                "isFileSystemReadOnly": False,
                "isScmRunFromPackage": False,
            }
        )

    async def set_state(self, request: Request) -> Response:
        """Offline and back: the file app_offline.htm, which the supervisor watches."""
        try:
            wanted = str(json.loads(request.body)).lower()
        except ValueError:
            wanted = ""
        if wanted not in ("offline", "running"):
            return Response(400)
        if wanted == self._identity.state.lower():
            return Response(200)
        if wanted == "running" and not self._identity.is_offline:
            return Response(400)
        page = self._identity.root / APP_OFFLINE
        if wanted == "offline":
            page.write_text(OFFLINE_PAGE, encoding="utf-8")
        else:
            page.unlink(missing_ok=True)
        await self._supervision.restart()
        return Response(202)

    async def sync_triggers(self, request: Request) -> Response:
        """POST synctriggers: on Azure only, as the real host says here."""
        failed = {"status": "Invalid environment for SyncTriggers operation."}
        return Response(500, {"content-type": "application/json; charset=utf-8"}, orjson.dumps(failed))

    async def log(self, request: Request) -> Response:
        """POST log: lines of tools, shown as the host's own."""
        try:
            entries = json.loads(request.body)
            lines = [(TRACE_LEVELS.get(str(each["level"]).lower(), "none"), str(each["message"])) for each in entries]
        except (ValueError, KeyError, TypeError):
            return text_response(400, "An array of log entry objects is expected.")
        for level, message in lines:
            if level != "none":
                self._console.system(level, message)
        return Response(200)

    def _start(self, work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    def _describe(self, function: Function) -> dict[str, Any]:
        href = f"{self._identity.url}/admin/functions/{function.name}"
        described = {
            "name": function.name,
            "href": href,
            "script_href": None,
            "script_root_path_href": None,
            "config_href": None,
            "test_data_href": None,
            "language": "python",
            "config": {
                "name": function.name,
                "scriptFile": function.script_file,
                "bindings": [dict(each.properties) for each in function.bindings],
            },
            "files": None,
            "test_data": None,
            "isDisabled": function.disabled,
            "isDirect": True,
            "isProxy": False,
        }
        if function.trigger.type.lower() == HTTP and function.name in self._registry.routes:
            described["invoke_url_template"] = f"{self._identity.url}/{self._registry.routes[function.name]}"
        return described


HOST_ROUTES: Mapping[tuple[str, str], Callable[[Admin, Request], Awaitable[Response]]] = {
    ("GET", "status"): Admin.tell_status,
    ("GET", "ping"): Admin.ping,
    ("POST", "ping"): Admin.ping,
    ("GET", "processes"): Admin.tell_processes,
    ("POST", "drain"): Admin.drain,
    ("GET", "drain/status"): Admin.tell_drain,
    ("POST", "resume"): Admin.resume,
    ("POST", "restart"): Admin.restart,
    ("PUT", "state"): Admin.set_state,
    ("POST", "synctriggers"): Admin.sync_triggers,
    ("POST", "log"): Admin.log,
}
"""Endpoints below /admin/host, beside those of the keys."""


def manual_calls(webhook: eventgrid.EventGridWebhook, timers: dict[str, timer.TimerListener]) -> dict[str, MakeCall]:
    """How the text of `input` becomes a call, by trigger type."""

    async def event(function: Function, text: str) -> Call:
        document = json.loads(text)
        if not isinstance(document, dict):
            raise ValueError("input must be one event as JSON text")  # noqa: TRY004 - one kind of refusal
        return webhook.call(document)

    async def tick(function: Function, text: str) -> Call:
        return timers[function.name].call()

    return {eventgrid.TYPE: event, timer.TYPE: tick}


def _json(document: object) -> Response:
    return Response(200, {"content-type": "application/json; charset=utf-8"}, orjson.dumps(document))
