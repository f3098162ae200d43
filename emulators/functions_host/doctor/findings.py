"""What the doctor says: one finding, and how bad it is. Pure data."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """`error` breaks the app or a function on the real host, `warning` may, `note` concerns this machine only."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True)
class Finding:
    """One thing to mend: `code` names the kind, `where` the place."""

    code: str
    severity: Severity
    where: str
    what: str
    fix: str


def error(code: str, where: str, what: str, fix: str) -> Finding:
    """A finding that breaks something."""
    return Finding(code, Severity.ERROR, where, what, fix)


def warning(code: str, where: str, what: str, fix: str) -> Finding:
    """A finding that may break something."""
    return Finding(code, Severity.WARNING, where, what, fix)


def note(code: str, where: str, what: str, fix: str) -> Finding:
    """A finding about this machine."""
    return Finding(code, Severity.NOTE, where, what, fix)
