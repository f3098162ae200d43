"""Table bindings: an entity, the entities of a partition or a filter, entities to insert.

An insert of an entity that exists fails the invocation: the extension inserts, it does not merge.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from emulators.functions_host.bindings.expressions import BindingData
from emulators.functions_host.bindings.payload import documents_of
from emulators.functions_host.connections import storage_connection
from emulators.functions_host.converters import Datum
from emulators.functions_host.errors import FunctionInError
from emulators.functions_host.index import Binding
from emulators.functions_host.limits import TABLE_ENTITIES_MAX
from emulators.functions_host.services import Services
from emulators.functions_host.settings import Settings
from emulators.functions_host.signature import ParameterType

TYPE = "table"


@dataclass(frozen=True)
class TableBinding:
    """Reads and inserts entities for bindings of type table."""

    services: Services
    settings: Settings

    def check(self, binding: Binding) -> None:
        """Raise FunctionInError for a binding that cannot work."""
        storage_connection(self.settings, binding.text("connection"))
        if binding.text("rowKey") and not binding.text("partitionKey"):
            raise FunctionInError("A table binding with rowKey needs partitionKey too.")

    async def read(self, binding: Binding, data: BindingData, kind: ParameterType) -> Datum:
        """An array of the entities that partitionKey, filter and take leave.

        rowKey does not matter: the extension reads the whole partition for every language but .NET.
        """
        from azure.core.exceptions import ResourceNotFoundError

        table = self._table(binding, data)
        partition = data.resolve(binding.text("partitionKey"))
        try:
            wanted = data.resolve(binding.text("filter"))
            text = f"({wanted})" if wanted else ""
            parameters = {"partition": partition} if partition else {}
            if partition:
                text = f"PartitionKey eq @partition and {text}" if text else "PartitionKey eq @partition"
            take = min(int(binding.properties.get("take") or TABLE_ENTITIES_MAX), TABLE_ENTITIES_MAX)
            found: list[dict[str, Any]] = []
            async for entity in table.query_entities(text, parameters=parameters):
                if len(found) == take:
                    break
                found.append(_plain(entity))
            return _json(found)
        except ResourceNotFoundError:
            return _json([])

    async def write(self, binding: Binding, value: Datum, data: BindingData) -> None:
        """Insert the entity or entities; the table is created when it does not exist."""
        from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError

        table = self._table(binding, data)
        keys = {"PartitionKey": binding.text("partitionKey"), "RowKey": binding.text("rowKey")}
        given = {name: data.resolve(text) for name, text in keys.items() if text}
        for document in documents_of(value):
            entity = {**given, **document}
            if missing := [name for name in keys if name not in entity]:
                raise ValueError(f"An entity of the table output lacks {missing}.")
            try:
                await table.create_entity(entity)
            except ResourceNotFoundError:
                with contextlib.suppress(ResourceExistsError):  # another function was faster
                    await table.create_table()
                await table.create_entity(entity)

    def _table(self, binding: Binding, data: BindingData) -> Any:
        connection = storage_connection(self.settings, binding.text("connection"))
        return self.services.storage("table", connection).get_table_client(data.resolve(binding.text("tableName")))


def is_single(binding: Binding) -> bool:
    """Whether this is an input that asks for one entity."""
    return binding.type.lower() == TYPE and binding.direction == "IN" and bool(binding.text("rowKey"))


def _plain(entity: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _scalar(value) for name, value in entity.items()}


def _scalar(value: Any) -> Any:
    """A property as JSON writes it; integers of 64 bits come as text, which .NET's JSON of entities does too."""
    match value:
        case datetime():
            return value.isoformat().replace("+00:00", "Z")
        case bytes():
            import base64

            return base64.b64encode(value).decode()
        case None | str() | bool() | int() | float():
            return value
    inner = getattr(value, "value", None)  # EntityProperty: (value, edm type)
    return str(value) if inner is None else str(inner)


def _json(value: object) -> Datum:
    return Datum(json.dumps(value), "string")
