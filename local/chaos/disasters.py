"""What befalls the stack: kill -9, SIGSTOP, a disk that takes no more, fault rules. Only our own children suffer."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from emulators.base.control import CONTROL_HEADER
from local.stack import SERVICES, Stack

GAP_SECONDS = (0.4, 1.5)
"""Between one disaster and the next."""
STALL_SECONDS = (0.5, 4.0)
STARVE_SECONDS = (0.5, 3.0)
RULE_SECONDS = 3.0
KILL_SHARE = 0.45
"""Of all disasters, unless asked otherwise."""
OTHERS = ("stall", "starve", "rule", "rule")
"""What the rest is drawn from."""
STORES = ("cosmos", "eventgrid")
RULES: Mapping[str, tuple[dict[str, Any], ...]] = {
    "cosmos": (
        {"act": {"status": 429, "retryAfterSeconds": 0.2}, "probability": 0.4},
        {"act": {"status": 503}, "probability": 0.3},
        {"act": {"status": 449}, "probability": 0.3},
        {"act": {"drop": "before"}, "probability": 0.2},
        {"act": {"drop": "after"}, "probability": 0.2},
        {"act": {"delaySeconds": 0.3}, "probability": 0.3},
    ),
    "eventgrid": (
        {"match": {"operation": "publish"}, "act": {"status": 503}, "probability": 0.5},
        {"match": {"operation": "publish"}, "act": {"drop": "after"}, "probability": 0.3},
        {"match": {"operation": "delivery"}, "act": {"duplicate": 1}, "probability": 0.5},
        {"match": {"operation": "delivery"}, "act": {"holdSeconds": 5}, "probability": 0.3},
        {"match": {"operation": "delivery"}, "act": {"drop": "after"}, "probability": 0.3},
    ),
}


@dataclass
class Disasters:
    """Draws and does them, one after the other; counts what was done, by kind and service."""

    stack: Stack
    session: aiohttp.ClientSession
    dice: random.Random
    kill_share: float = KILL_SHARE
    done: Counter[str] = field(default_factory=Counter)
    _killed: dict[str, int] = field(default_factory=dict)
    """The last process of each service that was killed: its end may not have been noticed yet."""

    @property
    def kills(self) -> int:
        """How many processes were killed."""
        return sum(count for what, count in self.done.items() if what.startswith("kill"))

    async def strike(self) -> str:
        """Do the next disaster; what it was."""
        kind = "kill" if self.dice.random() < self.kill_share else self.dice.choice(OTHERS)
        service = self.dice.choice(STORES if kind in ("starve", "rule") else SERVICES)
        acts: Mapping[str, Callable[[str], Awaitable[bool]]] = {
            "kill": self._kill,
            "stall": self._stall,
            "starve": self._starve,
            "rule": self._rule,
        }
        what = f"{kind} {service}"
        if not await acts[kind](service):
            return ""
        self.done[what] += 1
        return what

    async def pause(self) -> None:
        """Wait until the next is due."""
        await asyncio.sleep(self.dice.uniform(*GAP_SECONDS))

    async def _kill(self, service: str) -> bool:
        """kill -9 what serves, unless it would be one death more than the supervisor allows in its time."""
        process = self.stack.supervisor.process_id(service)
        if process == self._killed.get(service) or not self.stack.supervisor.is_steady(service):
            return False
        self._killed[service] = process
        return self._signal(service, signal.SIGKILL if os.name == "posix" else signal.SIGTERM)

    async def _stall(self, service: str) -> bool:
        """The process stands still for seconds, as on a machine that swaps, and then goes on where it was."""
        if os.name != "posix" or not self._signal(service, signal.SIGSTOP):
            return False
        try:
            await asyncio.sleep(self.dice.uniform(*STALL_SECONDS))
        finally:
            self._signal(service, signal.SIGCONT)
        return True

    async def _starve(self, service: str) -> bool:
        """No file of a process that serves may grow: its disk is full, as far as it can tell. Linux only.

        One that is only starting would end instead, which is a death like a kill's.
        """
        if sys.platform != "linux" or not self.stack.supervisor.is_steady(service):
            return False
        import resource

        process = self.stack.supervisor.process_id(service)
        try:
            before = resource.prlimit(process, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        except ProcessLookupError:
            return False
        try:
            await asyncio.sleep(self.dice.uniform(*STARVE_SECONDS))
        finally:
            with contextlib.suppress(ProcessLookupError):
                resource.prlimit(process, resource.RLIMIT_FSIZE, before)
        return True

    async def _rule(self, service: str) -> bool:
        rule = {**self.dice.choice(RULES[service]), "forSeconds": RULE_SECONDS, "seed": self.dice.getrandbits(32)}
        url = f"{self.stack.url(service)}/_emulator/faults"
        with contextlib.suppress(aiohttp.ClientError):  # it may have just been killed
            async with self.session.post(url, json=rule, headers={CONTROL_HEADER: "1"}) as answer:
                return answer.status == 201
        return False

    def _signal(self, service: str, number: int) -> bool:
        try:
            os.kill(self.stack.supervisor.process_id(service), number)
        except ProcessLookupError:
            return False
        return True
