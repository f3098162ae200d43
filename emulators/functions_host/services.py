"""Clients of the services that bindings reach over the wire: one a connection, made when first used, closed together.

Must not know bindings or triggers. aiohttp and the storage SDKs are imported when the first of their clients is made:
an app of HTTP functions never pays for them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from emulators.base.clock import Clock
from emulators.functions_host.connections import (
    CosmosConnection,
    Identity,
    StorageConnection,
    TopicConnection,
)
from emulators.functions_host.cosmos_client import CosmosAccount
from emulators.functions_host.errors import FunctionInError
from emulators.functions_host.limits import STORAGE_SECONDS_MAX, STORAGE_TRIES

if TYPE_CHECKING:
    import aiohttp


class Services:
    """Clients by connection, for the life of a worker."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None
        self._accounts: dict[CosmosConnection, CosmosAccount] = {}
        self._storage: dict[tuple[str, StorageConnection, int], Any] = {}
        self._credentials: dict[Identity, Any] = {}

    @property
    def session(self) -> aiohttp.ClientSession:
        """The HTTP session that all of them share."""
        if self._session is None:
            from aiohttp import ClientSession, TCPConnector

            self._session = ClientSession(connector=TCPConnector(limit=0), trust_env=False)
        return self._session

    def cosmos(self, connection: CosmosConnection) -> CosmosAccount:
        """A Cosmos DB account."""
        if connection not in self._accounts:
            self._accounts[connection] = CosmosAccount(connection, self.session, self._clock)
        return self._accounts[connection]

    def storage(self, service: str, connection: StorageConnection, *, tries: int = STORAGE_TRIES) -> Any:
        """The async service client for `blob`, `queue` or `table` of a storage account. Raises FunctionInError."""
        key = (service, connection, tries)
        if key not in self._storage:
            self._storage[key] = self._storage_client(service, connection, tries)
        return self._storage[key]

    @staticmethod
    def import_storage() -> None:
        """Import what `storage` needs: half a second's work, for a thread, so that requests are answered meanwhile."""
        importlib.import_module("azure.core.pipeline.transport._aiohttp")
        importlib.import_module("azure.storage.blob.aio")

    def credential(self, identity: Identity) -> Any:
        """A credential that is closed with the rest."""
        if identity not in self._credentials:
            self._credentials[identity] = identity.credential()
        return self._credentials[identity]

    async def topic_headers(self, connection: TopicConnection) -> dict[str, str]:
        """What authorizes publishing to a topic."""
        if connection.key is not None:
            return {"aeg-sas-key": connection.key}
        token = await self.credential(connection.identity).get_token("https://eventgrid.azure.net/.default")
        return {"authorization": f"Bearer {token.token}"}

    async def close(self) -> None:
        """Close every client."""
        for account in self._accounts.values():
            await account.close()
        for each in (*self._storage.values(), *self._credentials.values()):
            await each.close()
        if self._session is not None:
            await self._session.close()

    def _storage_client(self, service: str, connection: StorageConnection, tries: int) -> Any:
        from azure.core.pipeline.transport import AioHttpTransport

        options = {
            "transport": AioHttpTransport(use_env_settings=False),
            "connection_timeout": STORAGE_SECONDS_MAX,
            "read_timeout": STORAGE_SECONDS_MAX,
            # Our choice: what is away on this machine stays away, so the SDK's 15 s between tries would only hold up.
            "retry_total": tries - 1,
            "initial_backoff": 1,
            "increment_base": 1,
            "random_jitter_range": 0,
        }
        kind = _storage_class(service)
        if connection.text is not None:
            try:
                return kind.from_connection_string(connection.text, **options)
            except ValueError as refusal:
                raise FunctionInError(f"The storage connection string cannot be used: {refusal}") from refusal
        url = dict(connection.urls).get(service)
        if url is None:
            raise FunctionInError(f"The connection has no {service}ServiceUri (nor serviceUri or accountName).")
        credential = self.credential(connection.identity)
        if service == "table":
            return kind(endpoint=url, credential=credential, **options)
        return kind(account_url=url, credential=credential, **options)


def _storage_class(service: str) -> Any:
    match service:
        case "blob":
            from azure.storage.blob.aio import BlobServiceClient

            return BlobServiceClient
        case "queue":
            from azure.storage.queue.aio import QueueServiceClient

            return QueueServiceClient
    from azure.data.tables.aio import TableServiceClient

    return TableServiceClient
