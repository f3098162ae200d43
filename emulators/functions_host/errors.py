"""What can go wrong before an invocation, in the words of the real host, with what to do where it says nothing.

`StartError` ends the process; a `FunctionInError` takes one function out and leaves the others running.
"""

from __future__ import annotations


class StartError(Exception):
    """The host cannot start. The text is what the user reads, and says what to do."""


class AppNotIndexed(StartError):
    """The app could not be indexed. `report` is the user's own traceback."""

    def __init__(self, summary: str, report: str) -> None:
        super().__init__(summary)
        self.report = report


class OldModel(AppNotIndexed):
    """The app is one of the old programming model; `where` is a function of it."""

    def __init__(self, summary: str, where: str) -> None:
        super().__init__(summary, "")
        self.where = where


class FunctionInError(Exception):
    """One function cannot run; the text follows "The 'X' function is in error: "."""


class NotBuilt(FunctionInError):
    """One function needs what this host does not have; its route answers 501 with the text."""

    def __init__(self, what: str) -> None:
        super().__init__(f"501: {what} is not built into this host. It exists on Azure; run this function there.")


class FunctionTimedOut(Exception):
    """An invocation took longer than functionTimeout allows. The text is webjobs-sdk's."""
