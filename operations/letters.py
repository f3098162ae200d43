"""Event Grid's dead letters: blobs, each a JSON array of events with the reason why they were given up.

The only room that knows the storage account. It is asked on first use, so that commands that need no dead letters need
no storage either.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from azure.core import MatchConditions
from azure.core.exceptions import ResourceModifiedError, ResourceNotFoundError
from azure.storage.blob.aio import BlobServiceClient, ContainerClient, LinearRetry

from operations.errors import CommandFailed
from operations.limits import LETTER_BYTES_MAX, STORAGE_RETRIES_MAX, STORAGE_RETRY_SECONDS

CONTAINER_SETTING = "OrdersDeadLetterContainer"
CONTAINER_DEFAULT = "dead-letters"
STORAGE_SETTING = "AzureWebJobsStorage"
REASON = ("deadLetterReason", "deadletterreason")
"""The second as CloudEvents spell it, whose extensions have lower case names only."""
LAST_OUTCOME = ("lastDeliveryOutcome", "lastdeliveryoutcome")


@dataclass(frozen=True, slots=True)
class Letter:
    """One event that was given up: as JSON text, when and why, and how its last delivery ended."""

    text: str
    reason: str
    dead_since: datetime


@dataclass(frozen=True, slots=True)
class LetterBlob:
    """A blob with its letters; `unreadable` says why they cannot be told apart."""

    name: str
    etag: str
    modified: datetime
    letters: tuple[Letter, ...]
    unreadable: str | None = None


class DeadLetters:
    """The dead letters of the account and container that the settings name."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        self._settings = settings
        self._service: BlobServiceClient | None = None
        self._credential: Any = None

    @property
    def configured(self) -> bool:
        """Whether the settings name a storage account."""
        names = (STORAGE_SETTING, f"{STORAGE_SETTING}__accountName", f"{STORAGE_SETTING}__blobServiceUri")
        return any(self._settings.get(name) for name in names)

    async def list(self) -> AsyncIterator[LetterBlob]:
        """Every blob, in the order of their names, which is by subscription and hour."""
        container = self._container()
        try:
            async for blob in container.list_blobs():
                if blob.size > LETTER_BYTES_MAX:
                    yield LetterBlob(blob.name, blob.etag, blob.last_modified, (), f"over {LETTER_BYTES_MAX} bytes")
                    continue
                try:
                    download = await container.download_blob(blob.name)
                    content = await download.readall()
                except ResourceNotFoundError:
                    continue  # deleted since it was listed
                yield read_blob(blob.name, download.properties.etag, content, download.properties.last_modified)
        except ResourceNotFoundError as failure:
            raise CommandFailed(
                f"The storage account has no container {container.container_name}: set {CONTAINER_SETTING} to where "
                "the event subscription's dead letters go."
            ) from failure

    async def keep(self, blob: LetterBlob, places: set[int]) -> bool:
        """Leave only the letters at `places` in `blob`. False: it has changed since it was listed, and stays."""
        client = self._container().get_blob_client(blob.name)
        condition: dict[str, Any] = {"etag": blob.etag, "match_condition": MatchConditions.IfNotModified}
        try:
            if places:
                rest = "[" + ",".join(blob.letters[place].text for place in sorted(places)) + "]"
                await client.upload_blob(rest.encode(), overwrite=True, **condition)
            else:
                await client.delete_blob(**condition)
        except ResourceModifiedError:
            return False
        except ResourceNotFoundError:
            return True
        return True

    async def close(self) -> None:
        """Close the connections."""
        for each in (self._service, self._credential):
            if each is not None:
                await each.close()

    def _container(self) -> ContainerClient:
        if self._service is None:
            self._service = self._connect()
        return self._service.get_container_client(self._settings.get(CONTAINER_SETTING) or CONTAINER_DEFAULT)

    def _connect(self) -> BlobServiceClient:
        given = self._settings.get
        if connection := given(STORAGE_SETTING):
            try:
                return BlobServiceClient.from_connection_string(connection, retry_policy=_retries())
            except ValueError as failure:
                raise CommandFailed(f"{STORAGE_SETTING} is not a connection string.") from failure
        address = given(f"{STORAGE_SETTING}__blobServiceUri")
        if account := given(f"{STORAGE_SETTING}__accountName"):
            address = address or f"https://{account}.blob.core.windows.net"
        if not address:
            raise CommandFailed(
                f"Dead letters are in a storage account: set {STORAGE_SETTING}, or {STORAGE_SETTING}__accountName for "
                "use with an identity."
            )
        from azure.identity.aio import DefaultAzureCredential  # half a second that most runs save

        self._credential = DefaultAzureCredential()
        return BlobServiceClient(address, self._credential, retry_policy=_retries())


def _retries() -> LinearRetry:
    return LinearRetry(backoff=STORAGE_RETRY_SECONDS, retry_total=STORAGE_RETRIES_MAX, random_jitter_range=0)


def read_blob(name: str, etag: str, content: bytes, modified: datetime) -> LetterBlob:
    """The letters in a blob's content."""
    try:
        documents = json.loads(content)
    except (ValueError, RecursionError) as failure:
        return LetterBlob(name, etag, modified, (), f"not JSON: {failure}")
    if isinstance(documents, dict):
        documents = [documents]
    if not isinstance(documents, list) or not all(isinstance(document, dict) for document in documents):
        return LetterBlob(name, etag, modified, (), "not an array of events")
    letters = (Letter(json.dumps(each), _reason(each), modified.astimezone(UTC)) for each in documents)
    return LetterBlob(name, etag, modified, tuple(letters))


def _reason(document: Mapping[str, Any]) -> str:
    told = (next((str(document[name]) for name in names if name in document), "") for names in (REASON, LAST_OUTCOME))
    reason, outcome = told
    return f"{reason or 'no reason given'} ({outcome})" if outcome else reason or "no reason given"
