"""JSON documents in the blobs of AzureWebJobsStorage: timer states, keys.

The storage SDK is imported when the first blob is touched: an app of HTTP functions never pays for it.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from typing import Any

from emulators.functions_host.connections import StorageConnection, storage_connection
from emulators.functions_host.errors import FunctionInError
from emulators.functions_host.services import Services
from emulators.functions_host.settings import Settings

HOSTS_CONTAINER = "azure-webjobs-hosts"
SECRETS_CONTAINER = "azure-webjobs-secrets"
STORAGE_SETTING = "AzureWebJobsStorage"


class StorageUnavailable(Exception):
    """The storage account did not answer, or refused. The text names it."""


class Outdated(Exception):
    """Somebody else has changed the document since it was read."""


class JsonBlobs:
    """Documents under names in one container, which is created when first written to."""

    def __init__(self, services: Services, connection: StorageConnection, container: str) -> None:
        self._services = services
        self._connection = connection
        self._container_name = container
        self._container: Any = None

    async def read(self, name: str) -> dict[str, Any] | None:
        """The document, or None when there is none. Raises StorageUnavailable, or ValueError for what is none."""
        return (await self.read_version(name))[0]

    async def read_version(self, name: str) -> tuple[dict[str, Any] | None, str]:
        """The document (or None) and its ETag. Raises as `read`."""
        from azure.core.exceptions import AzureError, ResourceNotFoundError

        try:
            download = await self._client().download_blob(name)
            text = await download.readall()
        except ResourceNotFoundError:
            return None, ""
        except AzureError as failure:
            raise self._unavailable(failure) from failure
        return json_object(text), download.properties.etag

    async def write(self, name: str, document: Mapping[str, Any]) -> None:
        """Keep the document, whatever was there. Raises StorageUnavailable."""
        await self._upload(name, document, overwrite=True)

    async def write_version(self, name: str, document: Mapping[str, Any], version: str) -> None:
        """Keep the document in the place of that version, "" for none. Raises StorageUnavailable, Outdated."""
        from azure.core import MatchConditions

        if version:
            condition = {"etag": version, "match_condition": MatchConditions.IfNotModified}
            await self._upload(name, document, overwrite=True, **condition)
        else:
            await self._upload(name, document, overwrite=False)

    async def _upload(self, name: str, document: Mapping[str, Any], **condition: Any) -> None:
        from azure.core.exceptions import (
            AzureError,
            ResourceExistsError,
            ResourceModifiedError,
            ResourceNotFoundError,
        )

        body = json.dumps(document).encode()
        try:
            try:
                await self._client().upload_blob(name, body, **condition)
            except ResourceNotFoundError:
                await create_container(self._client())
                await self._client().upload_blob(name, body, **condition)
        except (ResourceExistsError, ResourceModifiedError) as failure:
            raise Outdated(name) from failure
        except AzureError as failure:
            raise self._unavailable(failure) from failure

    def _client(self) -> Any:
        if self._container is None:
            self._container = open_container(self._services, self._connection, self._container_name)
        return self._container

    def _unavailable(self, failure: Exception) -> StorageUnavailable:
        account = getattr(self._container, "primary_hostname", "") if self._container else ""
        first_line = str(failure).split("\n", 1)[0]
        return StorageUnavailable(f"storage account {account} ({STORAGE_SETTING}): {first_line}")


def open_container(services: Services, connection: StorageConnection, name: str) -> Any:
    """A client of one container. Raises StorageUnavailable for what cannot be connected to."""
    try:
        return services.storage("blob", connection, tries=1).get_container_client(name)
    except FunctionInError as refusal:
        raise StorageUnavailable(f"{STORAGE_SETTING}: {refusal}") from refusal


async def create_container(container: Any) -> None:
    """Create the container, unless another host was faster."""
    from azure.core.exceptions import ResourceExistsError

    with contextlib.suppress(ResourceExistsError):
        await container.create_container()


def json_object(text: str | bytes) -> dict[str, Any]:
    """The JSON object in `text`. Raises ValueError."""
    document = json.loads(text)
    if not isinstance(document, dict):
        raise ValueError("it is not a JSON object")  # noqa: TRY004 - one kind of error for what cannot be read
    return document


def webjobs_storage(settings: Settings) -> StorageConnection:
    """The account of AzureWebJobsStorage. Raises FunctionInError when it is not set, or no connection."""
    if settings.connection(STORAGE_SETTING) is None and not settings.section(STORAGE_SETTING):
        raise FunctionInError(
            f"{STORAGE_SETTING} is not set. Put it into local.settings.json "
            '("UseDevelopmentStorage=true" is Azurite on this machine).'
        )
    return storage_connection(settings, STORAGE_SETTING)
