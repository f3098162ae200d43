"""SDK clients for parameters of SDK-type bindings: the same one each time for the same resource of the same parameter.

The worker keeps every client for its life (bindings/meta.py, deferred_bindings_decode); here those used last are kept.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from emulators.functions_host.converters import Datum, sdk_converter
from emulators.functions_host.limits import SDK_CLIENTS_MAX
from emulators.functions_host.signature import ParameterType


class SdkClients:
    """Makes clients, and remembers them."""

    def __init__(self) -> None:
        self._clients: OrderedDict[tuple[str, str, Any, str], Any] = OrderedDict()

    def decode(
        self, function: str, parameter: str, kind: ParameterType, datum: Datum, metadata: Mapping[str, Datum]
    ) -> Any:
        """The client for a datum that names a resource. Raises what the bindings library raises."""
        key = (function, parameter, kind.python_type, datum.value.content)
        client = self._clients.pop(key, None)
        if client is None:
            library = sdk_converter(kind.binding_type, kind.python_type)
            client = library.decode(datum, trigger_metadata=metadata, pytype=kind.python_type)
        if hasattr(client, "readall"):
            return client  # a stream is read once
        self._clients[key] = client
        if len(self._clients) > SDK_CLIENTS_MAX:
            self._clients.popitem(last=False)
        return client
