"""What commands show: progress on standard error while they run, their outcome as text or JSON on standard output."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

Advance = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended: its exit code, what `--json` prints, and what people read."""

    exit_code: int
    document: dict[str, Any]
    told: Sequence[RenderableType] = field(default_factory=list)


def show(outcome: Outcome, *, as_json: bool) -> None:
    """Print `outcome`."""
    if as_json:
        print(json.dumps(outcome.document, indent=2))
        return
    console = Console(highlight=False, markup=False, soft_wrap=True)  # reasons are quoted, and may hold brackets
    for each in outcome.told:
        console.print(each)


def table(*columns: str, title: str | None = None) -> Table:
    """An empty table that shortens nothing."""
    empty = Table(title=title)
    for column in columns:
        empty.add_column(column, overflow="fold")
    return empty


class Bars:
    """Progress bars, one for each piece of work. Nothing is drawn where standard error is no terminal."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description:<22}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )

    @contextmanager
    def drawn(self) -> Iterator[None]:
        """Draw for the time of the block."""
        with self._progress:
            yield

    def begin(self, name: str, total: int | None = None) -> Advance:
        """A bar for work of `total` pieces (None: nobody knows); call what comes back with the pieces that are done."""
        task = self._progress.add_task(name, total=total)
        return lambda pieces: self._progress.advance(task, pieces)
