"""The storage account beside the emulator (Azurite): blobs and queues. The only room that knows the storage SDKs.

A simulation hands in a `Storage` of its own. Nothing here knows what a dead letter or a delivery is. The SDKs take
longer to load than all else of the emulator, and most never need them: they are imported where they are first used.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import orjson
from azure.core.exceptions import AzureError, HttpResponseError, ResourceExistsError, ResourceNotFoundError

from emulators.eventgrid import limits

if TYPE_CHECKING:
    from azure.storage.blob import BlobProperties
    from azure.storage.blob.aio import BlobServiceClient
    from azure.storage.queue.aio import QueueServiceClient

DEVELOPMENT_STORAGE = "UseDevelopmentStorage=true"
DEVELOPMENT_ACCOUNT = "devstoreaccount1"
_DEVELOPMENT_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
_DEVELOPMENT_CONNECTION = (
    f"DefaultEndpointsProtocol=http;AccountName={DEVELOPMENT_ACCOUNT};AccountKey={_DEVELOPMENT_KEY};"
    f"BlobEndpoint=http://127.0.0.1:10000/{DEVELOPMENT_ACCOUNT};"
    f"QueueEndpoint=http://127.0.0.1:10001/{DEVELOPMENT_ACCOUNT};"
)
_ABOUT_BYTES = 8
"""Enough to tell two versions of one blob apart."""
_PATIENCE: dict[str, Any] = {"retry_total": 0, "connection_timeout": 5, "read_timeout": 20}
"""The SDKs' own retries are off: who calls has a schedule of its own. Seconds; our choice."""


class StorageUnavailable(Exception):
    """The account did not take or tell what it was asked for. The text says why."""


class ContainerGone(StorageUnavailable):
    """A container that was just listed is not there any more."""


class BlobWriter(Protocol):
    """Where dead letters are written."""

    async def write(self, container: str, path: str, content: bytes) -> None:
        """Put a blob; it may be there already. Raises StorageUnavailable."""

    async def exists(self, container: str, path: str) -> bool:
        """Whether the blob is there. Raises StorageUnavailable."""


@dataclass(frozen=True, slots=True)
class Enqueued:
    """What the queue service answered: 201, or a refusal and its reason."""

    status: int
    reason: str = ""


class QueueWriter(Protocol):
    """Where deliveries to storage queues go."""

    async def enqueue(self, queue: str, text: str, live_seconds: int) -> Enqueued:
        """Put a message. Raises StorageUnavailable when there is no answer."""


@dataclass(frozen=True, slots=True)
class Blob:
    """One blob as a listing tells of it. Times are seconds since the epoch, whole ones."""

    name: str
    etag: str
    created: float
    modified: float
    kind: str
    size: int
    content_type: str
    tier: str
    copied: bool
    md5: str = ""
    """Of the content; empty where it is not known."""
    about: str = ""
    """Differs when the metadata or the HTTP headers do."""


class BlobSource(Protocol):
    """Where storage events come from. Each may raise StorageUnavailable."""

    @property
    def blob_url(self) -> str:
        """The address of the account's blobs."""

    async def containers(self) -> list[str]:
        """The names of all containers."""

    def pages(self, container: str) -> AsyncIterator[list[Blob]]:
        """The blobs of a container, a page at a time."""

    async def has_blocks(self, container: str, name: str) -> bool:
        """Whether a block blob was committed from a list of blocks."""


class Storage(BlobWriter, QueueWriter, BlobSource, Protocol):
    """The whole account."""

    async def close(self) -> None:
        """Let go of connections."""


class StorageAccount:
    """A storage account by its connection string; it is called on first use only."""

    def __init__(self, connection_string: str) -> None:
        self._connection_string = expand(connection_string)
        self._client: BlobServiceClient | None = None
        self._queue_client: QueueServiceClient | None = None

    async def write(self, container: str, path: str, content: bytes) -> None:
        """Put a JSON blob. Raises StorageUnavailable, also where the container is missing: the user must make it."""
        from azure.storage.blob import ContentSettings

        blob = self._blobs().get_blob_client(container, path)
        try:
            await blob.upload_blob(
                content, overwrite=True, content_settings=ContentSettings(content_type="application/json")
            )
        except ResourceExistsError:
            pass  # an answer that was lost: the blob's name is a fresh GUID, so it is ours
        except AzureError as failure:
            raise StorageUnavailable(_reason(failure)) from failure

    async def exists(self, container: str, path: str) -> bool:
        """Whether the blob is there. Raises StorageUnavailable."""
        try:
            await self._blobs().get_blob_client(container, path).get_blob_properties()
        except ResourceNotFoundError:
            return False
        except AzureError as failure:
            raise StorageUnavailable(_reason(failure)) from failure
        return True

    async def enqueue(self, queue: str, text: str, live_seconds: int) -> Enqueued:
        """Put a message as it is. Raises StorageUnavailable when there is no answer."""
        try:
            await self._queues().get_queue_client(queue).send_message(text, time_to_live=live_seconds)
        except HttpResponseError as refusal:
            if refusal.status_code is None:
                raise StorageUnavailable(_reason(refusal)) from refusal
            return Enqueued(refusal.status_code, _reason(refusal))
        except AzureError as failure:
            raise StorageUnavailable(_reason(failure)) from failure
        return Enqueued(201)

    @property
    def blob_url(self) -> str:
        """The address of the account's blobs."""
        return str(self._blobs().url).rstrip("/")

    async def containers(self) -> list[str]:
        """The names of all containers. Raises StorageUnavailable."""
        with _unavailable():
            return [each.name async for each in self._blobs().list_containers()]

    async def pages(self, container: str) -> AsyncIterator[list[Blob]]:
        """The blobs of a container, a page at a time. Raises StorageUnavailable, ContainerGone."""
        client = self._blobs().get_container_client(container)
        listed = client.list_blobs(include=["copy", "metadata"], results_per_page=limits.LISTED_BLOBS_PER_PAGE)
        with _unavailable():
            async for page in listed.by_page():
                yield [_blob(each) async for each in page]

    async def has_blocks(self, container: str, name: str) -> bool:
        """Whether a block blob was committed from a list of blocks. Raises StorageUnavailable."""
        with _unavailable():
            try:
                committed, _ = await self._blobs().get_blob_client(container, name).get_block_list("committed")
            except ResourceNotFoundError:
                return False  # it has gone since it was listed
            return bool(committed)

    async def close(self) -> None:
        """Close the clients."""
        for client in (self._client, self._queue_client):
            if client is not None:
                await client.close()

    def _blobs(self) -> BlobServiceClient:
        if self._client is None:
            from azure.storage.blob.aio import BlobServiceClient

            self._client = BlobServiceClient.from_connection_string(self._connection_string, **_PATIENCE)
        return self._client

    def _queues(self) -> QueueServiceClient:
        if self._queue_client is None:
            from azure.storage.queue.aio import QueueServiceClient

            self._queue_client = QueueServiceClient.from_connection_string(self._connection_string, **_PATIENCE)
        return self._queue_client


def account_name(connection_string: str) -> str:
    """The account that a connection string is for. Raises ValueError when it names none."""
    parts = dict(part.partition("=")[::2] for part in expand(connection_string).split(";") if part)
    name = parts.get("AccountName")
    if not name:
        raise ValueError("the storage connection string has no AccountName")
    return name


def expand(connection_string: str) -> str:
    """The full form of `UseDevelopmentStorage=true`; any other string as it is."""
    if connection_string.strip().rstrip(";").lower() == DEVELOPMENT_STORAGE.lower():
        return _DEVELOPMENT_CONNECTION
    return connection_string


@contextmanager
def _unavailable() -> Iterator[None]:
    try:
        yield
    except ResourceNotFoundError as failure:
        raise ContainerGone(_reason(failure)) from failure
    except AzureError as failure:
        raise StorageUnavailable(_reason(failure)) from failure


def _blob(listed: BlobProperties) -> Blob:
    return Blob(
        name=str(listed.name),
        etag=str(listed.etag).strip('"'),
        created=listed.creation_time.timestamp(),
        modified=listed.last_modified.timestamp(),
        kind=str(getattr(listed.blob_type, "value", listed.blob_type)),
        size=int(listed.size or 0),
        content_type=str(listed.content_settings.content_type or ""),
        tier=str(listed.blob_tier or ""),
        copied=bool(listed.copy.id),
        md5=bytes(listed.content_settings.content_md5 or b"").hex(),
        about=_about(listed),
    )


def _about(listed: BlobProperties) -> str:
    """A digest of what may be changed without writing the blob."""
    headers = {name: value for name, value in vars(listed.content_settings).items() if name != "content_md5"}
    said = orjson.dumps([listed.metadata, headers], option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(said, digest_size=_ABOUT_BYTES).hexdigest()


def _reason(failure: AzureError) -> str:
    if isinstance(failure, HttpResponseError):
        return f"{failure.status_code} {failure.error_code if hasattr(failure, 'error_code') else failure.reason}"
    return type(failure).__name__ + ": " + str(failure.message).partition("\n")[0]
