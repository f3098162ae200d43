"""The file of recorded differences: tests whose expectation Azure does not share, each with what it answered and when.

A listed test that fails is expected to; one that passes is told, and taken out by the next recording.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

TEXT_MAX = 500
"""Characters that are kept of an answer. Our choice."""


@dataclass(slots=True)
class Differences:
    """What is listed in `file`, and what this run has seen."""

    file: Path
    listed: dict[str, dict[str, str]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    passed: set[str] = field(default_factory=set)

    @classmethod
    def read(cls, file: Path) -> Differences:
        """The list in `file`; empty when there is no such file."""
        return cls(file, json.loads(file.read_text(encoding="utf-8")) if file.exists() else {})

    def gone(self) -> list[str]:
        """Listed tests that Azure agrees with now."""
        return sorted(self.passed & set(self.listed))

    def record(self, today: str) -> None:
        """Write the list anew: without what is gone, with what failed."""
        kept = {name: each for name, each in self.listed.items() if name not in self.passed}
        new = {name: {"answered": text[:TEXT_MAX], "seen": today} for name, text in self.failed.items()}
        document = dict(sorted({**new, **kept}.items()))
        self.file.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
