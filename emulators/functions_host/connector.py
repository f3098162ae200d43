"""Input and output bindings by type: which module reads or writes which service, and what is not built.

A binding type that no row names puts its function in error (501 by name); the other functions run.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from emulators.functions_host.converters import Datum
from emulators.functions_host.errors import FunctionInError, NotBuilt
from emulators.functions_host.index import Binding, Function
from emulators.functions_host.invocation import Call

Reader = Callable[[Binding, Call], Awaitable[Datum]]
Writer = Callable[[Function, Binding, Datum, Call], Awaitable[None]]


@dataclass(frozen=True)
class Connectors:
    """Readers and writers by lower-case binding type."""

    readers: Mapping[str, Reader]
    writers: Mapping[str, Writer]

    async def read(self, binding: Binding, call: Call) -> Datum:
        """The value of an input binding."""
        return await self.readers[binding.type.lower()](binding, call)

    async def write(self, function: Function, binding: Binding, value: Datum, call: Call) -> None:
        """Write what a function set."""
        await self.writers[binding.type.lower()](function, binding, value, call)

    def check(self, function: Function) -> None:
        """Raise NotBuilt when the function has a binding that is not built."""
        for binding in function.input_bindings:
            if binding.type.lower() not in self.readers:
                raise _not_built(binding, "input")
        for binding in function.output_bindings:
            if binding.type.lower() not in self.writers:
                raise _not_built(binding, "output")


def _not_built(binding: Binding, side: str) -> FunctionInError:
    return NotBuilt(f"the {side} binding type '{binding.type}' (parameter '{binding.name}')")
