"""Owns the listening socket and the worker processes: starts them, replaces those that die or are out of date.

It never imports the app. A single worker inherits the socket and serves it directly, several are handed connections in
turn; when the supervisor ends, however it ends, the workers' stdin closes and they drain and exit. Whatever changes the
set of workers (a death, a saved file, a function that timed out) is done one after the other, in `_keep`.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import asdict
from functools import partial
from typing import Any

from emulators.base.clock import Clock
from emulators.base.control import Control, json_response
from emulators.base.faults import Faults
from emulators.base.serving import Request, Response, stop_signals, stop_when_stdin_closes
from emulators.functions_host.console import Console
from emulators.functions_host.debugging import port_is_free
from emulators.functions_host.doorkeeper import Doorkeeper
from emulators.functions_host.limits import (
    DEBUG_PORT_SECONDS_MAX,
    SHORT_DRAIN_SECONDS_MAX,
    WORKER_DEATHS_MAX,
    WORKER_DEATHS_WINDOW_SECONDS,
)
from emulators.functions_host.process import KILL_AFTER_SECONDS, Plan, WorkerFailed, WorkerProcess, spawn
from emulators.functions_host.supervision import CONTROL_PREFIX, Activity, decode_request, encode_response

ORPHAN_SECONDS_MAX = KILL_AFTER_SECONDS + 5.0
"""A supervisor whose parent is gone ends itself by then: our choice, the workers' own bound and then some."""

Step = Callable[[], Awaitable[None]]


class Supervisor:
    """Keeps the workers of one host, and what belongs to the host as a whole: clock, fault rules, counts."""

    def __init__(self, listener: socket.socket, plan: Plan, console: Console, clock: Clock) -> None:
        self._listener = listener
        self._plan = plan
        self._console = console
        self._clock = clock
        self._faults = Faults(clock)
        self._control = Control(
            "functions_host",
            clock,
            self._faults,
            dict,
            self._reset,
            prefix=CONTROL_PREFIX,
            extra={("GET", "/health"): self._tell_health},
        )
        self._doorkeeper = Doorkeeper(listener) if plan.order.processes > 1 and sys.platform != "win32" else None
        """Hands connections to the workers in turn; a single worker accepts them itself."""
        self._workers: list[WorkerProcess] = []
        """Those in service, the first being the one that listens to what is not HTTP."""
        self._spawned: set[WorkerProcess] = set()
        """All whose process may live."""
        self._spare: WorkerProcess | None = None
        """Has its imports done and waits for an order, so that a reload is quick."""
        self._steps: asyncio.Queue[Step] = asyncio.Queue()
        self._retiring: set[asyncio.Task[None]] = set()
        self._drains = False
        """Whether the listeners are stopped by POST /admin/host/drain; a restart or resume ends that."""
        self._deaths: deque[float] = deque(maxlen=WORKER_DEATHS_MAX)

    async def run(
        self, ready: Callable[[], None], *, exits_with_stdin: bool, changes: AsyncIterator[str] | None = None
    ) -> int:
        """Start all workers, call `ready`, keep them until stopped; the process's exit code.

        Whenever `changes` yields (the reason), the app is loaded again.
        """
        stop = asyncio.Event()
        with stop_signals(stop):
            if exits_with_stdin:
                stop_when_stdin_closes(stop, seconds_max=ORPHAN_SECONDS_MAX)
            tasks = [asyncio.create_task(self._keep(ready, spares=changes is not None))]
            if changes is not None:
                tasks.append(asyncio.create_task(self._watch(changes)))
            stopping = asyncio.create_task(stop.wait())
            try:
                await asyncio.wait((tasks[0], stopping), return_when=asyncio.FIRST_COMPLETED)
                if tasks[0].done():
                    await tasks[0]
                return 0
            except WorkerFailed as failure:
                self._console.always(str(failure), "error")
                return 1
            finally:
                for task in (*tasks, stopping):
                    task.cancel()
                await asyncio.wait((*tasks, stopping))
                if self._doorkeeper is not None:
                    self._doorkeeper.close()
                self._listener.close()
                await asyncio.gather(*(worker.stop() for worker in list(self._spawned)), return_exceptions=True)

    async def _keep(self, ready: Callable[[], None], *, spares: bool) -> None:
        """Until cancelled: start the workers, then take one step after the other."""
        fresh = await self._load(self._plan.order.processes, tolerates_failure=self._plan.tolerates_failure)
        await self._enter_service(fresh)
        ready()
        while True:
            if spares and self._spare is None and self._plan.debugger is None:
                self._spare = await self._spawn()
            step = await self._steps.get()
            await step()

    async def _watch(self, changes: AsyncIterator[str]) -> None:
        try:
            async for why in changes:
                self._steps.put_nowait(
                    partial(self._reload, f"{why}\nHost configuration has changed. Signaling restart")
                )
        except OSError as failure:
            self._console.always(f"Files cannot be watched, the app is not loaded again on save: {failure}", "warning")

    # Steps

    async def _reload(self, why: str) -> None:
        """Load the app as it is now; when that fails, what is in service stays there."""
        self._console.always(why)
        if self._plan.debugger is not None:
            await self._reload_in_place()
            return
        try:
            fresh = await self._load(self._plan.order.processes, tolerates_failure=False)
        except WorkerFailed as failure:
            self._console.always(f"Worker failed to index functions\n{failure}", "error")
            self._console.always("The app as it was before goes on serving. Save again when this is mended.", "warning")
            return
        self._drains = False
        await self._take_over(fresh)

    async def _reload_in_place(self) -> None:
        """The debugger's port belongs to the worker of before, which therefore ends first; callers wait meanwhile."""
        assert self._plan.debugger is not None
        await asyncio.gather(*(self._stop(worker, SHORT_DRAIN_SECONDS_MAX) for worker in self._workers))
        try:
            async with asyncio.timeout(DEBUG_PORT_SECONDS_MAX):
                while not port_is_free(self._plan.debugger):  # noqa: ASYNC110 - nobody tells when a port is free
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise WorkerFailed(f"The debugger's port {self._plan.debugger.port} did not become free.") from None
        await self._enter_service(await self._load(1, tolerates_failure=True))

    async def _take_over(self, fresh: list[WorkerProcess]) -> None:
        """Put `fresh` in the place of those in service: no call is refused, no timer runs twice."""
        old = self._workers
        await asyncio.gather(*(self._leave(worker) for worker in old))
        self._adopt(fresh)
        await self._serve(fresh)
        await asyncio.gather(*(worker.ask("drain") for worker in old))
        await self._listen(fresh[0])
        for worker in old:
            self._retire(worker)

    async def _bury(self, worker: WorkerProcess) -> None:
        """A worker has ended: put a new one in its place. Raises WorkerFailed when too many end."""
        if worker not in self._workers:
            return
        code = worker.exited.result()
        self._console.always(f"The worker process ended with exit code {code}; a new one is started.", "error")
        now = self._clock.now()
        self._deaths.append(now)
        if len(self._deaths) == WORKER_DEATHS_MAX and now - self._deaths[0] < WORKER_DEATHS_WINDOW_SECONDS:
            raise WorkerFailed(
                f"Exceeded language worker restart retry count for runtime:python: {WORKER_DEATHS_MAX} worker "
                f"processes ended within {WORKER_DEATHS_WINDOW_SECONDS:g} s. The host stops."
            )
        await self._replace(worker)

    async def _replace_timed_out(self, worker: WorkerProcess, why: str) -> None:
        if worker in self._workers:
            self._console.always(why, "warning")
            await self._replace(worker)
            self._console.always("Restart of language worker process(es) completed.", "warning")

    async def _replace(self, worker: WorkerProcess) -> None:
        """Put a new worker in the place of one that has ended, or may never."""
        place = self._workers.index(worker)
        (fresh,) = await self._load(1, first_number=place, tolerates_failure=self._plan.tolerates_failure)
        await self._leave(worker)
        self._workers[place] = fresh
        self._mind(fresh)
        await self._serve([fresh])
        await self._stop(worker, SHORT_DRAIN_SECONDS_MAX)
        if place == 0:
            await self._listen(fresh)

    # Workers

    async def _spawn(self) -> WorkerProcess:
        worker = await spawn(self._plan, self._listener if self._doorkeeper is None else None, self._asked)
        self._spawned.add(worker)
        if (keeper := self._doorkeeper) is not None and (doorway := worker.doorway) is not None:
            worker.exited.add_done_callback(lambda _: keeper.reclaim(doorway))
        return worker

    async def _load(self, count: int, *, tolerates_failure: bool, first_number: int = 0) -> list[WorkerProcess]:
        """Workers that have the app and do not serve yet. Raises WorkerFailed."""
        spare, self._spare = self._spare, None
        fresh = [] if spare is None or spare.exited.done() else [spare]
        fresh += [await self._spawn() for _ in range(count - len(fresh))]
        loads = (
            worker.load(self._plan, number, tolerates_failure=tolerates_failure)
            for number, worker in enumerate(fresh, first_number)
        )
        wrong = await asyncio.gather(*loads, return_exceptions=True)
        failures = [each for each in wrong if isinstance(each, BaseException)]
        if failures:
            for worker in fresh:
                self._retire(worker)
            raise failures[0]
        if wrong[0]:
            self._console.always(f"Worker failed to index functions\n{wrong[0]}", "error")
        return fresh

    async def _enter_service(self, fresh: list[WorkerProcess]) -> None:
        self._adopt(fresh)
        await self._serve(fresh)
        await self._listen(fresh[0])

    def _adopt(self, fresh: list[WorkerProcess]) -> None:
        self._workers = fresh
        for worker in fresh:
            self._mind(worker)

    def _mind(self, worker: WorkerProcess) -> None:
        worker.exited.add_done_callback(lambda _: self._steps.put_nowait(partial(self._bury, worker)))

    async def _serve(self, fresh: list[WorkerProcess]) -> None:
        await asyncio.gather(*(worker.ask("serve", **self._state()) for worker in fresh))
        for worker in fresh:
            if self._doorkeeper is not None and worker.doorway is not None and not worker.exited.done():
                self._doorkeeper.open(worker.doorway)

    async def _leave(self, worker: WorkerProcess) -> None:
        """Let it take no further connection; those that it has been handed it finishes."""
        if self._doorkeeper is not None and worker.doorway is not None:
            self._doorkeeper.shut(worker.doorway)
        await worker.ask("leave")

    async def _listen(self, worker: WorkerProcess) -> None:
        if not self._drains:
            await worker.ask("listen")

    def _retire(self, worker: WorkerProcess, seconds_max: float = KILL_AFTER_SECONDS) -> None:
        """Stop a worker without waiting for it."""
        task = asyncio.create_task(self._stop(worker, seconds_max))
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)

    async def _stop(self, worker: WorkerProcess, seconds_max: float = KILL_AFTER_SECONDS) -> None:
        await worker.stop(seconds_max)
        self._spawned.discard(worker)

    # What workers ask, and what is the host's as a whole

    def _state(self) -> dict[str, Any]:
        return {"ahead_seconds": self._clock.offset_seconds, "has_fault_rules": bool(self._faults.describe())}

    async def _asked(self, worker: WorkerProcess, kind: str, members: Mapping[str, Any]) -> Any:
        match kind:
            case "control":
                return encode_response(await self._answer_control(decode_request(members["request"])))
            case "strike":
                act = self._faults.strike(**members["facts"])
                return None if act is None else asdict(act)
            case "activity":
                return asdict(await self._activity())
            case "processes":
                return [os.getpid(), *(each.pid for each in self._workers)]
            case "drain":
                self._drains = True
                await asyncio.gather(*(each.ask("drain") for each in self._workers))
            case "is_draining":
                return self._drains
            case "resume":
                self._drains = False
                await self._workers[0].ask("listen")
            case "keys_changed":
                await asyncio.gather(*(each.ask("keys_changed") for each in self._workers if each is not worker))
            case "restart":
                self._steps.put_nowait(partial(self._reload, "Host restart requested."))
            case "replace":
                self._steps.put_nowait(partial(self._replace_timed_out, worker, members["why"]))
        return None

    async def _answer_control(self, request: Request) -> Response:
        before = self._state()
        response = await self._control.handle(request)
        if (state := self._state()) != before:
            await asyncio.gather(*(each.ask("state", **state) for each in self._workers))
        return response

    async def _tell_health(self, request: Request) -> Response:
        told = [each for each in await asyncio.gather(*(each.ask("health") for each in self._workers)) if each]
        first = told[0] if told else {}
        return json_response(
            200,
            {
                "status": "ok",
                "service": "functions_host",
                **first,
                "outstandingInvocations": sum(each["outstandingInvocations"] for each in told),
                "workers": len(told),
            },
        )

    async def _activity(self) -> Activity:
        told = await asyncio.gather(*(each.ask("activity") for each in self._workers))
        return sum((Activity(**each) for each in told if each), Activity())

    async def _reset(self) -> None:
        """The host keeps nothing of its own; fault rules are cleared by whoever calls this."""
