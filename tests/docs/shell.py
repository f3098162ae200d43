"""The shell commands of our documents: fenced blocks marked `sh`, command by command, and what is said inline."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`([^`\n]+)`")
_PROGRAM = re.compile(r"(\$ )?(make|pip|python3?|py|curl|azd?|func|source|docker|functions-host|\w+-emulator) ")


@dataclass(frozen=True, slots=True)
class Block:
    """The commands of one fenced block, in order."""

    file: Path
    place: int
    commands: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.file.relative_to(ROOT)}-{self.place}"


def documents() -> list[Path]:
    """Every document of the repository that people read commands in."""
    found = [*ROOT.glob("*.md"), ROOT / "llms.txt"]
    for folder in ("docs", "emulators", "infra", "local", "tests"):
        found += (ROOT / folder).rglob("*.md")
    return sorted(each for each in found if not {"node_modules", "suite"} & set(each.parts))


def blocks() -> Iterator[Block]:
    """Every block marked `sh`."""
    for file in documents():
        for place, (language, text) in enumerate(_BLOCK.findall(file.read_text(encoding="utf-8"))):
            if language == "sh":
                yield Block(file, place, tuple(_commands(text)))


def unmarked() -> Iterator[tuple[Path, str]]:
    """Blocks that hold commands and are not marked `sh`, by their first line."""
    for file in documents():
        for language, text in _BLOCK.findall(file.read_text(encoding="utf-8")):
            if language != "sh" and (line := next((each for each in text.splitlines() if _PROGRAM.match(each)), None)):
                yield file, line


def inline(program: str) -> Iterator[tuple[Path, str]]:
    """What stands in single back quotes and begins with `program`."""
    for file in documents():
        text = _BLOCK.sub("", file.read_text(encoding="utf-8"))
        for said in _INLINE.findall(text):
            for part in said.split(" && "):
                if part.startswith(program + " "):
                    yield file, part


def _commands(text: str) -> Iterator[str]:
    whole = text.replace("\\\n", " ")
    for line in whole.splitlines():
        command = re.sub(r"\s+#.*$", "", line).strip()
        if command and not command.startswith("#"):
            yield command
