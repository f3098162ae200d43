"""Speaks to the order service over HTTP as a consumer would: commands, queries, and waiting for the read side.

Used by demo, replay and seed. It knows the service's contract (DESIGN 3), none of its code.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

BUSY = (429, 503)
"""The service asks to come again, with the same Idempotency-Key."""
RETRIES_MAX = 60
RETRY_SECONDS_MAX = 2.0
VISIBLE_POLL_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class Answer:
    """What the service said to one request."""

    status: int
    headers: Mapping[str, str]
    body: Any


@dataclass(frozen=True, slots=True)
class Side:
    """Where a side of the service answers, and the function key that it wants."""

    url: str
    key: str | None = None


class OrderService:
    """The service at `url`, its queries at `views` if they have their own app. Use as an async context manager."""

    def __init__(
        self,
        url: str,
        *,
        key: str | None = None,
        views: Side | None = None,
        trusted: ssl.SSLContext | None = None,
        connections: int = 64,
    ):
        self._commands, self._views = Side(url, key), views or Side(url, key)
        connector = aiohttp.TCPConnector(limit=connections, ssl=trusted or True)
        self._session = aiohttp.ClientSession(connector=connector)
        self.retries = 0

    async def __aenter__(self) -> OrderService:
        return self

    async def __aexit__(self, *failure: object) -> None:
        await self._session.close()

    async def update(
        self, order_id: str, status: str, *, idempotency_key: str | None = None, if_match: str | None = None
    ) -> Answer:
        """Command a status; a busy or unreachable service is asked again with the same key, so many times at most."""
        condition = {"if-match": if_match} if if_match else {}
        headers = {**condition, **({"idempotency-key": idempotency_key} if idempotency_key else {})}
        for attempt in range(RETRIES_MAX):
            try:
                answer = await self.request(
                    "POST", "/api/UpdateOrderStatus", json={"orderId": order_id, "status": status}, headers=headers
                )
            except aiohttp.ClientConnectionError:
                if not idempotency_key or attempt == RETRIES_MAX - 1:
                    raise
                wait = RETRY_SECONDS_MAX
            else:
                if answer.status not in BUSY or attempt == RETRIES_MAX - 1:
                    return answer
                headers = {**condition, "idempotency-key": answer.headers.get("Idempotency-Key", idempotency_key or "")}
                wait = min(float(answer.headers.get("Retry-After", "1")), RETRY_SECONDS_MAX)
            self.retries += 1
            await asyncio.sleep(wait)
        raise AssertionError("unreachable")

    async def get(self, order_id: str) -> Answer:
        """The read side's view of an order."""
        return await self.request("GET", f"/api/orders/{order_id}")

    async def visible(self, order_id: str, version: int, *, seconds_max: float) -> float | None:
        """Seconds until the read side shows at least `version`, or None when it does not within `seconds_max`.

        A service that cannot be reached does not show it yet.
        """
        began = time.perf_counter()
        while time.perf_counter() - began < seconds_max:
            with contextlib.suppress(aiohttp.ClientConnectionError):
                answer = await self.get(order_id)
                if answer.status == 200 and answer.body["version"] >= version:
                    return time.perf_counter() - began
            await asyncio.sleep(VISIBLE_POLL_SECONDS)
        return None

    async def request(self, method: str, path: str, **options: Any) -> Answer:
        """One request as it is, queries to where views are; the body parsed when it is JSON."""
        side = self._views if method == "GET" else self._commands
        headers = {**({"x-functions-key": side.key} if side.key else {}), **options.pop("headers", {})}
        async with self._session.request(method, side.url + path, headers=headers, **options) as answer:
            is_json = "json" in answer.headers.get("content-type", "")
            body = await answer.json(content_type=None) if is_json else await answer.text()
            return Answer(answer.status, answer.headers, body)
