"""Polling a storage queue: batches, hiding what is handled, trying again, poison; the same for queue and blob triggers.

What the storage extension's QueueListener and QueueProcessor do. Knows no function: a message goes to a callback.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from emulators.base.clock import Clock
from emulators.functions_host.console import Console
from emulators.functions_host.limits import QUEUE_POLL_SECONDS_MIN, QUEUE_VISIBILITY_SECONDS
from emulators.functions_host.listeners import uninterrupted
from emulators.functions_host.triggers.queue_options import QueueOptions

POISON = "-poison"


@dataclass(frozen=True)
class Message:
    """A message that was got, decoded. `raw` is the SDK's, with ids and times."""

    body: bytes
    raw: Any


Handle = Callable[[Message], Awaitable[bool]]
"""Takes a message and says whether it was handled well."""


class QueuePoller:
    """Polls `queue` (an SDK client); what fails too often goes to `poison`, a client or None for no such queue."""

    def __init__(
        self, queue: Any, poison: Any, options: QueueOptions, handle: Handle, clock: Clock, console: Console
    ) -> None:
        self._queue = queue
        self._poison = poison
        self._options = options
        self._handle = handle
        self._clock = clock
        self._console = console
        self._running: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Poll until cancelled; messages that are being handled are finished first."""
        idle = QUEUE_POLL_SECONDS_MIN
        async with asyncio.TaskGroup() as group:
            while True:
                while len(self._running) > self._options.new_batch_threshold:
                    await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)
                messages = await self._receive()
                for each in messages:
                    task = group.create_task(uninterrupted(self._process(each)))
                    self._running.add(task)
                    task.add_done_callback(self._running.discard)
                if messages:
                    idle = QUEUE_POLL_SECONDS_MIN
                    continue
                await self._clock.sleep(idle)
                idle = min(idle * 2, self._options.poll_seconds_max)

    async def _receive(self) -> list[Any]:
        from azure.core.exceptions import AzureError, ResourceNotFoundError

        size = self._options.batch_size
        try:
            pages = self._queue.receive_messages(
                messages_per_page=size, max_messages=size, visibility_timeout=QUEUE_VISIBILITY_SECONDS
            )
            return [each async for each in pages]
        except ResourceNotFoundError:  # a queue that does not exist yet is an empty one
            return []
        except AzureError as failure:
            first_line = str(failure).split("\n", 1)[0]
            self._console.always(f"The queue '{self._queue.queue_name}' cannot be read: {first_line}", "warning")
            return []

    async def _process(self, raw: Any) -> None:
        """Handle one message and say so to the queue."""
        from azure.core.exceptions import AzureError, ResourceNotFoundError

        try:
            body = decoded(raw.content, encodes=self._options.encodes)
            if body is None:
                self._console.always(
                    f"Message {raw.id} of '{self._queue.queue_name}' is not base64. Send it encoded, or set "
                    'extensions.queues.messageEncoding to "none" in host.json.',
                    "error",
                )
                await self._give_up(raw, "cannot be decoded")
                return
            if raw.dequeue_count > self._options.dequeues_max:
                await self._give_up(raw, self._reached())
                return
            if await self._handle_hidden(Message(body, raw)):
                await self._queue.delete_message(raw)
            elif self._poison is not None and raw.dequeue_count >= self._options.dequeues_max:
                await self._give_up(raw, self._reached())
            elif self._poison is not None:
                await self._queue.update_message(raw, visibility_timeout=round(self._options.retry_visibility_seconds))
            # A poison queue's own messages stay hidden for a while: they would come again without end otherwise.
        except ResourceNotFoundError:
            self._console.system("warning", f"Message {raw.id} of '{self._queue.queue_name}' is gone.")
        except AzureError as failure:
            first_line = str(failure).split("\n", 1)[0]
            self._console.always(
                f"Message {raw.id} of '{self._queue.queue_name}' cannot be settled and will come again: {first_line}",
                "warning",
            )

    async def _handle_hidden(self, message: Message) -> bool:
        """Handle a message and keep it hidden meanwhile."""
        hiding = asyncio.create_task(self._keep_hidden(message.raw))
        try:
            return await self._handle(message)
        finally:
            hiding.cancel()
            await asyncio.gather(hiding, return_exceptions=True)

    async def _keep_hidden(self, raw: Any) -> None:
        while True:
            await self._clock.sleep(QUEUE_VISIBILITY_SECONDS / 2)
            renewed = await self._queue.update_message(raw, visibility_timeout=QUEUE_VISIBILITY_SECONDS)
            raw.pop_receipt = renewed.pop_receipt
            self._console.system("information", f"Message {raw.id} stays hidden for {QUEUE_VISIBILITY_SECONDS} s more.")

    async def _give_up(self, raw: Any, why: str) -> None:
        from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError

        if self._poison is None:
            return
        self._console.always(f"Message {why}. Moving message to queue '{self._poison.queue_name}'.", "warning")
        try:
            await self._poison.send_message(raw.content, time_to_live=-1)
        except ResourceNotFoundError:
            with contextlib.suppress(ResourceExistsError):  # another host was faster
                await self._poison.create_queue()
            await self._poison.send_message(raw.content, time_to_live=-1)
        await self._queue.delete_message(raw)

    def _reached(self) -> str:
        return f"has reached MaxDequeueCount of {self._options.dequeues_max}"


def decoded(content: str, *, encodes: bool) -> bytes | None:
    """A message's body from what lies in the queue; None for what is not base64 though it should be. Pure."""
    if not encodes:
        return content.encode()
    try:
        return base64.b64decode(content, validate=True)
    except ValueError:
        return None
