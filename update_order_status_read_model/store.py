"""One generation of the read container: views and histories. The only room that asks Cosmos DB for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from azure.cosmos.aio import ContainerProxy
from azure.cosmos.exceptions import CosmosBatchOperationError

from order_events import OrderStatus, format_moment
from update_order_status_read_model.documents import history_document, read_history, read_view, view_document
from update_order_status_read_model.errors import translated_store_errors
from update_order_status_read_model.point_reads import read_point
from update_order_status_read_model.projector import HistoryEntry, OrderView

COUNT_QUERY = "SELECT VALUE COUNT(1) FROM c WHERE c.type = 'view' AND c.status = @status"
NEWEST_QUERY = "SELECT TOP 1 c.updatedAt, c.projectedAt FROM c WHERE c.type = 'view' ORDER BY c.updatedAt DESC"
IF_A_VIEW = "FROM c WHERE c.type = 'view'"
IMMUTABLE = {"id", "orderId", "type"}
"""Members of a view that no event changes."""
HISTORY_QUERY = "SELECT TOP @count * FROM c WHERE c.type = 'history' AND c.version > @after ORDER BY c.version"


@dataclass(frozen=True, slots=True)
class Stored:
    """A view and the ETag under which it may be replaced."""

    view: OrderView
    etag: str


@dataclass(frozen=True, slots=True)
class PageKey:
    """Where a page of the list ended."""

    updated_at: str
    order_id: str


@dataclass(frozen=True, slots=True)
class ListFilter:
    """Which orders are listed."""

    status: OrderStatus | None = None
    updated_since: datetime | None = None


class ViewStore:
    """Reads and saves what one generation of the read container holds."""

    def __init__(self, container: ContainerProxy, now: Callable[[], datetime]) -> None:
        self._container = container
        self._now = now

    async def get(self, order_id: str) -> Stored | None:
        """The order's view, tombstones included, or None."""
        document = await read_point(self._container, order_id, order_id)
        if document is None:
            return None
        return Stored(read_view(document), document["_etag"])

    async def save(self, view: OrderView, entries: Sequence[HistoryEntry], replacing: Stored | None) -> bool:
        """Write view and entries, all or nothing. False: the view is no longer `replacing`, nothing was written."""
        document = view_document(view, self._now())
        write_view: tuple[Any, ...]
        if replacing is None:
            write_view = ("create", (document,))
        else:
            write_view = ("replace", (view.order_id, document), {"if_match_etag": replacing.etag})
        return await self._execute(view.order_id, write_view, entries)

    async def advance(self, view: OrderView, entries: Sequence[HistoryEntry]) -> bool:
        """Write view and entries over an older view, in a single call. False: there is no such view, nothing was done.

        The condition is the version gate itself, so no ETag and no look beforehand are needed. It says nothing of why
        it does not hold (no view yet, a newer one, a tombstone): whoever wants to know has to look.
        """
        document = view_document(view, self._now())
        changes = [{"op": "set", "path": f"/{name}", "value": document[name]} for name in document.keys() - IMMUTABLE]
        older = f"{IF_A_VIEW} AND c.version < {view.version:d}"
        write_view = ("patch", (view.order_id, changes), {"filter_predicate": older})
        return await self._execute(view.order_id, write_view, entries)

    async def save_entries(self, order_id: str, entries: Sequence[HistoryEntry]) -> bool:
        """Write steps of the history alone. False: the order has no view, or is erased; nothing was written.

        The view is written as it is, on condition that it is one: whoever erases the order meanwhile must not be left
        with the history of it.
        """
        touch = [{"op": "set", "path": "/type", "value": "view"}]
        return await self._execute(order_id, ("patch", (order_id, touch), {"filter_predicate": IF_A_VIEW}), entries)

    async def _execute(self, order_id: str, gate: tuple[Any, ...], entries: Sequence[HistoryEntry]) -> bool:
        """Write `entries` if `gate`, the write to the view, passes."""
        # Made anew for each attempt: azure-cosmos takes the condition out of the caller's own list while formatting it.
        batch = [gate, *(("upsert", (history_document(entry),)) for entry in entries)]
        try:
            with translated_store_errors():
                await self._container.execute_item_batch(batch, partition_key=order_id)
        except CosmosBatchOperationError as failure:
            if (failure.error_index, failure.status_code) in ((0, 404), (0, 409), (0, 412)):
                return False
            raise
        return True

    async def list_views(self, which: ListFilter, after: PageKey | None, count_max: int) -> list[OrderView]:
        """Up to `count_max` views, latest change first, beginning after `after`.

        By key and not by the service's continuation: the Python SDK has none for a sorted query over partitions.
        """
        conditions, parameters = ["c.type = 'view'"], [{"name": "@count", "value": count_max}]

        def condition(text: str, **values: str) -> None:
            conditions.append(text)
            parameters.extend({"name": f"@{name}", "value": value} for name, value in values.items())

        if which.status is not None:
            condition("c.status = @status", status=which.status.value)
        if which.updated_since is not None:
            condition("c.updatedAt >= @since", since=format_moment(which.updated_since))
        if after is not None:
            condition(
                "(c.updatedAt < @at OR (c.updatedAt = @at AND c.orderId < @id))", at=after.updated_at, id=after.order_id
            )
        query = f"SELECT TOP @count * FROM c WHERE {' AND '.join(conditions)} ORDER BY c.updatedAt DESC, c.orderId DESC"  # noqa: S608 - only the constants above
        return [read_view(document) for document in await self._query(query, parameters, count_max)]

    async def list_history(self, order_id: str, after_version: int, count_max: int) -> list[HistoryEntry]:
        """Up to `count_max` steps of one order after `after_version`, oldest first."""
        parameters = [{"name": "@count", "value": count_max}, {"name": "@after", "value": after_version}]
        found = await self._query(HISTORY_QUERY, parameters, count_max, partition_key=order_id)
        return [read_history(document) for document in found]

    async def count(self, status: OrderStatus) -> int:
        """How many orders have `status`."""
        (found,) = await self._query(COUNT_QUERY, [{"name": "@status", "value": status.value}], 1)
        return int(found)

    async def newest(self) -> Mapping[str, str] | None:
        """When the order that changed last did so, and when that was projected."""
        found = await self._query(NEWEST_QUERY, [], 1)
        return found[0] if found else None

    async def _query(self, query: str, parameters: list[dict[str, Any]], count_max: int, **options: Any) -> list[Any]:
        with translated_store_errors():
            found = self._container.query_items(query, parameters=parameters, max_item_count=count_max, **options)
            return [document async for document in found]
