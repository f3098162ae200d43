"""local.settings.json, host.json and the environment, by Core Tools' rules of precedence.

Pure but for reading (and, as the real host does, writing a missing host.json). Knows no trigger and no server.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from emulators.functions_host.errors import FunctionInError, StartError
from emulators.functions_host.limits import PORT_MAX, SETTINGS_BYTES_MAX

HOST_FILE = "host.json"
LOCAL_FILE = "local.settings.json"
HOST_SECTION = "AzureFunctionsJobHost"
ENVIRONMENT = "AZURE_FUNCTIONS_ENVIRONMENT"
WITHOUT_EFFECT = ("extensions:http:dynamicThrottlesEnabled", "concurrency:dynamicConcurrencyEnabled")
"""Settings of host.json that go by counters which only Azure has."""
BUNDLE = "Microsoft.Azure.Functions.ExtensionBundle"
INSTALLED_EXTENSIONS = ("bin/extensions.json", "extensions.csproj")
"""Where extensions are listed that an app without a bundle brings (ScriptStartupTypeLocator), or those to be built."""
DEFAULT_HOST_DOCUMENT = {
    "version": "2.0",
    "isDefaultHostConfig": True,
    "extensionBundle": {"id": BUNDLE, "version": "[4.*, 5.0.0)"},
}

Warn = Callable[[str], None]


@dataclass(frozen=True)
class LocalSettings:
    """What local.settings.json says."""

    values: Mapping[str, str] = field(default_factory=dict)
    nulls: tuple[str, ...] = ()
    """Names whose value is null."""
    port: int | None = None
    address: str | None = None
    cors: tuple[str, ...] = ()
    cors_credentials: bool = False


class Configuration:
    """Scalars under case-insensitive paths such as `extensions:http:routePrefix`, as .NET configuration keeps them."""

    def __init__(
        self,
        document: Mapping[str, Any],
        overrides: Mapping[str, str] | None = None,
        *,
        extensions_installed: bool = False,
    ) -> None:
        """`extensions_installed`: the app brings its binding extensions itself, without a bundle."""
        self._extensions_installed = extensions_installed
        self._scalars: dict[str, Any] = {}
        for path, value in _scalars(document, ""):
            self._scalars[path.lower()] = value
        for name, text in (overrides or {}).items():
            path = name.replace("__", ":")
            if path.lower().startswith(HOST_SECTION.lower() + ":"):
                self._scalars[path[len(HOST_SECTION) + 1 :].lower()] = text

    def text(self, path: str, default: str = "") -> str:
        """The scalar at `path` as text."""
        value = self._scalars.get(path.lower())
        if value is None:
            return default
        return str(value).lower() if isinstance(value, bool) else str(value)

    @property
    def has_extensions(self) -> bool:
        """Whether more than HTTP and timers binds: by the bundle, or by extensions that the app brings."""
        return self._extensions_installed or self.text("extensionBundle:id").lower().startswith(BUNDLE.lower())

    def number(self, path: str, default: int) -> int:
        """The scalar at `path` as an integer. Raises StartError naming it."""
        text = self.text(path)
        try:
            return int(text) if text else default
        except ValueError:
            raise StartError(f"host.json: {path.replace(':', '.')} takes a whole number, got {text!r}.") from None

    def flag(self, path: str, *, default: bool) -> bool:
        """The scalar at `path` as a truth value. Raises StartError naming it."""
        text = self.text(path).lower()
        if text not in ("", "true", "false"):
            raise StartError(f"host.json: {path.replace(':', '.')} takes true or false, got {text!r}.")
        return default if not text else text == "true"

    def section(self, path: str) -> dict[str, str]:
        """The scalars directly and indirectly below `path`, by the rest of their (lower-case) path."""
        prefix = path.lower() + ":"
        return {
            name.removeprefix(prefix): self.text(name)
            for name in self._scalars
            if name.startswith(prefix) and self._scalars[name] is not None
        }

    def items(self, path: str) -> list[str]:
        """The elements of the array at `path`."""
        return list(self.section(path).values())


class Settings:
    """App settings: what functions see as environment and bindings look up by name, case-insensitively."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = environment
        self._by_name = {name.replace("__", ":").lower(): value for name, value in environment.items()}

    def get(self, name: str) -> str | None:
        """The setting, or None when absent or empty."""
        return self._by_name.get(name.replace("__", ":").lower()) or None

    def flag(self, name: str) -> bool:
        """Whether the setting is `1` or `true`."""
        return (self.get(name) or "").lower() in ("1", "true")

    def number(self, name: str, default: int) -> int:
        """The setting as a whole number. Raises StartError naming it."""
        text = self.get(name) or str(default)
        if not text.isdecimal():
            raise StartError(f"The setting {name} takes a whole number, got {text!r}.")
        return int(text)

    def connection(self, name: str) -> str | None:
        """The connection string called `name`: as it is, or among the connection strings."""
        return self.get(name) or self.get(f"ConnectionStrings:{name}")

    def section(self, name: str) -> dict[str, str]:
        """The settings `name__member` by lower-case member: a connection by identity."""
        prefix = name.replace("__", ":").lower() + ":"
        return {key[len(prefix) :]: value for key, value in self._by_name.items() if key.startswith(prefix) and value}

    def resolve(self, text: str) -> str:
        """`text` with every `%Name%` replaced. Raises FunctionInError for one that is not set."""

        def value(match: re.Match[str]) -> str:
            found = self.get(match[1])
            if found is None:
                raise FunctionInError(f"'%{match[1]}%' does not resolve to a value.")
            return found

        return re.sub(r"%([^%]+)%", value, text)

    def disabled(self, function: str) -> bool:
        """Whether a setting takes `function` out of service."""
        return self.flag(f"AzureWebJobs.{function}.Disabled") or self.flag(f"AzureWebJobs_{function}_Disabled")


def find_local_settings(root: Path) -> Path:
    """Where local.settings.json is read: the first folder from `root` upwards that looks like a project's root.

    Raises StartError when there is none.
    """
    for folder in (root, *root.parents):
        if (folder / HOST_FILE).exists() or (folder / LOCAL_FILE).exists():
            return folder / LOCAL_FILE
    raise StartError(
        f"Unable to find project root. Expecting to find one of {HOST_FILE}, {LOCAL_FILE} in project root."
    )


def read_local_settings(file: Path, warn: Warn) -> LocalSettings:
    """local.settings.json; an absent file says nothing. Raises StartError for an encrypted one."""
    if not file.exists():
        return LocalSettings()
    try:
        document = _read_json(file)
    except ValueError as refusal:
        warn(f"Failed to read {LOCAL_FILE}: {refusal}. All its values are ignored.")
        return LocalSettings()
    folded = {name.lower(): value for name, value in document.items()}
    if folded.get("isencrypted", True) is not False:  # Core Tools takes an absent member for true
        raise StartError(
            "Failed to decrypt settings. Encrypted settings only be edited through 'func settings add'. "
            f'(Put "IsEncrypted": false into {LOCAL_FILE}.)'
        )
    try:
        values = _flat(folded.get("values") or {}, "Values")
        values |= _connection_strings(folded.get("connectionstrings") or {})
    except ValueError as refusal:
        warn(f"Failed to read {LOCAL_FILE}: {refusal}. All its values are ignored.")
        values = {}
    host = {name.lower(): value for name, value in (folded.get("host") or {}).items()}
    port = str(host.get("localhttpport") or "")
    if port and not (port.isdecimal() and int(port) <= PORT_MAX):
        raise StartError(f"{LOCAL_FILE}: Host.LocalHttpPort takes a port number, got {port!r}.")
    return LocalSettings(
        values=values,
        nulls=tuple(name for name, value in (folded.get("values") or {}).items() if value is None) if values else (),
        port=int(port) if port else None,
        address=host.get("localhttpaddress"),
        cors=comma_separated(str(host.get("cors") or "")),
        cors_credentials=host.get("corscredentials") is True,
    )


def comma_separated(text: str) -> tuple[str, ...]:
    """The elements of a list such as CORS origins; empty ones do not count."""
    return tuple(each.strip() for each in text.split(",") if each.strip())


def merge_environment(local: LocalSettings, process: Mapping[str, str], warn: Warn) -> dict[str, str]:
    """The environment functions run in: the process's own, then what local.settings.json adds."""
    merged = dict(process)
    present = {_variable(name) for name, value in process.items() if value}
    for name, value in local.values.items():
        if not name:
            warn("Skipping local setting with empty key.")
        elif _variable(name) in present:
            warn(f"Skipping '{name}' from local settings as it's already defined in current environment variables.")
        else:
            merged[name] = value
    for name in local.nulls:
        warn(f"Skipping '{name}' because value is null")
    if "CONTAINER_NAME" in local.values:
        warn(
            "CONTAINER_NAME is a reserved environment variable for the Functions Host. Please remove or rename this "
            "setting."
        )
    if (given := local.values.get(ENVIRONMENT)) is not None:
        warn(f"{ENVIRONMENT} already exists with value '{given}', overriding to 'Development'.")
    return merged


def _variable(name: str) -> str:
    """How the operating system compares names of variables."""
    return name.lower() if os.name == "nt" else name


def host_environment(merged: Mapping[str, str], root: Path, port: int) -> dict[str, str]:
    """`merged` plus what Core Tools sets for every app."""
    return {
        "FUNCTIONS_CORETOOLS_ENVIRONMENT": "True",
        "FUNCTIONS_WORKER_RUNTIME_VERSION": f"{sys.version_info[0]}.{sys.version_info[1]}",
        **merged,
        "WEBSITE_HOSTNAME": f"localhost:{port}",
        "AzureWebJobsScriptRoot": str(root),
        ENVIRONMENT: "Development",
        "FUNCTIONS_WORKER_RUNTIME": merged.get("FUNCTIONS_WORKER_RUNTIME") or "python",
    }


def ignored_settings(host: Configuration) -> list[str]:
    """What host.json turns on that has no effect on this machine, as with Core Tools."""
    return [path.replace(":", ".") for path in WITHOUT_EFFECT if host.text(path).lower() == "true"]


def check_runtime(merged: Mapping[str, str]) -> None:
    """Raise StartError for an app of another language."""
    runtime = merged.get("FUNCTIONS_WORKER_RUNTIME") or "python"
    if runtime.lower() != "python":
        raise StartError(f"FUNCTIONS_WORKER_RUNTIME is '{runtime}'; this host runs python apps only.")


def read_host_json(root: Path, environment: Mapping[str, str], *, write: bool = True) -> Configuration:
    """host.json, overridden by the environment. Raises StartError; writes the default when absent or empty."""
    file = root / HOST_FILE
    document: dict[str, Any] = {}
    if file.exists():
        try:
            document = _read_json(file)
        except ValueError as refusal:
            raise StartError(f"Unable to parse host configuration file '{file}': {refusal}") from refusal
    if not document:
        document = dict(DEFAULT_HOST_DOCUMENT)
        if file.exists():
            del document["extensionBundle"]
        if write:
            file.write_text(json.dumps(document, indent=2), encoding="utf-8")
    if document.get("version") != "2.0":
        raise StartError(
            f"The {HOST_FILE} file at {file} is missing the required 'version' property, or it is not \"2.0\". "
            "See https://aka.ms/functions-hostjson for steps to migrate the configuration file."
        )
    installed = any((root / each).is_file() for each in INSTALLED_EXTENSIONS)
    return Configuration(document, environment, extensions_installed=installed)


def _read_json(file: Path) -> dict[str, Any]:
    if file.stat().st_size > SETTINGS_BYTES_MAX:
        raise ValueError(f"it is larger than {SETTINGS_BYTES_MAX} bytes")
    text = _without_comments(file.read_text(encoding="utf-8-sig"))
    document = json.loads(text) if text.strip() else {}
    if not isinstance(document, dict):
        raise ValueError("it is not a JSON object")  # noqa: TRY004 - one kind of error for one kind of file
    return document


def _without_comments(text: str) -> str:
    """Newtonsoft reads // and /* */ comments and trailing commas; so do people's host.json files."""
    token = re.compile(r'"(?:\\.|[^"\\])*"|//[^\n]*|/\*.*?\*/', re.DOTALL)
    plain = token.sub(lambda match: match[0] if match[0].startswith('"') else " ", text)
    comma = re.compile(r'"(?:\\.|[^"\\])*"|,(?=\s*[}\]])', re.DOTALL)
    return comma.sub(lambda match: match[0] if match[0].startswith('"') else "", plain)


def _flat(values: Any, member: str) -> dict[str, str]:
    if not isinstance(values, dict):
        raise ValueError(f"{member} is not an object")  # noqa: TRY004 - one kind of error for one kind of file
    flat: dict[str, str] = {}
    for name, value in values.items():
        if isinstance(value, dict | list):
            raise ValueError(f"{member}.{name} is not a scalar")  # noqa: TRY004
        if value is not None:
            flat[name] = str(value).title() if isinstance(value, bool) else str(value)
    return flat


def _connection_strings(document: Any) -> dict[str, str]:
    strings = {
        name: value.get("ConnectionString", "") if isinstance(value, dict) else value
        for name, value in dict(document).items()
    }
    return {f"ConnectionStrings:{name}": text for name, text in _flat(strings, "ConnectionStrings").items()}


def _scalars(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        pairs = [(str(name), each) for name, each in value.items()]
    elif isinstance(value, list):
        pairs = [(str(number), each) for number, each in enumerate(value)]
    else:
        yield path, value
        return
    for name, each in pairs:
        yield from _scalars(each, f"{path}:{name}" if path else name)
