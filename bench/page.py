"""Keeps the generated parts of docs/PERFORMANCE.md: what stands between two comments that name them."""

from __future__ import annotations

from pathlib import Path

PAGE = Path(__file__).parent.parent / "docs" / "PERFORMANCE.md"


def part(name: str) -> str:
    """The generated part of that name as the page has it. Raises ValueError when it has none."""
    text, begin, end = _split(name)
    return text[begin:end].strip("\n")


def put(name: str, body: str) -> None:
    """Replace that part."""
    text, begin, end = _split(name)
    PAGE.write_text(f"{text[:begin]}\n{body}\n{text[end:]}", encoding="utf-8")


def _split(name: str) -> tuple[str, int, int]:
    text = PAGE.read_text(encoding="utf-8")
    first, last = f"<!-- begin {name} -->\n", f"<!-- end {name} -->"
    if first not in text or last not in text:
        raise ValueError(f"{PAGE.name} has no part {name!r}")
    return text, text.index(first) + len(first), text.index(last)
