"""Reads docs/api.http as an editor does: requests in turn, with variables and with values from earlier answers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import requests

HTTP_SECONDS_MAX = 30
_VARIABLE = re.compile(r"^@(\w+)\s*=\s*(.*)$")
_NAME = re.compile(r"^# @name (\w+)$")
_PLACE = re.compile(r"\{\{([^}]+)\}\}")
_STATUS = re.compile(r"\b([2-5]\d\d)\b")


@dataclass(frozen=True, slots=True)
class Step:
    """One request of the file: its title, which states the expected status, and its text."""

    title: str
    name: str | None
    text: str

    @property
    def status(self) -> int:
        """The first status that the title states."""
        found = _STATUS.search(self.title)
        assert found is not None, f"the title states no status: {self.title}"
        return int(found[1])

    @property
    def address(self) -> str:
        """What is asked, with its places still open."""
        return self.text.splitlines()[0].partition(" ")[2]

    def with_header(self, line: str) -> Step:
        """The same request with one header more."""
        first, newline, rest = self.text.partition("\n")
        return replace(self, text=f"{first}\n{line}{newline}{rest}")


@dataclass
class Session:
    """Sends steps in turn; `variables` override those of the file."""

    variables: dict[str, str]
    answers: dict[str, requests.Response] = field(default_factory=dict)

    def send(self, step: Step) -> requests.Response:
        """The answer to one step."""
        head, _, body = _PLACE.sub(self._value, step.text).partition("\n\n")
        first, *lines = head.splitlines()
        method, _, address = first.partition(" ")
        headers = dict(line.split(": ", 1) for line in lines)
        raw = {name: text.encode("utf-8") for name, text in headers.items()}
        data = body.strip().encode() or None
        answer = requests.request(method, address, headers=raw, data=data, timeout=HTTP_SECONDS_MAX)
        if step.name is not None:
            self.answers[step.name] = answer
        return answer

    def _value(self, place: re.Match[str]) -> str:
        name = place[1].strip()
        if name in self.variables:
            return _PLACE.sub(self._value, self.variables[name])
        step, _, part, member = name.split(".", 3)
        answer = self.answers[step]
        value: Any = answer.headers[member] if part == "headers" else answer.json()[member]
        return str(value)


def read_http_file(path: Path) -> tuple[dict[str, str], list[Step]]:
    """The variables of the file and its steps."""
    preamble, *parts = re.split(r"^### ", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    variables = {match[1]: match[2] for line in preamble.splitlines() if (match := _VARIABLE.match(line))}
    return variables, list(_steps(parts))


def _steps(parts: list[str]) -> Iterator[Step]:
    for part in parts:
        title, *lines = part.splitlines()
        name = next((match[1] for line in lines if (match := _NAME.match(line))), None)
        text = "\n".join(line for line in lines if not line.startswith("#")).strip()
        yield Step(title, name, text)
