"""The host's own endpoints below /admin: status, ping, functions, and running one of them by hand.

Who may call them is decided before (application). What the real host has and we have not answers 501 by name.
"""

from __future__ import annotations

import asyncio
import json
import platform
import re
import time
from collections.abc import Callable
from typing import Any

import orjson

from emulators.base.serving import Request, Response
from emulators.functions_host.console import Console
from emulators.functions_host.http import text_response
from emulators.functions_host.index import Function
from emulators.functions_host.invocation import Call, Invoker
from emulators.functions_host.registry import HTTP, Registry
from emulators.functions_host.triggers import eventgrid, timer

VERSION = "4.1052.200.0"
"""The host version that Core Tools of August 2026 bundles; apps and tools read it here."""
BEYOND = re.compile(
    r"/admin/(host/(restart|drain|drain/status|resume|state|config|synctriggers|keys|functionkeys|systemkeys|log|"
    r"extensionbundle|masterkey|default)(/.*)?|functions/[^/]+/(keys|state)(/.*)?|vfs(/.*)?|instance(/.*)?|warmup|"
    r"proxies(/.*)?|extensions(/.*)?)",
    re.IGNORECASE,
)
"""Endpoints of the real host that are not built."""


class Admin:
    """Answers /admin/*. `calls` makes the call of a function by hand from its `input` text, by trigger type."""

    def __init__(
        self,
        registry: Registry,
        invoker: Invoker,
        console: Console,
        *,
        url: str,
        host_id: str,
        instance_id: str,
        calls: dict[str, Callable[[Function, str], Call]],
    ) -> None:
        self._registry = registry
        self._invoker = invoker
        self._console = console
        self._url = url
        self._host_id = host_id
        self._instance_id = instance_id
        self._calls = calls
        self._started = time.monotonic()
        self._running: set[asyncio.Task[Any]] = set()

    async def handle(self, request: Request) -> Response:
        """The answer to a request below /admin."""
        path = request.path.rstrip("/")
        match request.method, path.lower().split("/")[2:]:
            case "GET", ["host", "status"]:
                return _json(self._status())
            case (("GET" | "POST"), ["host", "ping"]):
                return Response(200)
            case "GET", ["functions"]:
                return _json([self._describe(each) for each in self._registry.functions])
            case (("GET" | "POST"), ["functions", name, *rest]) if rest in ([], ["status"]):
                function = self._registry.find(name)
                if function is None:
                    return Response(404)
                if request.method == "POST":
                    return self._run(function, request) if not rest else Response(404)
                if rest:
                    return _json({"errors": [function.error]} if function.error else {})
                return _json(self._describe(function))
        if BEYOND.fullmatch(path):
            return text_response(501, f"{request.method} {path} of the Functions host is not built into this emulator.")
        return Response(404)

    async def finish(self) -> None:
        """Wait until what was started by hand has ended."""
        await asyncio.gather(*self._running)

    def call_for(self, name: str, text: str) -> tuple[Function, Call]:
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
        return function, make(function, text)

    def _run(self, function: Function, request: Request) -> Response:
        """Start one invocation; its outcome is in the log only."""
        if "json" not in request.headers.get("content-type", "").lower():
            return Response(415)
        try:
            text = json.loads(request.body)["input"]
        except (ValueError, KeyError, TypeError):
            return Response(400)
        if function.error is not None:
            return text_response(501 if function.error.startswith("501") else 404, function.error)
        make = self._calls.get(function.trigger.type.lower())
        if make is None:
            reason = f"POST /admin/functions/{function.name}: HTTP functions are not run by hand here; call their URL."
            return text_response(501, reason)
        try:
            call = make(function, "" if text is None else str(text))
        except ValueError as refusal:
            self._console.user("error", f"Exception binding parameter '{function.trigger.name}': {refusal}")
            return Response(202)
        task = asyncio.create_task(self._invoker.invoke(function, call))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return Response(202)

    def _status(self) -> dict[str, Any]:
        return {
            "id": self._host_id,
            "state": "Running",
            "version": VERSION,
            "versionDetails": f"{VERSION} (local emulator)",
            "instanceId": self._instance_id,
            "computerName": platform.node(),
            "processUptime": round((time.monotonic() - self._started) * 1000),
            "functionAppContentEditingState": "NotAllowed",
        }

    def _describe(self, function: Function) -> dict[str, Any]:
        href = f"{self._url}/admin/functions/{function.name}"
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
            described["invoke_url_template"] = f"{self._url}/{self._registry.routes[function.name]}"
        return described


def manual_calls(
    webhook: eventgrid.EventGridWebhook, timers: dict[str, timer.TimerListener]
) -> dict[str, Callable[[Function, str], Call]]:
    """How the text of `input` becomes a call, by trigger type."""

    def event(function: Function, text: str) -> Call:
        document = json.loads(text)
        if not isinstance(document, dict):
            raise ValueError("input must be one event as JSON text")  # noqa: TRY004 - one kind of refusal
        return webhook.call(document)

    return {eventgrid.TYPE: event, timer.TYPE: lambda function, text: timers[function.name].call()}


def _json(document: object) -> Response:
    return Response(200, {"content-type": "application/json; charset=utf-8"}, orjson.dumps(document))
