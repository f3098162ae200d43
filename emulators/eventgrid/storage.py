"""The storage account beside the emulator (Azurite): dead-letter blobs. The only room that knows the storage SDK.

A simulation hands in a `BlobWriter` of its own. Nothing here knows what a dead letter is.
"""

from __future__ import annotations

from typing import Protocol

from azure.core.exceptions import AzureError, HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.storage.blob import ContentSettings
from azure.storage.blob.aio import BlobServiceClient

DEVELOPMENT_STORAGE = "UseDevelopmentStorage=true"
DEVELOPMENT_ACCOUNT = "devstoreaccount1"
_DEVELOPMENT_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
_DEVELOPMENT_CONNECTION = (
    f"DefaultEndpointsProtocol=http;AccountName={DEVELOPMENT_ACCOUNT};AccountKey={_DEVELOPMENT_KEY};"
    f"BlobEndpoint=http://127.0.0.1:10000/{DEVELOPMENT_ACCOUNT};"
)


class StorageUnavailable(Exception):
    """The account did not take or tell what it was asked for. The text says why."""


class BlobWriter(Protocol):
    """Where dead letters are written."""

    async def write(self, container: str, path: str, content: bytes) -> None:
        """Put a blob; it may be there already. Raises StorageUnavailable."""

    async def exists(self, container: str, path: str) -> bool:
        """Whether the blob is there. Raises StorageUnavailable."""

    async def close(self) -> None:
        """Let go of connections."""


class StorageAccount:
    """A storage account by its connection string; it is called on first use only."""

    def __init__(self, connection_string: str) -> None:
        self._connection_string = expand(connection_string)
        self._client: BlobServiceClient | None = None

    async def write(self, container: str, path: str, content: bytes) -> None:
        """Put a JSON blob. Raises StorageUnavailable, also where the container is missing: the user must make it."""
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

    async def close(self) -> None:
        """Close the client."""
        if self._client is not None:
            await self._client.close()

    def _blobs(self) -> BlobServiceClient:
        if self._client is None:
            self._client = BlobServiceClient.from_connection_string(
                self._connection_string, retry_total=0, connection_timeout=5, read_timeout=20
            )
        return self._client


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


def _reason(failure: AzureError) -> str:
    if isinstance(failure, HttpResponseError):
        return f"{failure.status_code} {failure.error_code if hasattr(failure, 'error_code') else failure.reason}"
    return type(failure).__name__ + ": " + str(failure.message).partition("\n")[0]
