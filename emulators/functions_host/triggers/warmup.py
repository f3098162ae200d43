"""The warmup trigger: /admin/warmup runs the function called `warmup`, once in the life of a worker.

Azure calls it on each instance that it adds; nobody does on one machine. No key is asked for, and without such a
function the answer is 200 as well (azure-functions-host ScriptRouteHandler, WebScriptHostHttpRoutesManager).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from emulators.base.serving import Response
from emulators.functions_host.converters import Datum
from emulators.functions_host.index import Function
from emulators.functions_host.invocation import Call, Invoker

TYPE = "warmuptrigger"
NAME = "warmup"
PATH = "/admin/warmup"


class WarmUp:
    """Answers PATH."""

    def __init__(self, functions: Iterable[Function], invoker: Invoker) -> None:
        self._function = next((each for each in functions if _is_warmup(each) and each.runs), None)
        self._invoker = invoker
        self._is_warm = False

    async def answer(self) -> Response:
        """Run the function the first time; 500 when it fails."""
        if self._function is None or self._is_warm:
            return Response(200)
        self._is_warm = True
        outcome = await self._invoker.invoke(self._function, call())
        return Response(500 if outcome.failure else 200)


def call() -> Call:
    """What the trigger asks of its function."""
    return Call(Datum("{}", "json"))


def warnings(functions: Iterable[Function]) -> Iterator[str]:
    """Functions that nothing ever runs."""
    for each in functions:
        if each.runs and each.trigger.type.lower() == TYPE and not _is_warmup(each):
            yield f"'{each.name}' has a warmupTrigger, which runs only the function called '{NAME}'."


def _is_warmup(function: Function) -> bool:
    return function.trigger.type.lower() == TYPE and function.name.lower() == NAME
