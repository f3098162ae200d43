"""Where the documents with the access keys are kept: blobs of AzureWebJobsStorage, or files. Knows no key.

A document is written only if it is still as it was read, so that several hosts and workers that make keys at the same
time end with the same ones:

    azure-webjobs-secrets/<host id>/host.json and <function>.json             by default
    $FUNCTIONS_SECRETS_PATH, or ~/.azure-emulators/functions_host/<host id>/secrets
                                                                with AzureWebJobsSecretStorageType=files
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from emulators.functions_host.errors import FunctionInError, StartError
from emulators.functions_host.services import Services
from emulators.functions_host.settings import Settings
from emulators.functions_host.storage import SECRETS_CONTAINER, JsonBlobs, Outdated, json_object, webjobs_storage

PATH_SETTING = "FUNCTIONS_SECRETS_PATH"
TYPE_SETTING = "AzureWebJobsSecretStorageType"


class SecretStore(Protocol):
    """Where the documents `host` and `<function>` are kept."""

    async def read(self, name: str) -> tuple[dict[str, Any] | None, str]:
        """(the document or None when there is none yet, its version)."""

    async def write(self, name: str, document: Mapping[str, Any], version: str) -> None:
        """Keep the document in the place of that version. Raises Outdated when somebody else was faster."""


@dataclass
class FileSecrets:
    """Documents as files of one folder, readable by its owner only."""

    folder: Path

    async def read(self, name: str) -> tuple[dict[str, Any] | None, str]:
        """The document and the digest of its file."""
        file = self._file(name)
        if not file.exists():
            return None, ""
        with _named(str(file)):
            content = file.read_bytes()
            return json_object(content), _digest(content)

    async def write(self, name: str, document: Mapping[str, Any], version: str) -> None:
        """Keep the document, whole or not at all."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = self._file(name)
        unfinished = file.with_name(f".{file.stem}.{os.getpid()}")
        unfinished.touch(mode=0o600)
        unfinished.write_text(json.dumps(document, indent=2), encoding="utf-8")
        if version:
            if not file.exists() or _digest(file.read_bytes()) != version:
                unfinished.unlink()
                raise Outdated(name)
            unfinished.replace(file)
            return
        try:
            os.link(unfinished, file)  # fails when the file is there: creation is where processes race
        except FileExistsError:
            raise Outdated(name) from None
        finally:
            unfinished.unlink()

    def _file(self, name: str) -> Path:
        return self.folder / f"{name.lower()}.json"


@dataclass
class BlobSecrets:
    """Documents as blobs of AzureWebJobsStorage."""

    blobs: JsonBlobs
    host_id: str

    async def read(self, name: str) -> tuple[dict[str, Any] | None, str]:
        """The document and its ETag. Raises StorageUnavailable."""
        with _named(f"The blob {SECRETS_CONTAINER}/{self._blob(name)}"):
            return await self.blobs.read_version(self._blob(name))

    async def write(self, name: str, document: Mapping[str, Any], version: str) -> None:
        """Keep the document. Raises StorageUnavailable, Outdated."""
        await self.blobs.write_version(self._blob(name), document, version)

    def _blob(self, name: str) -> str:
        return f"{self.host_id}/{name.lower()}.json"


def secret_store(services: Services, settings: Settings, host_id: str) -> SecretStore:
    """Where the settings say that keys are kept. Raises StartError for a kind that is not built."""
    kind = (settings.get(TYPE_SETTING) or "blob").lower()
    if kind == "files":
        configured = settings.get(PATH_SETTING)
        home = Path.home() / ".azure-emulators" / "functions_host" / host_id / "secrets"
        return FileSecrets(Path(configured) if configured else home)
    if kind != "blob":
        raise StartError(f"501: {TYPE_SETTING}={kind} is not built into this host; use blob or files.")
    try:
        return BlobSecrets(JsonBlobs(services, webjobs_storage(settings), SECRETS_CONTAINER), host_id)
    except FunctionInError as missing:
        raise StartError(f"Keys are kept in storage: {missing} Or set {TYPE_SETTING}=files.") from missing


@contextlib.contextmanager
def _named(place: str) -> Iterator[None]:
    """A document that cannot be read stops the start: it is not replaced, since its keys may be in use."""
    try:
        yield
    except ValueError as refusal:
        raise StartError(f"{place} is not a JSON object; remove it and new keys are made.") from refusal


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
