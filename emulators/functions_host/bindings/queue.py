"""The queue output: messages put into a storage queue, which is created when it does not exist."""

from __future__ import annotations

import base64
import contextlib
import json
from dataclasses import dataclass
from typing import Any

from emulators.functions_host.bindings.expressions import BindingData
from emulators.functions_host.connections import storage_connection
from emulators.functions_host.converters import Datum
from emulators.functions_host.index import Binding
from emulators.functions_host.services import Services
from emulators.functions_host.settings import Settings

TYPE = "queue"


@dataclass(frozen=True)
class QueueBinding:
    """Sends for bindings of type queue. `encodes` is host.json's extensions.queues.messageEncoding."""

    services: Services
    settings: Settings
    encodes: bool

    def check(self, binding: Binding) -> None:
        """Raise FunctionInError for a binding that cannot work."""
        storage_connection(self.settings, binding.text("connection"))

    async def write(self, binding: Binding, value: Datum, data: BindingData) -> None:
        """One message a value, in order."""
        from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError

        connection = storage_connection(self.settings, binding.text("connection"))
        client = self.services.storage("queue", connection)
        queue = client.get_queue_client(data.resolve(binding.text("queueName")).lower())
        for body in messages_of(value):
            text = encoded(body, encodes=self.encodes)
            try:
                await queue.send_message(text)
            except ResourceNotFoundError:
                with contextlib.suppress(ResourceExistsError):  # another function was faster
                    await queue.create_queue()
                await queue.send_message(text)


def messages_of(value: Datum) -> list[bytes]:
    """The bodies to send: text and bytes are one message, an array is one each. Pure."""
    content: Any = value.value
    if value.type == "json" and isinstance(content, str):
        content = json.loads(content)
    items = content if isinstance(content, list) else [content]
    return [_body(each) for each in items]


def _body(item: Any) -> bytes:
    match item:
        case bytes():
            return item
        case str():
            return item.encode()
        case {"id": _, "body": str(text), **rest} if not rest:  # func.QueueMessage, as the library writes it
            return text.encode()
    return json.dumps(item, separators=(",", ":"), ensure_ascii=False).encode()


def encoded(body: bytes, *, encodes: bool) -> str:
    """A body as it lies in the queue. Raises ValueError for bytes that are not text, with messageEncoding none."""
    return base64.b64encode(body).decode() if encodes else body.decode()
