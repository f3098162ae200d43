"""The questions the read side answers. Knows neither HTTP nor Cosmos DB: the stores stand for those."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain, repeat
from typing import Literal

from order_events import OrderStatus, format_moment
from order_telemetry import Telemetry
from order_telemetry.signals import ORDER_READS
from update_order_status_read_model.errors import NOT_FOUND, NOT_YET, Refused
from update_order_status_read_model.fallback import WriteSideFallback
from update_order_status_read_model.generations import GenerationPointer
from update_order_status_read_model.limits import RETRY_AFTER_SECONDS, WAIT_STEPS_SECONDS
from update_order_status_read_model.models import (
    HistoryStep,
    OrderBody,
    OrderHistory,
    OrderPage,
    OrderSummary,
    ProjectionLag,
)
from update_order_status_read_model.paging import read_token, sign_token
from update_order_status_read_model.projector import OrderView
from update_order_status_read_model.store import ListFilter, PageKey, ViewStore

Source = Literal["read", "write"]


@dataclass(frozen=True, slots=True)
class Found:
    """An order and which side it was read from."""

    view: OrderView
    source: Source


@dataclass(frozen=True, slots=True)
class Queries:
    """Answers queries from the generation that is read."""

    pointer: GenerationPointer
    stores: Mapping[int, ViewStore]
    fallback: WriteSideFallback | None
    token_secret: bytes
    now: Callable[[], datetime]
    sleep: Callable[[float], Awaitable[None]]
    telemetry: Telemetry

    async def get_order(self, order_id: str, version_min: int = 0, wait_seconds: float = 0.0) -> Found:
        """The order at `version_min` or later, waiting for it up to `wait_seconds`. Raises Refused."""
        deadline = self.now() + timedelta(seconds=wait_seconds)
        for pause_seconds in chain(WAIT_STEPS_SECONDS, repeat(WAIT_STEPS_SECONDS[-1])):
            store = await self._store()  # asked for at each look: a rebuild may switch generations meanwhile
            stored = await store.get(order_id)
            view = stored.view if stored else None
            if view is not None and (view.erased or view.version >= version_min):
                return self._found(view, "read")
            left_seconds = (deadline - self.now()).total_seconds()
            if left_seconds <= 0:
                break
            await self.sleep(min(pause_seconds, left_seconds))
        if version_min == 0:
            raise Refused(NOT_FOUND, f"The read side knows no order {order_id}.")
        if self.fallback is not None:
            view = await self.fallback.get(order_id)
            if view is not None and (view.erased or view.version >= version_min):
                return self._found(view, "write")
        self.telemetry.add(ORDER_READS, 1, {"source": "late"})
        raise Refused(
            NOT_YET,
            f"Version {version_min} of the order has not been seen here.",
            retry_after_seconds=RETRY_AFTER_SECONDS,
        )

    def _found(self, view: OrderView, source: Source) -> Found:
        if view.erased:
            raise Refused(NOT_FOUND, f"The order {view.order_id} has been erased.")
        self.telemetry.add(ORDER_READS, 1, {"source": source})
        return Found(view, source)

    async def list_orders(self, which: ListFilter, count_max: int, token: str | None) -> OrderPage:
        """A page of orders. Raises TokenRefused."""
        query = {"list": "orders", "status": which.status or "", "since": _text(which.updated_since)}
        after = None
        if token is not None:
            key = read_token(self.token_secret, query, token)
            after = PageKey(str(key["at"]), str(key["id"]))
        views = await (await self._store()).list_views(which, after, count_max + 1)
        page, more = views[:count_max], len(views) > count_max
        following = None
        if more:
            end = {"at": format_moment(page[-1].updated_at), "id": page[-1].order_id}
            following = sign_token(self.token_secret, query, end)
        return OrderPage(orders=[OrderBody.of(view) for view in page], continuation_token=following)

    async def get_history(self, order_id: str, count_max: int, token: str | None) -> OrderHistory:
        """A page of an order's steps. Raises Refused or TokenRefused."""
        query = {"list": "history", "order": order_id}
        after = 0 if token is None else int(read_token(self.token_secret, query, token)["version"])
        entries = await (await self._store()).list_history(order_id, after, count_max + 1)
        if not entries and token is None:
            raise Refused(NOT_FOUND, f"The read side knows no order {order_id}.")
        page, more = entries[:count_max], len(entries) > count_max
        return OrderHistory(
            order_id=order_id,
            steps=[HistoryStep.of(entry) for entry in page],
            continuation_token=sign_token(self.token_secret, query, {"version": page[-1].version}) if more else None,
        )

    async def get_summary(self) -> OrderSummary:
        """Orders per status, and how far behind the projection is."""
        store = await self._store()
        newest = await store.newest()
        counts = await asyncio.gather(*(store.count(status) for status in OrderStatus))
        by_status = dict(zip(OrderStatus, counts, strict=True))
        return OrderSummary(counts=by_status, total=sum(counts), projection_lag=_lag(newest))

    async def _store(self) -> ViewStore:
        return self.stores[(await self.pointer.get()).read]


def _lag(newest: Mapping[str, str] | None) -> ProjectionLag | None:
    if newest is None:
        return None
    event_at, projected_at = (datetime.fromisoformat(newest[name]) for name in ("updatedAt", "projectedAt"))
    seconds = max(0.0, (projected_at - event_at).total_seconds())
    return ProjectionLag(seconds=seconds, last_event_at=event_at, last_projected_at=projected_at)


def _text(moment: datetime | None) -> str:
    return format_moment(moment) if moment else ""
