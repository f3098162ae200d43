"""The extension bundle: the triggers and bindings of Cosmos DB, Event Grid and storage, as the host plugs them in.

The tables of binding types are here: a new binding is a row and a module in bindings/ or triggers/.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from emulators.base.clock import Clock
from emulators.base.ids import Ids
from emulators.functions_host.connector import Connectors
from emulators.functions_host.console import Console
from emulators.functions_host.index import Function
from emulators.functions_host.invocation import Call, Invoker
from emulators.functions_host.listeners import Listener
from emulators.functions_host.registry import Registry
from emulators.functions_host.services import Services
from emulators.functions_host.settings import Settings
from emulators.functions_host.triggers import cosmosdb


def connectors(services: Services, settings: Settings) -> Connectors:
    """Who reads and writes which binding type."""
    return Connectors({}, {})


@dataclass(frozen=True)
class Sources:
    """Makes the listeners of the bundle's triggers."""

    services: Services
    invoker: Invoker
    clock: Clock
    ids: Ids
    console: Console

    def listeners(self, registry: Registry) -> Mapping[str, Listener]:
        """A listener for each function that needs one, by the function's name."""
        found: dict[str, Listener] = {}
        for function in registry.functions:
            if function.error is None and function.name in registry.feeds:
                found[function.name] = cosmosdb.CosmosListener(
                    function,
                    registry.feeds[function.name],
                    self.services,
                    self.invoker,
                    self.clock,
                    self.ids,
                    self.console,
                )
        return found


def manual_calls(listeners: Mapping[str, Listener]) -> dict[str, Callable[[Function, str], Call]]:
    """How the text of `input` (POST /admin/functions/NAME) becomes a call, by trigger type."""

    def changes(function: Function, text: str) -> Call:
        listener = listeners[function.name]
        assert isinstance(listener, cosmosdb.CosmosListener)
        documents = json.loads(text)
        if not isinstance(documents, list):
            raise ValueError("input must be an array of documents as JSON text")  # noqa: TRY004 - one kind of refusal
        return listener.call(documents)

    return {cosmosdb.TYPE: changes}
