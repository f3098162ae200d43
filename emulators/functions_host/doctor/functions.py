"""Checks of the indexed functions: what the host refuses, what routes hide, what bindings cannot do."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator

from emulators.functions_host.doctor.configuration import missing_settings, setting_finding
from emulators.functions_host.doctor.findings import Finding, error, note, warning
from emulators.functions_host.doctor.project import Project
from emulators.functions_host.index import Function
from emulators.functions_host.invocation import RETRY_IS_EXPECTED
from emulators.functions_host.registry import methods
from emulators.functions_host.routes import Parameter, Template, parse_template

SAMPLES = (
    *("value", "1", "true", "a", "2026-01-31", "1.5", "12345678-1234-1234-1234-1234567890ab"),
    *("".join("abcdefgh"[n % 8] for n in range(length)) for length in (2, 3, 4, 8, 16, 32, 64)),
    *("10", "100", "1000", "10000"),
)
"""Values that route constraints may take; the first that fits stands for a parameter."""


def check_errors(project: Project) -> Iterator[Finding]:
    """What puts a function in error, on the real host or here only."""
    for function in project.functions:
        if function.error is None:
            continue
        if function.error.startswith("501"):
            yield note("not-built-here", function.name, function.error, "It can be run on Azure only.")
        elif missing_settings(project, function):
            pass  # said already, by the setting's name
        elif "does not resolve to a value" not in function.error and "are not registered" not in function.error:
            yield error(
                "function-in-error",
                function.name,
                function.error,
                "The host leaves this function out until it is mended.",
            )
        elif "does not resolve" in function.error:
            yield setting_finding(
                project,
                "setting-missing",
                function.name,
                function.error,
                "Set it in local.settings.json and in the app settings.",
            )


def check_names(project: Project) -> Iterator[Finding]:
    """Binding names that only newer hosts take."""
    for function in project.functions:
        for binding in function.bindings:
            if "_" in binding.name and "__" not in binding.name:
                yield note(
                    "binding-name-underscore",
                    f"{function.name}.{binding.name}",
                    "Hosts before 4.1038 (Core Tools before 2025) refuse an underscore in a binding's name.",
                    f"Rename the parameter, for example to {binding.name.replace('_', '')}.",
                )


def check_routes(project: Project) -> Iterator[Finding]:
    """Routes that never get their requests, since another function's comes first in the alphabet."""
    routed = [each for each in project.functions if each.runs and each.name in project.registry.routes]
    for number, later in enumerate(routed):
        path = sample_path(parse_template(project.registry.routes[later.name]))
        if path is None:
            continue
        for earlier in routed[:number]:
            shared = _shared_methods(earlier, later)
            if shared is not None and parse_template(project.registry.routes[earlier.name]).match(path) is not None:
                yield error(
                    "route-shadowed",
                    later.name,
                    f"{shared} /{'/'.join(path)} is answered by {earlier.name} "
                    f"({project.registry.routes[earlier.name]}): routes are tried in alphabetical order of the "
                    "functions' names, not by how exact they are.",
                    f"Constrain the parameter of {earlier.name} (such as {{id:int}}), or give {later.name} a name that "
                    f"comes before {earlier.name}.",
                )
                break


def check_results(project: Project) -> Iterator[Finding]:
    """Async functions behind sync wrappers, event arrays for typed parameters, policies that the host ignores."""
    for function in project.functions:
        kind = function.trigger.type.lower()
        inner = inspect.unwrap(function.call)
        if inspect.iscoroutinefunction(inner) and not function.signature.is_async:
            yield error(
                "async-behind-sync-wrapper",
                function.name,
                "A decorator makes the async function sync: the worker gets a coroutine as its result, and fails.",
                "Make the decorator's wrapper an async function that awaits the inner one.",
            )
        if kind == "eventgridtrigger" and function.trigger.text("cardinality").lower() == "many":
            parameter = function.signature.inputs[function.trigger.name].python_type
            if parameter not in (str, bytes):
                yield error(
                    "cardinality-many",
                    function.name,
                    "With cardinality many the whole array arrives, which the library's event types cannot hold.",
                    "Annotate the parameter with str, or leave cardinality at one.",
                )
        if function.retry is not None and kind not in RETRY_IS_EXPECTED:
            yield warning(
                "retry-not-supported",
                function.name,
                f"The host warns that retries of a {function.trigger.type} will not be supported.",
                "Remove the policy: whoever calls this function tries again by rules of its own.",
            )
        if function.trigger.flag("runOnStartup"):
            yield warning(
                "run-on-startup",
                function.name,
                "On Azure it runs at every start, restart and scale-out of the app.",
                "Leave run_on_startup off but for trying things out.",
            )


def check_leases(project: Project) -> Iterator[Finding]:
    """Change feed triggers that take each other's changes away."""
    seen: dict[tuple[str, ...], str] = {}
    for function in project.functions:
        trigger = function.trigger
        if trigger.type.lower() != "cosmosdbtrigger":
            continue
        members = ("connection", "databaseName", "containerName", "leaseContainerName", "leaseContainerPrefix")
        key = tuple(trigger.text(each) for each in members)
        if key in seen:
            yield error(
                "leases-shared",
                function.name,
                f"It shares container, leases and prefix with {seen[key]}: each gets only some of the changes.",
                "Give each its own lease_container_prefix.",
            )
        seen.setdefault(key, function.name)


def sample_path(template: Template) -> list[str] | None:
    """A path that the template matches, or None when no sample fits its constraints."""
    path = []
    for segment in template.segments:
        text = ""
        for part in segment:
            value = part if isinstance(part, str) else _sample(part)
            if value is None:
                return None
            text += value
        path.append(text)
    return path


def _sample(parameter: Parameter) -> str | None:
    return next((each for each in SAMPLES if all(constraint(each) for constraint in parameter.constraints)), None)


def _shared_methods(one: Function, other: Function) -> str | None:
    """The methods that both take, for the reader; None when there are none."""
    mine: Iterable[str] = methods(one)
    theirs = methods(other)
    if not mine or not theirs:
        return ",".join(mine or theirs) or "ANY"
    return ",".join(each for each in theirs if each in set(mine)) or None
