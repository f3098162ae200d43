"""Access keys for `--enableAuth`: the master key, host keys, function keys, system keys; and who may call what.

Kept as the real host keeps them, in its JSON form: by default in the blobs
`azure-webjobs-secrets/<host id>/host.json` and `<function>.json`, with the setting
`AzureWebJobsSecretStorageType=files` in one folder:

    $FUNCTIONS_SECRETS_PATH, or ~/.azure-emulators/functions_host/<host id>/secrets
        host.json            {"masterKey": KEY, "functionKeys": [KEY …], "systemKeys": [KEY …]}
        <function name, lower case>.json   {"keys": [KEY …]}
    with KEY = {"name": "default", "value": "…", "encrypted": false}

The host key for all functions is called `default`, the key of the Event Grid webhook `eventgrid_extension`.
"""

from __future__ import annotations

import base64
import contextlib
import hmac
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

from emulators.base.ids import Ids
from emulators.base.serving import Request
from emulators.functions_host.errors import FunctionInError, StartError
from emulators.functions_host.limits import KEY_BYTES
from emulators.functions_host.settings import Settings
from emulators.functions_host.storage import SECRETS_CONTAINER, JsonBlobs, json_object, webjobs_storage

SYSTEM_KEYS = {"eventgrid": "eventgrid_extension", "blobs": "blobs_extension"}
"""The system key that opens each extension's webhook."""
PATH_SETTING = "FUNCTIONS_SECRETS_PATH"
TYPE_SETTING = "AzureWebJobsSecretStorageType"
HEADER = "x-functions-key"


class Level(IntEnum):
    """What a caller has proved; each function and endpoint demands one."""

    ANONYMOUS = 0
    FUNCTION = 1
    SYSTEM = 2
    ADMIN = 3


class SecretStore(Protocol):
    """Where the documents `host` and `<function>` are kept."""

    async def read(self, name: str) -> dict[str, Any] | None:
        """The document, or None when there is none yet."""

    async def write(self, name: str, document: Mapping[str, Any]) -> None:
        """Keep the document."""

    async def close(self) -> None:
        """Close the connections."""


@dataclass
class FileSecrets:
    """Documents as files of one folder, readable by its owner only."""

    folder: Path

    async def read(self, name: str) -> dict[str, Any] | None:
        """The document, or None when there is none yet."""
        file = self._file(name)
        if not file.exists():
            return None
        with _named(str(file)):
            return json_object(file.read_text(encoding="utf-8"))

    async def write(self, name: str, document: Mapping[str, Any]) -> None:
        """Keep the document, whole or not at all."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = self._file(name)
        unfinished = file.with_name(f".{file.stem}.{os.getpid()}")
        unfinished.touch(mode=0o600)
        unfinished.write_text(json.dumps(document, indent=2), encoding="utf-8")
        unfinished.replace(file)

    async def close(self) -> None:
        """Nothing is open."""

    def _file(self, name: str) -> Path:
        return self.folder / f"{name.lower()}.json"


@dataclass
class Keys:
    """All keys in force, by name; none before `load` has ended."""

    store: SecretStore
    ids: Ids
    master: str = ""
    host: dict[str, str] = field(default_factory=dict)
    system: dict[str, str] = field(default_factory=dict)
    functions: dict[str, dict[str, str]] = field(default_factory=dict)

    async def load(self, functions: Iterable[str]) -> None:
        """Read all keys, making and keeping those that are missing. What it raises leaves no key in force."""
        kept = await self.store.read("host") or {}
        master = (kept.get("masterKey") or {}).get("value") or self._new_key()
        host = _by_name(kept.get("functionKeys")) or {"default": self._new_key()}
        system = _by_name(kept.get("systemKeys"))
        for key in SYSTEM_KEYS.values():
            system.setdefault(key, self._new_key())
        document = {
            "masterKey": {"name": "master", "value": master, "encrypted": False},
            "functionKeys": _as_list(host),
            "systemKeys": _as_list(system),
        }
        if document != {name: kept.get(name) for name in document}:
            await self.store.write("host", {**document, "source": "runtime"})
        own = {name.lower(): await self._load_function(name) for name in functions}
        self.master, self.host, self.system, self.functions = master, host, system, own

    async def _load_function(self, name: str) -> dict[str, str]:
        document = quote(name, safe="")  # a function that is in error for its name has keys too: no path in it
        kept = await self.store.read(document)
        if kept is not None:
            return _by_name(kept.get("keys"))
        made = {"default": self._new_key()}
        await self.store.write(document, {"keys": _as_list(made), "source": "runtime"})
        return made

    def _new_key(self) -> str:
        return base64.urlsafe_b64encode(self.ids.token(KEY_BYTES)).decode()

    def level(self, request: Request, function: str | None = None) -> tuple[Level, str]:
        """What the request's key proves (for `function`), and the key's name."""
        given = request.headers.get(HEADER) or next((value for name, value in request.query if name == "code"), "")
        if not given:
            return Level.ANONYMOUS, ""
        found = (Level.ANONYMOUS, "")
        candidates = [(Level.ADMIN, "master", self.master)]
        candidates += [(Level.SYSTEM, name, value) for name, value in self.system.items()]
        if function is not None:
            candidates += [(Level.FUNCTION, name, value) for name, value in self.host.items()]
            candidates += [
                (Level.FUNCTION, name, value) for name, value in self.functions.get(function.lower(), {}).items()
            ]
        for level, name, value in candidates:  # all are compared, so that time tells nothing
            if hmac.compare_digest(value.encode(), given.encode()) and found[0] is Level.ANONYMOUS:
                found = (level, name)
        return found


def satisfies(proved: Level, demanded: Level) -> bool:
    """Whether a key opens a function: a system key opens no function."""
    return demanded is Level.ANONYMOUS or proved is Level.ADMIN or (proved is demanded)


def file_secrets(settings: Settings, host_id: str) -> FileSecrets:
    """The store of `AzureWebJobsSecretStorageType=files`."""
    configured = settings.get(PATH_SETTING)
    home = Path.home() / ".azure-emulators" / "functions_host" / host_id / "secrets"
    return FileSecrets(Path(configured) if configured else home)


@contextlib.contextmanager
def _named(place: str) -> Iterator[None]:
    """A document that cannot be read stops the start: it is not replaced, since its keys may be in use."""
    try:
        yield
    except ValueError as refusal:
        raise StartError(f"{place} is not a JSON object; remove it and new keys are made.") from refusal


def _by_name(keys: Any) -> dict[str, str]:
    return {each["name"]: each["value"] for each in keys or []}


def _as_list(keys: Mapping[str, str]) -> list[dict[str, Any]]:
    return [{"name": name, "value": value, "encrypted": False} for name, value in keys.items()]


@dataclass
class BlobSecrets:
    """Documents as blobs of AzureWebJobsStorage."""

    blobs: JsonBlobs
    host_id: str

    async def read(self, name: str) -> dict[str, Any] | None:
        """The document, or None when there is none yet. Raises StorageUnavailable."""
        blob = f"{self.host_id}/{name.lower()}.json"
        with _named(f"The blob {SECRETS_CONTAINER}/{blob}"):
            return await self.blobs.read(blob)

    async def write(self, name: str, document: Mapping[str, Any]) -> None:
        """Keep the document. Raises StorageUnavailable."""
        await self.blobs.write(f"{self.host_id}/{name.lower()}.json", document)

    async def close(self) -> None:
        """Close the connections."""
        await self.blobs.close()


def secret_store(settings: Settings, host_id: str) -> SecretStore:
    """Where the settings say that keys are kept. Raises StartError for a kind that is not built."""
    kind = (settings.get(TYPE_SETTING) or "blob").lower()
    if kind == "files":
        return file_secrets(settings, host_id)
    if kind != "blob":
        raise StartError(f"501: {TYPE_SETTING}={kind} is not built into this host; use blob or files.")
    try:
        return BlobSecrets(JsonBlobs(webjobs_storage(settings), SECRETS_CONTAINER), host_id)
    except FunctionInError as missing:
        raise StartError(f"--enableAuth keeps its keys in storage: {missing} Or set {TYPE_SETTING}=files.") from missing
