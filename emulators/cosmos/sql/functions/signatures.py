"""How a system function is declared: its name, what it takes, and what a wrong argument gives.

A signature is words: `number`, `integer` (whole, of 64 bits), `string`, `boolean`, `array`, `object`, `any` (any
defined value) or `maybe` (undefined too), each with `?` when it may be left out, the last with `+` when it repeats.
An argument of another type makes the call undefined; a wrong count is a refusal of the query (SC2050).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from emulators.cosmos.sql.errors import QueryUnservable
from emulators.cosmos.sql.limits import STEPS_PER_DOCUMENT_MAX
from emulators.cosmos.sql.shelves import MemoryShelf, Shelf
from emulators.cosmos.sql.values import UNDEFINED, Value, is_int64, is_number

Implementation = Callable[..., Value]

_KINDS: Mapping[str, Callable[[Value], bool]] = {
    "any": lambda value: value is not UNDEFINED,
    "maybe": lambda value: True,
    "number": is_number,
    "integer": is_int64,
    "string": lambda value: type(value) is str,
    "boolean": lambda value: type(value) is bool,
    "array": lambda value: type(value) is list,
    "object": lambda value: type(value) is dict,
}


@dataclass(frozen=True, slots=True)
class Function:
    """One system function. `implementation` gets checked arguments, after the context when `needs_context`."""

    name: str
    implementation: Implementation
    kinds: tuple[str, ...]
    arguments_min: int
    arguments_max: int | None
    needs_context: bool = False
    constant: bool = True
    """Whether equal arguments always give an equal result."""

    @property
    def arity(self) -> str:
        """What SC2050 says of the count of arguments."""
        if self.arguments_max is None:
            return f"at least {self.arguments_min}"
        if self.arguments_min == self.arguments_max:
            return str(self.arguments_min)
        return f"{self.arguments_min} to {self.arguments_max}"

    def takes(self, count: int) -> bool:
        """Whether a call may have that many arguments."""
        return self.arguments_min <= count and (self.arguments_max is None or count <= self.arguments_max)

    def checks(self, count: int) -> tuple[Callable[[Value], bool], ...]:
        """The type check of each of `count` arguments."""
        kinds = self.kinds[:count] + self.kinds[-1:] * (count - len(self.kinds))
        return tuple(_KINDS[kind] for kind in kinds)


class Registry(dict[str, Function]):
    """The functions of one module by upper-case name."""

    def __call__(
        self, name: str, signature: str = "", *, context: bool = False, constant: bool | None = None
    ) -> Callable[[Implementation], Implementation]:
        """Declare the decorated function as `name`."""
        words = signature.split()
        repeats = bool(words) and words[-1].endswith("+")
        required = sum(not word.endswith("?") for word in words)

        def declare(implementation: Implementation) -> Implementation:
            self[name.upper()] = Function(
                name,
                implementation,
                tuple(word.rstrip("?+") for word in words),
                required,
                None if repeats else len(words),
                context,
                not context if constant is None else constant,
            )
            return implementation

        return declare


@dataclass(slots=True)
class Context:
    """What a running query knows beside its documents: parameters, the time, chance and the container's policies."""

    parameters: Mapping[str, Value]
    ticks: Callable[[], int]
    """The time now, in 100 ns since 1970."""
    static_ticks: int
    """The time when the query began, for the …Static functions."""
    chance: Callable[[], float]
    user_function: Callable[[str, list[Value]], Value]
    """Calls a user-defined function by name; raises QueryUnbuilt or QueryUnservable."""
    vector_policy: Mapping[str, Mapping[str, Any]]
    """The container's vector embeddings by path."""
    planar: bool = False
    """Whether the container's geospatialConfig says Geometry and not Geography."""
    shelf: Callable[[], Shelf] = MemoryShelf
    """Makes a place for what memory should not hold."""
    steps: int = 0
    """Values that FROM clauses, nested ones too, have taken since the document was begun."""

    def begin(self) -> None:
        """Begin a document."""
        self.steps = 0

    def step(self) -> None:
        """Take one more value from a FROM clause. Raises QueryUnservable."""
        self.steps += 1
        if self.steps > STEPS_PER_DOCUMENT_MAX:
            raise QueryUnservable(
                f"The query takes more than {STEPS_PER_DOCUMENT_MAX} values of one document's arrays: filter in "
                "subqueries before joining."
            )
