"""The app's functions by how they are reached: routes, webhook names, timers; and which are in error, and why.

The one table of trigger types is here: a new trigger is a row of `TRIGGERS` and a module in triggers/.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from emulators.functions_host.connections import StorageConnection
from emulators.functions_host.console import Listed
from emulators.functions_host.errors import FunctionInError, NotBuilt
from emulators.functions_host.index import Function
from emulators.functions_host.invocation import Connector
from emulators.functions_host.keys import Level
from emulators.functions_host.routes import Router, parse_template
from emulators.functions_host.settings import Configuration, Settings
from emulators.functions_host.triggers import blob, cosmosdb, eventgrid, queue, timer, warmup
from emulators.functions_host.triggers.schedule import Schedule
from emulators.functions_host.web import INIT_INDEXING, imported_base

HTTP = "httptrigger"
ROUTE_PREFIX_DEFAULT = "api"
RESERVED = ("admin", "runtime")
LEVELS = {"anonymous": Level.ANONYMOUS, "function": Level.FUNCTION, "admin": Level.ADMIN}


@dataclass(frozen=True)
class HttpTarget:
    """What a route leads to. `not_built` is what it answers with 501."""

    function: Function
    level: Level
    not_built: str = ""


@dataclass
class Registry:
    """All functions, in the host's order, and the tables that triggers look them up in."""

    functions: list[Function] = field(default_factory=list)
    router: Router[HttpTarget] = field(default_factory=Router)
    routes: dict[str, str] = field(default_factory=dict)
    """The whole route (prefix included) of each HTTP function."""
    webhooks: dict[str, Function] = field(default_factory=dict)
    not_built_webhooks: dict[str, str] = field(default_factory=dict)
    schedules: dict[str, Schedule] = field(default_factory=dict)
    feeds: dict[str, cosmosdb.Trigger] = field(default_factory=dict)
    queues: dict[str, StorageConnection] = field(default_factory=dict)
    blobs: dict[str, StorageConnection] = field(default_factory=dict)
    claimed: list[tuple[str, frozenset[str], str]] = field(default_factory=list)

    def find(self, name: str) -> Function | None:
        """The function of that name, case-insensitively."""
        return next((each for each in self.functions if each.name.lower() == name.lower()), None)

    def fail(self, function: Function, reason: str) -> None:
        """Put a function in error that had seemed to be in order."""
        self.functions = [replace(each, error=reason) if each is function else each for each in self.functions]

    def listed(self) -> list[Listed]:
        """What the console shows: functions that are not in error."""
        return [
            Listed(each.name, each.trigger.type, methods(each), self.routes.get(each.name), each.disabled)
            for each in self.functions
            if each.error is None
        ]


def build_registry(
    functions: list[Function], connectors: Connector, settings: Settings, host: Configuration
) -> Registry:
    """Register each function; one that cannot be registered is in error and the others stay."""
    registry = Registry()
    for function in functions:
        registry.functions.append(_register(registry, function, connectors, settings, host))
    return registry


def methods(function: Function) -> tuple[str, ...]:
    """The methods of an HTTP trigger in upper case; none means all."""
    return tuple(str(each).upper() for each in function.trigger.properties.get("methods") or ())


def _register(
    registry: Registry, function: Function, connectors: Connector, settings: Settings, host: Configuration
) -> Function:
    if function.error is not None:
        return function
    kind = function.trigger.type.lower()
    try:
        try:
            if kind not in TRIGGERS:
                raise NotBuilt(f"the trigger type '{function.trigger.type}'")
            connectors.check(function)
            TRIGGERS[kind](registry, function, settings, host)
        except NotBuilt as missing:
            if kind == HTTP:
                _register_route(registry, function, host, not_built=str(missing))
            elif kind == eventgrid.TYPE:
                registry.not_built_webhooks[function.name] = str(missing)
            raise
    except FunctionInError as failure:
        return replace(function, error=str(failure))
    return function


def _register_route(registry: Registry, function: Function, host: Configuration, not_built: str = "") -> None:
    route = (function.trigger.text("route") or function.name).strip("/")
    if route.lower().startswith(RESERVED):
        raise FunctionInError("The specified route conflicts with one or more built in routes.")
    allowed = frozenset(methods(function))
    for other, claimed, owner in registry.claimed:
        if other == route.lower() and (not claimed or not allowed or claimed & allowed):
            raise FunctionInError(f"The route specified conflicts with the route defined by function '{owner}'.")
    prefix = host.text("extensions:http:routePrefix", ROUTE_PREFIX_DEFAULT).strip("/")
    whole = f"{prefix}/{route}" if prefix else route
    level = LEVELS.get(function.trigger.text("authLevel", "function").lower())
    if level is None:
        raise FunctionInError(f"authLevel '{function.trigger.text('authLevel')}' is not one of {sorted(LEVELS)}.")
    template = parse_template(whole)
    registry.claimed.append((route.lower(), allowed, function.name))
    registry.router.add(template, allowed, HttpTarget(function, level, not_built))
    registry.routes[function.name] = whole


def _register_http(registry: Registry, function: Function, settings: Settings, host: Configuration) -> None:
    if imported_base() is not None and sys.version_info < (3, 13) and not settings.flag(INIT_INDEXING):
        raise FunctionInError(
            f"the app imports a web extension, and the setting {INIT_INDEXING} is not 1: on Azure every request to "
            "this function would hang. Set it in local.settings.json and in the app settings."
        )
    _register_route(registry, function, host)


def _register_webhook(registry: Registry, function: Function, settings: Settings, host: Configuration) -> None:
    if not function.disabled:
        registry.webhooks[function.name] = function


def _register_timer(registry: Registry, function: Function, settings: Settings, host: Configuration) -> None:
    registry.schedules[function.name] = timer.timer_schedule(function, settings)


def _register_feed(registry: Registry, function: Function, settings: Settings, host: Configuration) -> None:
    registry.feeds[function.name] = cosmosdb.read_trigger(function.trigger, settings)


def _register_queue(registry: Registry, function: Function, settings: Settings, host: Configuration) -> None:
    registry.queues[function.name] = queue.check(function.trigger, settings)


def _register_blob(registry: Registry, function: Function, settings: Settings, host: Configuration) -> None:
    registry.blobs[function.name] = blob.check(function.trigger, settings)


def _register_nothing(registry: Registry, function: Function, settings: Settings, host: Configuration) -> None:
    """It is found by its name."""


TRIGGERS: Mapping[str, Callable[[Registry, Function, Settings, Configuration], None]] = {
    HTTP: _register_http,
    eventgrid.TYPE: _register_webhook,
    timer.TYPE: _register_timer,
    cosmosdb.TYPE: _register_feed,
    queue.TYPE: _register_queue,
    blob.TYPE: _register_blob,
    warmup.TYPE: _register_nothing,
}
"""What each trigger type needs of the registry, by lower-case type; every other type puts its function in error."""
