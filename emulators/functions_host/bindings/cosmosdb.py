"""Cosmos DB bindings: an item by id, the results of a query, items to upsert.

What the extension does (webjobs-sdk-extensions, CosmosDBItemValueBinder, CosmosDBEnumerableBuilder,
CosmosDBAsyncCollector). How a query runs over several ranges is in cosmos_query.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from emulators.functions_host.bindings.expressions import BindingData
from emulators.functions_host.bindings.payload import documents_of
from emulators.functions_host.connections import cosmos_connection
from emulators.functions_host.converters import Datum
from emulators.functions_host.cosmos_client import NOT_FOUND, CosmosAccount, CosmosContainer, CosmosRefused
from emulators.functions_host.cosmos_query import run_query
from emulators.functions_host.errors import FunctionInError
from emulators.functions_host.index import Binding
from emulators.functions_host.services import Services
from emulators.functions_host.settings import Settings
from emulators.functions_host.signature import ParameterType

TYPE = "cosmosdb"
EVERYTHING = "SELECT * FROM c"


@dataclass(frozen=True)
class CosmosBinding:
    """Reads and writes items for bindings of type cosmosDB."""

    services: Services
    settings: Settings

    def check(self, binding: Binding) -> None:
        """Raise FunctionInError for a binding that cannot work."""
        if "collectionName" in binding.properties:
            raise FunctionInError(
                "collectionName and connectionStringSetting belong to version 3 of the Cosmos DB extension, which "
                "bundle 4 does not have: use container_name and connection."
            )
        cosmos_connection(self.settings, binding.text("connection"))
        if binding.text("id") and binding.text("sqlQuery"):
            raise FunctionInError("Give a Cosmos DB input binding either id or sqlQuery, not both.")

    async def read(self, binding: Binding, data: BindingData, kind: ParameterType) -> Datum:
        """The item, null when there is none; or the results of the query, all items without one."""
        _, container = self._container(binding, data)
        key = binding.text("partitionKey")
        partition_key = [data.resolve(key)] if key else None
        if item_id := binding.text("id"):
            return Datum(json.dumps(await _item(container, data.resolve(item_id), partition_key)), "string")
        text, parameters = data.query(binding.text("sqlQuery") or EVERYTHING)
        found = await run_query(container, text, parameters, partition_key)
        return Datum(json.dumps(found), "string")

    async def write(self, binding: Binding, value: Datum, data: BindingData) -> None:
        """Upsert the item or items, one after the other."""
        account, container = self._container(binding, data)
        for document in documents_of(value):
            try:
                await container.upsert(document)
            except CosmosRefused as refused:
                if refused.status != NOT_FOUND or binding.properties.get("createIfNotExists") is not True:
                    raise
                await self._create(account, container, binding, data)
                await container.upsert(document)

    def _container(self, binding: Binding, data: BindingData) -> tuple[CosmosAccount, CosmosContainer]:
        account = self.services.cosmos(cosmos_connection(self.settings, binding.text("connection")))
        database, container = data.resolve(binding.text("databaseName")), data.resolve(binding.text("containerName"))
        return account, account.container(database, container)

    async def _create(
        self, account: CosmosAccount, container: CosmosContainer, binding: Binding, data: BindingData
    ) -> None:
        path = data.resolve(binding.text("partitionKey"))
        if not path:
            raise ValueError(
                f"The container '{container.name}' does not exist; createIfNotExists needs a partitionKey to make it."
            )
        throughput = int(binding.properties.get("containerThroughput") or 0)
        await account.create_container(container.database, container.name, path, throughput=throughput)


async def _item(container: CosmosContainer, item_id: str, key: list[Any] | None) -> Any:
    try:
        if key is None:  # PartitionKey.None: the item has no value where the key is
            key = [{} for _ in (await container.describe()).partition_key_paths]
        return await container.read(item_id, key)
    except CosmosRefused as refused:
        if refused.status != NOT_FOUND:
            raise
        return None
