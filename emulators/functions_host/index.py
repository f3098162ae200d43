"""From function_app.py to the functions the host runs: import, the library's index, then the host's own checks.

Two kinds of refusal, as on Azure: what the worker refuses fails the whole app (`AppNotIndexed`), what the host
refuses puts one function in error. Must not know how any trigger works.
"""

from __future__ import annotations

import importlib.util
import inspect
import json
import linecache
import re
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from azure.functions import FunctionRegister

from emulators.functions_host.errors import AppNotIndexed, FunctionInError
from emulators.functions_host.retries import RetryPolicy, read_retry_policy
from emulators.functions_host.settings import Configuration, Settings
from emulators.functions_host.signature import Signature, SignatureRefused, read_signature

SCRIPT_SETTING = "PYTHON_SCRIPT_FILE_NAME"
SCRIPT_DEFAULT = "function_app.py"
WITHOUT_BUNDLE = frozenset({"httptrigger", "http", "timertrigger", "warmuptrigger"})
"""Binding types built into the host; every other comes from an extension bundle."""
FUNCTION_NAME = re.compile(r"[a-z][a-z0-9_\-]{0,127}", re.IGNORECASE)
BINDING_NAME = re.compile(r"(?!.*__)[a-zA-Z_][a-zA-Z0-9_]{0,127}")


@dataclass(frozen=True)
class Binding:
    """One binding as the library writes it for function.json: camel-case members, enums as upper-case names."""

    name: str
    type: str
    direction: str
    properties: Mapping[str, Any]

    def text(self, member: str, default: str = "") -> str:
        """A member as text."""
        value = self.properties.get(member)
        return default if value is None else str(value)


@dataclass(frozen=True)
class Function:
    """A function of the app. `error` is why the host does not run it."""

    name: str
    id: str
    call: Callable[..., Any]
    directory: str
    script_file: str
    signature: Signature
    trigger: Binding
    bindings: tuple[Binding, ...]
    retry: RetryPolicy | None = None
    disabled: bool = False
    error: str | None = None

    @property
    def runs(self) -> bool:
        """Whether its trigger is listened to."""
        return self.error is None and not self.disabled

    @cached_property
    def input_bindings(self) -> list[Binding]:
        """Bindings that are read before the call, the trigger left out."""
        return [each for each in self.bindings if each.direction == "IN" and each is not self.trigger]

    @cached_property
    def output_bindings(self) -> list[Binding]:
        """Bindings that are written after the call, HTTP's answer left out."""
        return [each for each in self.bindings if each.direction == "OUT" and each.type.lower() != "http"]

    @cached_property
    def answer_name(self) -> str:
        """The output binding that is HTTP's answer: `$return`, unless the route names a parameter for it."""
        return next((each.name for each in self.bindings if each.type.lower() == "http"), "$return")


def load_app(root: Path, settings: Settings) -> FunctionRegister:
    """Import the app's script as the worker does. Raises AppNotIndexed with the user's own traceback."""
    script = settings.get(SCRIPT_SETTING) or SCRIPT_DEFAULT
    if not re.fullmatch(r"[a-zA-Z0-9_][a-zA-Z0-9_\-]*\.py", script):
        raise AppNotIndexed(f"{SCRIPT_SETTING} must be the name of a Python file, got {script!r}.", "")
    if not (root / script).exists():
        _refuse_old_model(root, script)
    if str(root) not in sys.path:
        sys.path.append(str(root))
    try:
        module = _import_file(root / script)
    except Exception as failure:
        hint = (
            " Cannot find module. Please check the requirements.txt file for the missing module."
            if isinstance(failure, ImportError)
            else ""
        )
        raise AppNotIndexed(f"{type(failure).__name__}: {failure}{hint}", user_traceback(failure)) from failure
    apps = [value for value in vars(module).values() if isinstance(value, FunctionRegister)]
    distinct = {id(each): each for each in apps}
    if not apps:
        raise AppNotIndexed(f"ValueError: Could not find top level function app instances in {script}.", "")
    if len(apps) > 1:
        plural = "" if len(distinct) > 1 else " (one instance under two names counts twice)"
        raise AppNotIndexed(
            f"ValueError: More than one {type(apps[0]).__name__} or other top level function app instances are "
            f"defined.{plural}",
            "",
        )
    return apps[0]


def _import_file(file: Path) -> ModuleType:
    """The module in `file` under its own name, whatever else of that name is on the path."""
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module
    spec.loader.exec_module(module)
    return module


def index_functions(app: FunctionRegister, settings: Settings, host: Configuration) -> list[Function]:
    """The app's functions in the host's order (by name, case-insensitively), checked by worker and host rules."""
    try:
        functions = [_read_function(each, settings) for each in app.get_functions()]
    except SignatureRefused as refusal:  # the text names function and parameter; the frames would be ours
        raise AppNotIndexed(f"FunctionLoadError: {refusal}", "") from refusal
    except Exception as failure:
        raise AppNotIndexed(f"{type(failure).__name__}: {failure}", user_traceback(failure)) from failure
    functions.sort(key=lambda function: function.name.lower())
    allowed = {name.lower() for name in host.items("functions")}
    if allowed:
        functions = [each for each in functions if each.name.lower() in allowed]
    return [_checked(each, settings, has_extensions=host.has_extensions) for each in functions]


def user_traceback(failure: BaseException) -> str:
    """The traceback of `failure` without our frames and the import machinery's: what the user wrote."""
    linecache.checkcache()
    report = traceback.TracebackException.from_exception(failure)
    _keep_user_frames(report)
    return "".join(report.format()).rstrip()


def _keep_user_frames(report: traceback.TracebackException) -> None:
    ours = str(Path(__file__).parent)
    frames = [
        frame
        for frame in report.stack
        if not frame.filename.startswith((ours, "<frozen importlib")) and "/importlib/__init__.py" not in frame.filename
    ]
    report.stack = traceback.StackSummary.from_list(frames)
    for linked in (report.__cause__, report.__context__):
        if linked is not None:
            _keep_user_frames(linked)


def _refuse_old_model(root: Path, script: str) -> None:
    old = sorted(path.parent.name for path in root.glob("*/function.json"))
    if old:
        raise AppNotIndexed(
            f"{script} does not exist, and {old[0]}/function.json does: this is an app of the old programming model "
            "(v1), which this host does not run. Move its functions to decorators in function_app.py "
            "(https://aka.ms/pythonprogrammingmodel).",
            "",
        )
    raise AppNotIndexed(f"{script} does not exist in {root}. Start the host in the app's folder.", "")


def _read_function(indexed: Any, settings: Settings) -> Function:
    call = indexed.get_user_function()
    name = indexed.get_function_name()
    signature = read_signature(name, call, indexed.get_bindings())
    bindings = tuple(_read_binding(text) for text in indexed.get_raw_bindings())
    trigger_name = indexed.get_trigger().name
    trigger = next(each for each in bindings if each.name == trigger_name)
    return Function(
        name=name,
        id=str(uuid5(NAMESPACE_OID, name)),
        call=call,
        directory=str(Path(inspect.getfile(inspect.unwrap(call))).parent),
        script_file=indexed.function_script_file,
        signature=signature,
        trigger=trigger,
        bindings=bindings,
        retry=read_retry_policy(indexed.get_settings_dict("retry_policy")),
        disabled=settings.disabled(name),
    )


def _read_binding(text: str) -> Binding:
    document = json.loads(text)
    return Binding(document["name"], document["type"], str(document["direction"]).upper(), document)


def _checked(function: Function, settings: Settings, *, has_extensions: bool) -> Function:
    try:
        if not FUNCTION_NAME.fullmatch(function.name) or function.name.lower() == "host":
            raise FunctionInError(f"'{function.name}' is not a valid function name.")
        _check_bindings(function.bindings, has_extensions=has_extensions)
        resolved = tuple(_resolve(each, settings) for each in function.bindings)
        trigger = next(each for each in resolved if each.name == function.trigger.name)
        return replace(function, bindings=resolved, trigger=trigger)
    except FunctionInError as error:
        return replace(function, error=str(error))


def _check_bindings(bindings: Iterable[Binding], *, has_extensions: bool) -> None:
    seen: set[str] = set()
    for binding in bindings:
        if binding.name != "$return" and not BINDING_NAME.fullmatch(binding.name):
            raise FunctionInError(
                f"The binding name {binding.name} is invalid. Please assign a valid name to the binding."
            )
        if binding.name.lower() in seen:
            raise FunctionInError(
                f"Multiple bindings with name '{binding.name}' discovered. Binding names must be unique."
            )
        seen.add(binding.name.lower())
        if binding.type.lower() not in WITHOUT_BUNDLE and not has_extensions:
            raise FunctionInError(
                f"The binding type(s) '{binding.type}' are not registered. Please ensure the type is correct and the "
                "binding extension is installed. (host.json has no extensionBundle.)"
            )


SETTING_NAMES = frozenset({"connection", "leaseConnection", "topicEndpointUri", "topicKeySetting"})
"""Members that name a setting instead of holding text with %names% in it."""


def _resolve(binding: Binding, settings: Settings) -> Binding:
    properties = {
        member: settings.resolve(value) if isinstance(value, str) and member not in SETTING_NAMES else value
        for member, value in binding.properties.items()
    }
    return replace(binding, properties=properties)
