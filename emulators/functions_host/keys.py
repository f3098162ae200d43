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
import hmac
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Any, Protocol

from emulators.base.ids import Ids
from emulators.base.serving import Request
from emulators.functions_host.errors import FunctionInError, StartError
from emulators.functions_host.limits import KEY_BYTES
from emulators.functions_host.settings import Settings
from emulators.functions_host.storage import SECRETS_CONTAINER, JsonBlobs, webjobs_storage

EVENT_GRID_KEY = "eventgrid_extension"
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


@dataclass
class FileSecrets:
    """Documents as files of one folder, readable by its owner only."""

    folder: Path

    async def read(self, name: str) -> dict[str, Any] | None:
        """The document, or None when there is none yet."""
        file = self.folder / f"{name.lower()}.json"
        if not file.exists():
            return None
        document = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(document, dict):
            raise StartError(f"{file} is not a JSON object; remove it and new keys are made.")
        return document

    async def write(self, name: str, document: Mapping[str, Any]) -> None:
        """Keep the document, whole or not at all."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        unfinished = self.folder / f".{name.lower()}.{os.getpid()}"
        unfinished.touch(mode=0o600)
        unfinished.write_text(json.dumps(document, indent=2), encoding="utf-8")
        unfinished.replace(self.folder / f"{name.lower()}.json")


@dataclass
class Keys:
    """All keys in force, by name."""

    store: SecretStore
    ids: Ids
    master: str = ""
    host: dict[str, str] = field(default_factory=dict)
    system: dict[str, str] = field(default_factory=dict)
    functions: dict[str, dict[str, str]] = field(default_factory=dict)

    async def load(self, functions: Iterable[str]) -> None:
        """Read all keys, making those that are missing."""
        document = await self.store.read("host") or {}
        self.master = (document.get("masterKey") or {}).get("value") or self.new_key()
        self.host = _by_name(document.get("functionKeys")) or {"default": self.new_key()}
        self.system = _by_name(document.get("systemKeys"))
        self.system.setdefault(EVENT_GRID_KEY, self.new_key())
        if self._host_document() != {name: document.get(name) for name in self._host_document()}:
            await self.save_host()
        for name in functions:
            kept = await self.store.read(name)
            self.functions[name.lower()] = _by_name((kept or {}).get("keys"))
            if kept is None:
                self.functions[name.lower()]["default"] = self.new_key()
                await self.save_function(name)

    async def save_host(self) -> None:
        """Keep master, host and system keys."""
        await self.store.write("host", {**self._host_document(), "source": "runtime"})

    async def save_function(self, name: str) -> None:
        """Keep the keys of one function."""
        await self.store.write(name, {"keys": _as_list(self.functions[name.lower()]), "source": "runtime"})

    def new_key(self) -> str:
        """A fresh key."""
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

    def _host_document(self) -> dict[str, Any]:
        return {
            "masterKey": {"name": "master", "value": self.master, "encrypted": False},
            "functionKeys": _as_list(self.host),
            "systemKeys": _as_list(self.system),
        }


def satisfies(proved: Level, demanded: Level) -> bool:
    """Whether a key opens a function: a system key opens no function."""
    return demanded is Level.ANONYMOUS or proved is Level.ADMIN or (proved is demanded)


def file_secrets(settings: Settings, host_id: str) -> FileSecrets:
    """The store of `AzureWebJobsSecretStorageType=files`."""
    configured = settings.get(PATH_SETTING)
    home = Path.home() / ".azure-emulators" / "functions_host" / host_id / "secrets"
    return FileSecrets(Path(configured) if configured else home)


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
        return await self.blobs.read(f"{self.host_id}/{name.lower()}.json")

    async def write(self, name: str, document: Mapping[str, Any]) -> None:
        """Keep the document. Raises StorageUnavailable."""
        await self.blobs.write(f"{self.host_id}/{name.lower()}.json", document)


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
