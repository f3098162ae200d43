"""The `$filter` of ARM's lists: `contains(name, 'x')`, `name eq 'x'`, `name ne 'x'`, joined by and, or, not.

Pure. Source: azure-mgmt-eventgrid's documentation of `filter`: only the name can be asked for.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeAlias

from emulators.eventgrid.topics import invalid

Test: TypeAlias = Callable[[str], bool]
CHARACTERS_MAX = 1_000
"""Our choice."""
DEPTH_MAX = 20
"""How deep parentheses and `not` may nest. Our choice."""

_TOKEN = re.compile(r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<word>[A-Za-z]+)|(?P<sign>[(),]))")


def parse_filter(text: str) -> Test:
    """Whether a resource of some name is wanted. Names are compared without regard to case. Raises Refused."""
    if len(text) > CHARACTERS_MAX:
        raise invalid(f"$filter may have {CHARACTERS_MAX} characters.")
    reader = _Reader(text)
    test = reader.either(0)
    reader.end()
    return test


class _Reader:
    """A recursive descent over the tokens: or binds least, then and, then not."""

    def __init__(self, text: str) -> None:
        self._text = text.rstrip()
        self._at = 0

    def either(self, depth: int) -> Test:
        tests = [self._both(depth)]
        while self._took("or"):
            tests.append(self._both(depth))
        return lambda name: any(test(name) for test in tests)

    def end(self) -> None:
        if self._at < len(self._text):
            raise self._wrong("and, or, or the end")

    def _both(self, depth: int) -> Test:
        tests = [self._one(depth)]
        while self._took("and"):
            tests.append(self._one(depth))
        return lambda name: all(test(name) for test in tests)

    def _one(self, depth: int) -> Test:
        if depth > DEPTH_MAX:
            raise self._wrong("less nesting")
        if self._took("not"):
            inner = self._one(depth + 1)
            return lambda name: not inner(name)
        if self._took("("):
            inner = self.either(depth + 1)
            self._demand(")")
            return inner
        if self._took("contains"):
            self._demand("(")
            self._demand("name")
            self._demand(",")
            part = self._string()
            self._demand(")")
            return lambda name: part in name.lower()
        self._demand("name")
        negated = self._took("ne")
        if not negated:
            self._demand("eq")
        wanted = self._string()
        return lambda name: (name.lower() == wanted) != negated

    def _string(self) -> str:
        found = _TOKEN.match(self._text, self._at)
        if found is None or found["text"] is None:
            raise self._wrong("a string in quotes")
        self._at = found.end()
        return found["text"][1:-1].replace("''", "'").lower()

    def _took(self, token: str) -> bool:
        found = _TOKEN.match(self._text, self._at)
        if found is None or (found["word"] or found["sign"] or "").lower() != token:
            return False
        self._at = found.end()
        return True

    def _demand(self, token: str) -> None:
        if not self._took(token):
            raise self._wrong(f"'{token}'")

    def _wrong(self, expected: str) -> Exception:
        return invalid(f"$filter is not understood at character {self._at + 1}: expected {expected}.")
