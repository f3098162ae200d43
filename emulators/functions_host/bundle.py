"""The extension bundle: the triggers and bindings of Cosmos DB, Event Grid and storage, as the host plugs them in.

The tables of binding types are here: a new binding is a row and a module in bindings/ or triggers/.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from emulators.base.clock import Clock
from emulators.base.ids import Ids
from emulators.base.serving import Request, Response
from emulators.functions_host.admin import MakeCall
from emulators.functions_host.bindings import blob, eventgrid, queue, table
from emulators.functions_host.bindings import cosmosdb as cosmos_binding
from emulators.functions_host.connector import Connectors
from emulators.functions_host.console import Console
from emulators.functions_host.index import Function
from emulators.functions_host.invocation import Call, Invoker
from emulators.functions_host.listeners import Listener
from emulators.functions_host.registry import Registry
from emulators.functions_host.services import Services
from emulators.functions_host.settings import Configuration, Settings
from emulators.functions_host.triggers import blob as blob_trigger
from emulators.functions_host.triggers import cosmosdb
from emulators.functions_host.triggers import eventgrid as eventgrid_trigger
from emulators.functions_host.triggers import queue as queue_trigger
from emulators.functions_host.triggers.blob import BlobListener, BlobWork
from emulators.functions_host.triggers.cosmosdb import CosmosListener
from emulators.functions_host.triggers.queue import QueueListener
from emulators.functions_host.triggers.queue_options import blob_queue_options, queue_options


def connectors(
    services: Services, settings: Settings, configuration: Configuration, clock: Clock, ids: Ids
) -> Connectors:
    """Who reads and writes which binding type."""
    items = cosmos_binding.CosmosBinding(services, settings)
    blobs = blob.BlobBinding(services, settings)
    tables = table.TableBinding(services, settings)
    return Connectors(
        {cosmos_binding.TYPE: items, blob.TYPE: blobs, table.TYPE: tables},
        {
            cosmos_binding.TYPE: items,
            blob.TYPE: blobs,
            table.TYPE: tables,
            queue.TYPE: queue.QueueBinding(services, settings, queue_options(configuration).encodes),
            eventgrid.TYPE: eventgrid.EventGridBinding(services, settings),
        },
        clock,
        ids,
    )


class Sources:
    """The listeners of the bundle's triggers, by function."""

    def __init__(
        self,
        registry: Registry,
        services: Services,
        invoker: Invoker,
        settings: Settings,
        configuration: Configuration,
        clock: Clock,
        ids: Ids,
        console: Console,
        host_id: str,
    ) -> None:
        options = queue_options(configuration)
        work = BlobWork(settings, blob_queue_options(configuration), services, clock, console, host_id)
        sound = [each for each in registry.functions if each.error is None]
        self._feeds = {
            each.name: CosmosListener(each, registry.feeds[each.name], services, invoker, clock, ids, console)
            for each in sound
            if each.name in registry.feeds
        }
        self._queues = {
            each.name: QueueListener(each, registry.queues[each.name], options, services, invoker, clock, console)
            for each in sound
            if each.name in registry.queues
        }
        self._blobs = {
            each.name: BlobListener(each, registry.blobs[each.name], services, invoker, clock, console, host_id, work)
            for each in sound
            if each.name in registry.blobs
        }

    @property
    def listeners(self) -> list[Listener]:
        """All of them."""
        return [*self._feeds.values(), *self._queues.values(), *self._blobs.values()]

    async def blob_webhook(self, request: Request, name: str) -> Response:
        """The answer to Event Grid, which tells `Host.Functions.NAME` of blobs."""
        found = self._blobs.get(name.removeprefix("Host.Functions."))
        if found is None or not found.by_event or not found.function.runs:
            return eventgrid_trigger.unknown_function(name)

        async def notify(events: list[Any]) -> Response:
            for each in events:
                await found.notice_event(each)
            return Response(202)

        return await eventgrid_trigger.answer(request, notify)

    def blob_call(self, name: str, path: str, content: bytes) -> tuple[Function, Call]:
        """A blob-triggered function and its call for a blob that need not exist. Raises ValueError."""
        found = self._blobs.get(name)
        if found is None:
            raise ValueError(f"There is no function '{name}' with a blob trigger that works.")
        return found.function, found.call_for(path, content)

    def manual_calls(self) -> dict[str, MakeCall]:
        """How the text of `input` (POST /admin/functions/NAME) becomes a call, by trigger type."""

        async def changes(function: Function, text: str) -> Call:
            documents = json.loads(text)
            if not isinstance(documents, list):
                raise ValueError("input must be an array of documents as JSON text")  # noqa: TRY004 - one refusal
            return self._feeds[function.name].call(documents)

        async def message(function: Function, text: str) -> Call:
            return self._queues[function.name].call(text.encode())

        async def blob_path(function: Function, text: str) -> Call:
            return await self._blobs[function.name].call_for_path(text)

        return {cosmosdb.TYPE: changes, queue_trigger.TYPE: message, blob_trigger.TYPE: blob_path}


def warnings(functions: Iterable[Function]) -> Iterator[str]:
    """What options the bundle does not heed, by name. Pure."""
    for function in functions:
        for binding in function.bindings:
            if function.runs and (ignored := binding.text("preferredLocations")):
                yield (
                    f"'{function.name}': preferredLocations '{ignored}' of '{binding.name}' is not heeded by this host."
                )
            if function.runs and table.is_single(binding):
                yield (
                    f"'{function.name}': rowKey of '{binding.name}' has no effect, here and on Azure: Python gets all "
                    "entities of the partition, as an array. Use filter=\"RowKey eq '{...}'\" to get one."
                )
