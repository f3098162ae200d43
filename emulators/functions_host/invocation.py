"""One invocation: bind arguments, call, take outputs, log, retry; the same for every trigger.

Must not know HTTP, schedules or any service: a trigger hands in datums and gets an `Outcome`.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Protocol

from emulators.base.clock import Clock
from emulators.base.ids import Ids
from emulators.functions_host import converters
from emulators.functions_host.console import Console
from emulators.functions_host.converters import Datum
from emulators.functions_host.deadlines import Deadlines
from emulators.functions_host.errors import FunctionTimedOut
from emulators.functions_host.index import Binding, Function, user_traceback
from emulators.functions_host.limits import RETRIES_MAX
from emulators.functions_host.logs import InvocationLogs, thread_storage
from emulators.functions_host.retries import RetryPolicy
from emulators.functions_host.trace import TraceContext, new_traceparent

VIA_HOST_APIS = "This function was programmatically called via the host APIs."
RETRY_IS_EXPECTED = frozenset({"timertrigger", "cosmosdbtrigger", "eventhubtrigger", "kafkatrigger"})
"""Triggers on which the host supports retry policies; on the others it warns, and still retries."""


@dataclass(frozen=True)
class Call:
    """What a trigger asks for."""

    trigger_value: Datum
    reason: str = VIA_HOST_APIS
    metadata: Mapping[str, Datum] = field(default_factory=dict)
    details: Mapping[str, str] = field(default_factory=dict)
    """Shown as "Trigger Details"."""
    trace: TraceContext | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    """What `{name}` in other bindings is replaced from."""
    web_request: Any = None
    """The request object of a web extension: it is handed in, and the result handed out, as it is."""


@dataclass(frozen=True)
class Outcome:
    """How an invocation (with its retries) ended."""

    answer: Datum | None = None
    """What its HTTP output was given: mostly what the function returned."""
    failure: BaseException | None = None


@dataclass(frozen=True)
class Attempt:
    """One run of a function that has ended: what an observer of the host is told."""

    function: str
    invocation_id: str
    reason: str
    retry_count: int
    returned: Datum | None
    failure: BaseException | None


@dataclass(frozen=True)
class RetryException:
    """The failure before a retry, as `context.retry_context.exception`."""

    source: str
    stack_trace: str
    message: str


@dataclass(frozen=True)
class RetryContext:
    """Which attempt this is."""

    retry_count: int
    max_retry_count: int
    exception: RetryException | None


@dataclass(frozen=True)
class Context:
    """What a parameter called `context` gets."""

    invocation_id: str
    function_name: str
    function_directory: str
    trace_context: TraceContext
    retry_context: RetryContext
    thread_local_storage: Any = thread_storage


class Connector(Protocol):
    """Reads input bindings and writes output bindings of the services they belong to."""

    async def read(self, function: Function, binding: Binding, call: Call) -> Datum:
        """The value of an input binding."""

    async def write(self, function: Function, binding: Binding, value: Datum, call: Call) -> None:
        """Write what a function set."""

    def check(self, function: Function) -> None:
        """Raise FunctionInError for a function with a binding that is not built or cannot work."""


class Invoker:
    """Runs functions: async ones on the loop, sync ones on a pool of threads sized as the worker's."""

    def __init__(
        self,
        *,
        clock: Clock,
        ids: Ids,
        console: Console,
        logs: InvocationLogs,
        connector: Connector,
        default_retry: RetryPolicy | None = None,
        observer: Callable[[Attempt], None] = lambda attempt: None,
        time_limit_seconds: float | None = None,
        timed_out: Callable[[str], None] = lambda invocation_id: None,
        blocked: Callable[[str], None] | None = None,
    ) -> None:
        """`timed_out` is called with the invocation that took longer than the limit: its thread may never end.

        `blocked` is called, in a thread of its own, when it holds the event loop, so that nothing else can be done.
        """
        self._clock = clock
        self._observer = observer
        self._ids = ids
        self._console = console
        self._logs = logs
        self._connector = connector
        self._default_retry = default_retry
        self._threads = ThreadPoolExecutor(max_workers=_thread_count(), thread_name_prefix="function")
        self._stopping = asyncio.Event()
        self._deadlines = Deadlines(time_limit_seconds, clock, blocked)
        self._timed_out = timed_out
        self.outstanding = 0
        self.outstanding_retries = 0

    async def invoke(self, function: Function, call: Call) -> Outcome:
        """Run `function`, again and again as its retry policy says; never raises for what the function does."""
        policy = function.retry or (self._default_retry if function.trigger.type.lower() in RETRY_IS_EXPECTED else None)
        failure: BaseException | None = None
        self.outstanding += 1
        try:
            for attempt in range(RETRIES_MAX):
                retry = RetryContext(attempt, policy.max_count if policy else 0, _retry_exception(failure))
                outcome = await self._attempt(function, call, retry)
                failure = outcome.failure
                if failure is None or policy is None or not policy.allows(attempt + 1):
                    return outcome
                self.outstanding_retries += 1
                try:
                    if await self._stopped_within(policy.wait_seconds(attempt + 1, self._ids)):
                        return outcome
                finally:
                    self.outstanding_retries -= 1
            return outcome
        finally:
            self.outstanding -= 1

    def stop(self) -> None:
        """No further retries."""
        self._stopping.set()

    def close(self) -> None:
        """Give the threads back. Functions still running in them are left to the end of the process."""
        self._deadlines.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _stopped_within(self, seconds: float) -> bool:
        """Sleep; True as soon as the host stops."""
        waits: Sequence[asyncio.Task[Any]] = (
            asyncio.create_task(self._clock.sleep(seconds)),
            asyncio.create_task(self._stopping.wait()),
        )
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for each in waits:
            each.cancel()
        return self._stopping.is_set()

    async def _attempt(self, function: Function, call: Call, retry: RetryContext) -> Outcome:
        invocation_id = self._ids.guid()
        self._console.user(
            "information", f"Executing 'Functions.{function.name}' (Reason='{call.reason}', Id={invocation_id})"
        )
        if call.details:
            told = ", ".join(f"{name}: {value}" for name, value in call.details.items())
            self._console.user("information", f"Trigger Details: {told}")
        started = time.perf_counter()
        returned = answer = None
        failure: BaseException | None = None
        try:
            self._deadlines.begin(invocation_id)
            with self._logs.invocation(invocation_id, function.name):
                returned, answer = await self._run(function, call, retry, invocation_id)
        except asyncio.CancelledError as raised:
            if self._deadlines.take_expired(invocation_id):
                failure = self._note_timeout(function, invocation_id)
            elif _is_cancelled_itself():
                raise
            else:
                failure = raised  # the function let it escape: nobody has cancelled this invocation
        except (Exception, SystemExit) as raised:  # noqa: BLE001 - the outcome carries it to whoever answers for it
            failure = raised
        finally:
            self._deadlines.end(invocation_id)
        sys.stdout.flush()
        duration = round((time.perf_counter() - started) * 1000)
        ending = f"Id={invocation_id}, Duration={duration}ms)"
        if failure is None:
            self._console.user("information", f"Executed 'Functions.{function.name}' (Succeeded, {ending}")
        else:
            self._console.user("error", f"Executed 'Functions.{function.name}' (Failed, {ending}")
            self._console.user("error", failure_text(function.name, failure))
        self._observer(Attempt(function.name, invocation_id, call.reason, retry.retry_count, returned, failure))
        return Outcome(answer, failure)

    def _note_timeout(self, function: Function, invocation_id: str) -> FunctionTimedOut:
        limit, name = self._deadlines.told, f"Functions.{function.name}"
        self._console.user(
            "error",
            f"Timeout value of {limit} exceeded by function '{name}' (Id: '{invocation_id}'). Initiating cancellation.",
        )
        self._timed_out(invocation_id)
        return FunctionTimedOut(f"Timeout value of {limit} was exceeded by function: {name}")

    async def _run(
        self, function: Function, call: Call, retry: RetryContext, invocation_id: str
    ) -> tuple[Datum | None, Datum | None]:
        """What it returned, and what its HTTP output was given."""
        signature = function.signature
        arguments = await self._arguments(function, call)
        if signature.takes_context:
            trace = call.trace or TraceContext(new_traceparent(self._ids))
            arguments["context"] = Context(invocation_id, function.name, function.directory, trace, retry)
        for name in signature.outputs:
            arguments[name] = converters.Out()
        if signature.is_async:
            result = await function.call(**arguments)
        else:
            loop = asyncio.get_running_loop()
            result = await loop.run_in_executor(self._threads, _call_in_thread, invocation_id, function.call, arguments)
        if result is not None and signature.returns is None:
            raise RuntimeError(f"function {function.name!r} without a $return bindingreturned a non-None value")
        outputs = {
            name: converters.encode(kind.binding_type, arguments[name].get(), kind.python_type)
            for name, kind in signature.outputs.items()
            if arguments[name].get() is not None
        }
        returned = None
        if call.web_request is not None:
            returned = Datum(result, "web")
        elif signature.returns is not None:
            returned = converters.encode(signature.returns.binding_type, result, signature.returns.python_type)
        await self._write_outputs(function, call, outputs, returned)
        return returned, returned if function.answer_name == "$return" else outputs.get(function.answer_name)

    async def _arguments(self, function: Function, call: Call) -> dict[str, Any]:
        inputs = function.signature.inputs
        trigger = inputs[function.trigger.name]
        arguments = {function.trigger.name: call.web_request}
        if call.web_request is None:
            arguments[function.trigger.name] = converters.decode(
                trigger.binding_type, call.trigger_value, call.metadata, trigger.python_type
            )
        for binding in function.input_bindings:
            kind = inputs[binding.name]
            value = await self._connector.read(function, binding, call)
            arguments[binding.name] = converters.decode(kind.binding_type, value, {}, kind.python_type)
        return arguments

    async def _write_outputs(
        self, function: Function, call: Call, outputs: Mapping[str, Datum], returned: Datum | None
    ) -> None:
        for binding in function.output_bindings:
            value = returned if binding.name == "$return" else outputs.get(binding.name)
            if value is not None and value.type is not None:
                await self._connector.write(function, binding, value, call)


def _is_cancelled_itself() -> bool:
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0


def failure_text(function: str, failure: BaseException) -> str:
    """A failure as the host's console flattens it."""
    if isinstance(failure, FunctionTimedOut):
        return f"Microsoft.Azure.WebJobs.Host: {failure}."
    return (
        f"System.Private.CoreLib: Exception while executing function: Functions.{function}. "
        f"System.Private.CoreLib: Result: Failure\nException: {type(failure).__name__}: {failure}\n"
        f"Stack: {user_traceback(failure)}"
    )


def retry_warnings(functions: Iterable[Function]) -> Iterator[str]:
    """What the host says at its start of retry policies on triggers that it does not mean them for. Pure."""
    for each in functions:
        if each.runs and each.retry is not None and each.trigger.type.lower() not in RETRY_IS_EXPECTED:
            yield (
                f"Soon retries will not be supported for function 'Functions.{each.name}'. "
                "For more information, please visit http://aka.ms/func-retry-policies."
            )


def _retry_exception(failure: BaseException | None) -> RetryException | None:
    if failure is None:
        return None
    stack = "".join(traceback.format_tb(failure.__traceback__))
    return RetryException("", stack, f"{type(failure).__name__}: {failure}")


def _call_in_thread(invocation_id: str, function: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
    thread_storage.invocation_id = invocation_id
    try:
        return function(**arguments)
    finally:
        thread_storage.invocation_id = None


def _thread_count() -> int | None:
    """PYTHON_THREADPOOL_THREAD_COUNT when it is a positive number, else what ThreadPoolExecutor takes itself."""
    text = os.environ.get("PYTHON_THREADPOOL_THREAD_COUNT", "")
    return int(text) if text.isdecimal() and int(text) > 0 else None
