"""An event loop whose time is virtual: when nothing is ready it first asks what else may happen, then jumps to the
next timer. An hour's wait costs nothing, and a run repeats itself exactly."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable
from typing import Any


class Stuck(Exception):
    """Everything waits and no timer is left: what is waited for can never happen."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """`on_idle` may make something ready and then returns True; else time moves on."""

    def __init__(self) -> None:
        self.elapsed_seconds = 0.0
        self.on_idle: Callable[[], bool] = lambda: False
        super().__init__(_Idle(self))

    def time(self) -> float:
        """Seconds since the loop was made, all of them virtual."""
        return self.elapsed_seconds


class _Idle(selectors.DefaultSelector):
    """Never waits: nothing here comes from outside the process."""

    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is not None and timeout <= 0:
            return []
        if self._loop.on_idle():
            return []
        if timeout is None:
            raise Stuck
        self._loop.elapsed_seconds += timeout
        return []
