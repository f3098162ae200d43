"""User-defined functions in queries: called from an evaluation that cannot wait, run by an engine that must.

Evaluating a query is pure, so it can be begun again. `call` gives a result that is known already; one that is not
interrupts the evaluation, is fetched from the engine, and `evaluate` begins again. What `know` has gone through once
can then be evaluated without waiting:

    async with FunctionCalls(engine, query, text_of) as functions:
        context = Context(..., user_function=functions.call)
        await functions.know(statement, document, context)
        for row in statement.rows(document, context): ...

One `FunctionCalls` serves one page of results: its functions share a session and its time limit.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Self, TypeVar

import orjson

from emulators.cosmos.scripts.dialogue import file_name, literal, refused, thrown
from emulators.cosmos.scripts.engine import Engine, ScriptStopped, Session
from emulators.cosmos.sql.functions import Context
from emulators.cosmos.sql.statement import Statement
from emulators.cosmos.sql.values import UNDEFINED

Result = TypeVar("Result")

RESULTS_KEPT_MAX = 10_000
"""Results that a page remembers; then it begins to ask again. Our choice."""


class _Needed(Exception):
    """The result of a call that the engine has not been asked for yet."""

    def __init__(self, name: str, arguments: bytes) -> None:
        super().__init__(name)
        self.name = name
        self.arguments = arguments


class FunctionCalls:
    """Calls the functions that a query names. `text_of` tells their texts; it raises for a name that there is not."""

    def __init__(self, engine: Engine, query: str, text_of: Callable[[str], str], *, in_script: bool = False) -> None:
        self._engine = engine
        self._in_script = in_script
        self._may_be_called = "udf" in query
        self._text_of = text_of
        self._results: dict[tuple[str, bytes], Any] = {}
        self._loaded: set[str] = set()
        self._session: Session | None = None
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.__aexit__(kind, error, trace)

    def call(self, name: str, arguments: list[Any]) -> Any:
        """The result of `udf.name(arguments)`; interrupts `evaluate` when it is not known yet."""
        written = orjson.dumps([[] if each is UNDEFINED else [each] for each in arguments])
        key = (name, written)
        if key not in self._results:
            raise _Needed(name, written)
        return self._results[key]

    async def know(self, statement: Statement, document: Any, context: Context) -> None:
        """Ask for every result that `statement` needs of one document. Raises Refused."""
        if not self._may_be_called:
            return
        if statement.is_collected:
            await self.evaluate(lambda: statement.collect([document], context))
        else:
            await self.evaluate(lambda: list(statement.rows(document, context)))

    async def evaluate(self, work: Callable[[], Result]) -> Result:
        """What `work` gives once every call that it makes is known. Raises Refused: a function failed or overran."""
        while True:
            try:
                return work()
            except _Needed as needed:
                if len(self._results) >= RESULTS_KEPT_MAX:
                    self._results.clear()
                self._results[needed.name, needed.arguments] = await self._ask(needed.name, needed.arguments)

    async def _ask(self, name: str, arguments: bytes) -> Any:
        sources = []
        if name not in self._loaded:
            sources.append(f"var fn_{len(self._loaded)} = {self._text_of(name)}\n//# sourceURL={file_name(name)}")
            sources.append(f"__emulator.define({literal(name)}, fn_{len(self._loaded)})")
        sources.append(f"__emulator.apply({literal(name)}, {literal(orjson.loads(arguments))})")
        try:
            if self._session is None:
                self._session = await self._stack.enter_async_context(self._engine.session(inner=self._in_script))
            told = orjson.loads(await self._session.evaluate(*sources) or "{}")
        except ScriptStopped as stopped:
            raise refused(stopped) from None
        self._loaded.add(name)
        if "failed" in told:
            raise thrown(told["failed"])
        return told["value"][0] if told["value"] else UNDEFINED
