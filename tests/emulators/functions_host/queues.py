"""Storage queues as tests use them: put, look, wait."""

from __future__ import annotations

from typing import Any

from azure.core.exceptions import ResourceNotFoundError
from azure.storage.queue import QueueClient, TextBase64DecodePolicy, TextBase64EncodePolicy


class Queues:
    """Queues of the account, encoded as the trigger expects."""

    def __init__(self, connection: str) -> None:
        self._connection = connection

    def queue(self, name: str, *, encodes: bool = True) -> QueueClient:
        """A queue's client."""
        policies: dict[str, Any] = {}
        if encodes:
            policies = {
                "message_encode_policy": TextBase64EncodePolicy(),
                "message_decode_policy": TextBase64DecodePolicy(),
            }
        return QueueClient.from_connection_string(self._connection, name, **policies)

    def send(self, name: str, text: str, *, encodes: bool = True) -> None:
        """Put a message, into a queue that is made for it."""
        with self.queue(name, encodes=encodes) as queue:
            try:
                queue.send_message(text)
            except ResourceNotFoundError:
                queue.create_queue()
                queue.send_message(text)

    def all(self, name: str) -> list[str]:
        """The messages in a queue, none when there is no such queue."""
        with self.queue(name) as queue:
            try:
                return [each.content for each in queue.peek_messages(32)]
            except ResourceNotFoundError:
                return []

    def until(self, name: str, count: int) -> list[str]:
        """The messages in a queue, once there are so many."""
        for _ in range(1000):
            if len(found := self.all(name)) >= count:
                return found
        raise AssertionError(f"{name} has {found}")

    def count(self, name: str) -> int:
        """How many messages a queue has, hidden ones too."""
        with self.queue(name) as queue:
            return int(queue.get_queue_properties().approximate_message_count or 0)
