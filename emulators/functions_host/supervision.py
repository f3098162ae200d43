"""A worker's view of the host that it belongs to: what only the host as a whole can say or do.

The clock, the fault rules and the counts of all workers belong to the host, so they outlive a reload and a worker's
death and add up over workers. `Alone` is the host that is one process (in tests), `Supervised` asks the supervisor.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from emulators.base.clock import Clock
from emulators.base.control import Control
from emulators.base.faults import Act, Faults
from emulators.base.serving import Request, Response

CONTROL_PREFIX = "/admin/emulator"


@dataclass(frozen=True)
class Activity:
    """What is under way in one worker, or in all."""

    invocations: int = 0
    retries: int = 0

    def __add__(self, other: Activity) -> Activity:
        return Activity(self.invocations + other.invocations, self.retries + other.retries)


class Supervision(Protocol):
    """What a worker asks of its host."""

    @property
    def has_fault_rules(self) -> bool:
        """Whether any fault rule is in force."""

    async def control(self, request: Request) -> Response:
        """The answer to a request below CONTROL_PREFIX."""

    async def strike(self, facts: Mapping[str, str]) -> Act | None:
        """What, if anything, a fault rule does to a call of which these facts hold."""

    async def activity(self) -> Activity:
        """What is under way in all workers."""

    async def processes(self) -> list[int]:
        """The process ids of the supervisor and of all workers."""

    async def drain(self) -> None:
        """Stop the listeners of all workers, until `resume`."""

    async def is_draining(self) -> bool:
        """Whether they are stopped, or about to."""

    async def resume(self) -> None:
        """Start the listeners again."""

    async def restart(self) -> bool:
        """Have the app loaded again; False where that cannot be."""

    async def keys_changed(self) -> None:
        """Have all workers read the keys again."""

    async def replace_worker(self, why: str) -> None:
        """Have this worker replaced: something in it does not end."""


class Alone:
    """A host of one process, without a supervisor."""

    def __init__(
        self,
        clock: Clock,
        health: Callable[[], Mapping[str, Any]],
        activity: Callable[[], Activity],
        drain: Callable[[], Awaitable[None]],
        listen: Callable[[], None],
    ) -> None:
        self._faults = Faults(clock)
        self._control = Control("functions_host", clock, self._faults, health, _nothing, prefix=CONTROL_PREFIX)
        self._activity = activity
        self._drain = drain
        self._listen = listen
        self._drains = False

    @property
    def has_fault_rules(self) -> bool:
        """Whether any rule is in force."""
        return bool(self._faults.describe())

    async def control(self, request: Request) -> Response:
        """The answer to a control request."""
        return await self._control.handle(request)

    async def strike(self, facts: Mapping[str, str]) -> Act | None:
        """What a rule does."""
        return self._faults.strike(**facts)

    async def activity(self) -> Activity:
        """What is under way."""
        return self._activity()

    async def processes(self) -> list[int]:
        """This one is both."""
        return [os.getpid(), os.getpid()]

    async def drain(self) -> None:
        """Stop the listeners."""
        self._drains = True
        await self._drain()

    async def is_draining(self) -> bool:
        """Whether they are stopped."""
        return self._drains

    async def resume(self) -> None:
        """Start them again."""
        self._drains = False
        self._listen()

    async def restart(self) -> bool:
        """Nobody is there who could."""
        return False

    async def keys_changed(self) -> None:
        """There is no other worker."""

    async def replace_worker(self, why: str) -> None:
        """Nobody is there who could: what does not end goes on."""


class Supervised:
    """A worker among others: everything is asked of the supervisor."""

    def __init__(self, ask: Callable[..., Awaitable[Any]]) -> None:
        self._ask = ask
        self.has_fault_rules = False

    async def control(self, request: Request) -> Response:
        """The answer to a control request."""
        return decode_response(await self._ask("control", request=encode_request(request)))

    async def strike(self, facts: Mapping[str, str]) -> Act | None:
        """What a rule does."""
        act = await self._ask("strike", facts=dict(facts))
        return None if act is None else Act(**act)

    async def activity(self) -> Activity:
        """What is under way in all workers."""
        return Activity(**await self._ask("activity"))

    async def processes(self) -> list[int]:
        """The process ids, the supervisor's first."""
        return list(await self._ask("processes"))

    async def drain(self) -> None:
        """Stop the listeners of all workers."""
        await self._ask("drain")

    async def is_draining(self) -> bool:
        """Whether they are stopped, or about to."""
        return bool(await self._ask("is_draining"))

    async def resume(self) -> None:
        """Start them again."""
        await self._ask("resume")

    async def restart(self) -> bool:
        """Have the app loaded again."""
        await self._ask("restart")
        return True

    async def keys_changed(self) -> None:
        """Have all workers read the keys again."""
        await self._ask("keys_changed")

    async def replace_worker(self, why: str) -> None:
        """Have this worker replaced."""
        await self._ask("replace", why=why)


def encode_request(request: Request) -> dict[str, Any]:
    """A control request as a message."""
    return {
        "method": request.method,
        "target": request.target,
        "headers": dict(request.headers),
        "body": request.body.decode("utf-8", "replace"),
        "scheme": request.scheme,
        "client": request.client,
    }


def decode_request(document: Mapping[str, Any]) -> Request:
    """The request of such a message."""
    return Request(**{**document, "body": document["body"].encode()})


def encode_response(response: Response) -> dict[str, Any]:
    """The answer to a control request as a message."""
    assert isinstance(response.body, bytes)
    return {"status": response.status, "headers": dict(response.headers), "body": response.body.decode()}


def decode_response(document: Mapping[str, Any]) -> Response:
    """The answer of such a message."""
    return Response(document["status"], document["headers"], document["body"].encode())


async def _nothing() -> None:
    """The host keeps nothing of its own; fault rules are cleared by whoever calls this."""
