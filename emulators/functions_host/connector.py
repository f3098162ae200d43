"""Input and output bindings by type: who reads or writes them, and what is not built.

A binding type that no row names puts its function in error (501 by name); the other functions run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from emulators.base.clock import Clock
from emulators.base.ids import Ids
from emulators.functions_host.bindings.expressions import BindingData, binding_data
from emulators.functions_host.converters import Datum
from emulators.functions_host.errors import FunctionInError, NotBuilt
from emulators.functions_host.index import Binding, Function
from emulators.functions_host.invocation import Call
from emulators.functions_host.logs import outside_invocations
from emulators.functions_host.signature import ParameterType


class Reader(Protocol):
    """Reads input bindings of one type."""

    def check(self, binding: Binding) -> None:
        """Raise FunctionInError for a binding that cannot work."""

    async def read(self, binding: Binding, data: BindingData, kind: ParameterType) -> Datum:
        """The value."""


class Writer(Protocol):
    """Writes output bindings of one type."""

    def check(self, binding: Binding) -> None:
        """Raise FunctionInError for a binding that cannot work."""

    async def write(self, binding: Binding, value: Datum, data: BindingData) -> None:
        """Write what a function set."""


@dataclass(frozen=True)
class Connectors:
    """Readers and writers by lower-case binding type."""

    readers: Mapping[str, Reader]
    writers: Mapping[str, Writer]
    clock: Clock
    ids: Ids

    async def read(self, function: Function, binding: Binding, call: Call) -> Datum:
        """The value of an input binding."""
        data = binding_data(function.name, call, self.clock, self.ids)
        kind = function.signature.inputs[binding.name]
        with outside_invocations():
            return await self.readers[binding.type.lower()].read(binding, data, kind)

    async def write(self, function: Function, binding: Binding, value: Datum, call: Call) -> None:
        """Write what a function set."""
        data = binding_data(function.name, call, self.clock, self.ids)
        with outside_invocations():
            await self.writers[binding.type.lower()].write(binding, value, data)

    def check(self, function: Function) -> None:
        """Raise NotBuilt for a binding that is not built, FunctionInError for one that cannot work."""
        for binding in function.input_bindings:
            reader = self.readers.get(binding.type.lower())
            if reader is None:
                raise _not_built(binding, "input")
            if not function.signature.inputs[binding.name].deferred:  # a client is made, or fails, at each run
                reader.check(binding)
        for binding in function.output_bindings:
            writer = self.writers.get(binding.type.lower())
            if writer is None:
                raise _not_built(binding, "output")
            writer.check(binding)


def _not_built(binding: Binding, side: str) -> FunctionInError:
    return NotBuilt(f"the {side} binding type '{binding.type}' (parameter '{binding.name}')")
