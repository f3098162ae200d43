"""The queue trigger: a function that runs on each message of a storage queue."""

from __future__ import annotations

from typing import Any

from emulators.base.clock import Clock
from emulators.functions_host.connections import StorageConnection, storage_connection
from emulators.functions_host.console import Console
from emulators.functions_host.converters import Datum
from emulators.functions_host.errors import FunctionInError
from emulators.functions_host.index import Binding, Function
from emulators.functions_host.invocation import Call, Invoker
from emulators.functions_host.listeners import ListenerUnavailable
from emulators.functions_host.services import Services
from emulators.functions_host.settings import Settings
from emulators.functions_host.triggers.queue_options import QueueOptions
from emulators.functions_host.triggers.queue_poller import POISON, Message, QueuePoller

TYPE = "queuetrigger"


def check(binding: Binding, settings: Settings) -> StorageConnection:
    """The account of a queue trigger. Raises FunctionInError for one that cannot work."""
    if not binding.text("queueName"):
        raise FunctionInError("The queue trigger has no queueName.")
    return storage_connection(settings, binding.text("connection"))


class QueueListener:
    """Listens to one function's queue."""

    def __init__(
        self,
        function: Function,
        connection: StorageConnection,
        options: QueueOptions,
        services: Services,
        invoker: Invoker,
        clock: Clock,
        console: Console,
    ) -> None:
        self.function = function
        self._name = function.trigger.text("queueName").lower()
        self._connection = connection
        self._options = options
        self._services = services
        self._invoker = invoker
        self._clock = clock
        self._console = console

    async def start(self) -> None:
        """Ask the account for the queue, which need not exist. Raises ListenerUnavailable; may be called again."""
        await self._services.import_storage()
        await reach(self._queue(self._name).get_queue_properties, self._name)

    async def run(self) -> None:
        """Invoke the function until cancelled."""
        poison = None if self._name.endswith(POISON) else self._queue(self._name + POISON)
        queue = self._queue(self._name)
        await QueuePoller(queue, poison, self._options, self._handle, self._clock, self._console).run()

    async def _handle(self, message: Message) -> bool:
        outcome = await self._invoker.invoke(self.function, self._call(message))
        return outcome.failure is None

    def _call(self, message: Message) -> Call:
        raw = message.raw
        data = {
            "Id": raw.id,
            "DequeueCount": raw.dequeue_count,
            "ExpirationTime": _moment(raw.expires_on),
            "InsertionTime": _moment(raw.inserted_on),
            "NextVisibleTime": _moment(raw.next_visible_on),
            "PopReceipt": raw.pop_receipt,
        }
        details = {
            "MessageId": raw.id,
            "DequeueCount": str(raw.dequeue_count),
            "InsertedOn": raw.inserted_on.isoformat(),
        }
        return self.call(message.body, data, details)

    def call(self, body: bytes, data: dict[str, Any] | None = None, details: dict[str, str] | None = None) -> Call:
        """What a message asks of the function; one that is sent by hand has no id and no times."""
        text = body.decode("utf-8", "replace")
        is_binary = self.function.trigger.text("dataType").upper() == "BINARY"
        given = {name: value for name, value in (data or {}).items() if value is not None}
        return Call(
            Datum(body, "bytes") if is_binary else Datum(text, "string"),
            reason=f"New queue message detected on '{self._name}'.",
            metadata={
                name: Datum(value, "int") if isinstance(value, int) else Datum(value, "string")
                for name, value in given.items()
            },
            details=details or {},
            data={"queueTrigger": text, **given},
        )

    def _queue(self, name: str) -> Any:
        return self._services.storage("queue", self._connection).get_queue_client(name)


def _moment(moment: Any) -> str | None:
    return None if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%S+00:00")


async def reach(ask: Any, what: str) -> None:
    """Call `ask` to see whether the account answers; that it has no such thing is an answer. ListenerUnavailable."""
    from azure.core.exceptions import AzureError, ResourceNotFoundError

    try:
        await ask(retry_total=0)
    except ResourceNotFoundError:
        return
    except AzureError as failure:
        first_line = str(failure).split("\n", 1)[0]
        raise ListenerUnavailable(f"The storage account of '{what}' does not answer: {first_line}") from failure
