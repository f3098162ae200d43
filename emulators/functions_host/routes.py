"""Route templates of HTTP functions: parsed once, matched per request, first match in name order wins.

The rules are those of ASP.NET Core's template routes, which the host's router uses. Pure; knows no request object.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Generic, TypeVar

from emulators.functions_host.constraints import Constraint, parse_constraint
from emulators.functions_host.errors import FunctionInError
from emulators.functions_host.limits import ROUTE_SEGMENTS_MAX

Target = TypeVar("Target")


@dataclass(frozen=True)
class Parameter:
    """One `{...}` of a template."""

    name: str
    optional: bool = False
    default: str | None = None
    catch_all: bool = False
    constraints: tuple[Constraint, ...] = ()


Part = str | Parameter
Segment = tuple[Part, ...]


@dataclass(frozen=True)
class Template:
    """A parsed route template."""

    text: str
    segments: tuple[Segment, ...]

    def match(self, path: list[str]) -> dict[str, str] | None:
        """The route values of a path split at its slashes, or None when the template does not match."""
        values: dict[str, str] = {}
        for number, segment in enumerate(self.segments):
            rest = path[number:]
            first = segment[0]
            if isinstance(first, Parameter) and first.catch_all:
                text = "/".join(rest) or first.default
                if text is not None:
                    values[first.name] = text
                break
            if not rest or (not rest[0] and len(rest) == 1):
                if not _may_be_absent(segment, values):
                    return None
            elif not _match_segment(segment, rest[0], values):
                return None
        else:
            if any(path[len(self.segments) :]):
                return None
        return values if not self.is_constrained or self._constraints_hold(values) else None

    @cached_property
    def is_constrained(self) -> bool:
        """Whether any parameter has a constraint."""
        return any(isinstance(part, Parameter) and part.constraints for segment in self.segments for part in segment)

    def _constraints_hold(self, values: Mapping[str, str]) -> bool:
        for segment in self.segments:
            for part in segment:
                if isinstance(part, Parameter) and part.name in values:
                    text = values[part.name]
                    if not all(constraint(text) for constraint in part.constraints):
                        return False
        return True


class Router(Generic[Target]):
    """Routes in the order in which they are tried."""

    def __init__(self) -> None:
        self._routes: list[tuple[Template, frozenset[str], Target]] = []

    def add(self, template: Template, methods: Iterable[str], target: Target) -> None:
        """Append a route; no methods means all."""
        self._routes.append((template, frozenset(each.upper() for each in methods), target))

    def match(self, method: str, path: str) -> tuple[Target, dict[str, str]] | None:
        """The first target whose template and methods match, with the route values."""
        segments = path.strip("/").split("/") if path.strip("/") else []
        if len(segments) > ROUTE_SEGMENTS_MAX:
            return None
        for template, methods, target in self._routes:
            if methods and method not in methods:
                continue  # a wrong method is a route that does not match: 404, never 405
            values = template.match(segments)
            if values is not None:
                return target, values
        return None


def parse_template(text: str) -> Template:
    """The template of a route. Raises FunctionInError for one that ASP.NET Core refuses."""
    trimmed = text.removeprefix("~/").strip("/")
    if "?" in re.sub(r"\{[^}]*\}", "", trimmed) or trimmed.startswith("~"):
        raise FunctionInError(f"The route template '{text}' is not valid: it may not hold '?' or start with '~'.")
    segments = tuple(_parse_segment(each, text) for each in _split(trimmed)) if trimmed else ()
    names: set[str] = set()
    for number, segment in enumerate(segments):
        for part in segment:
            if isinstance(part, Parameter):
                if part.name.lower() in names:
                    raise FunctionInError(
                        f"The route parameter name '{part.name}' appears more than one time in the route template."
                    )
                names.add(part.name.lower())
                if part.catch_all and (number != len(segments) - 1 or len(segment) > 1):
                    raise FunctionInError(
                        "A catch-all parameter can only appear as the last segment of the route template."
                    )
    return Template(trimmed, segments)


def _split(text: str) -> list[str]:
    """Segments of a template: slashes inside braces (regular expressions) do not separate."""
    segments, depth, start = [], 0, 0
    for position, character in enumerate(text):
        depth += {"{": 1, "}": -1}.get(character, 0)
        if character == "/" and depth == 0:
            segments.append(text[start:position])
            start = position + 1
    segments.append(text[start:])
    return segments


def _parse_segment(text: str, template: str) -> Segment:
    if not text:
        raise FunctionInError(
            f"The route template '{template}' is not valid: the separator '/' cannot appear consecutively."
        )
    parts: list[Part] = []
    position = 0
    while position < len(text):
        if text.startswith(("{{", "}}"), position):
            parts.append(text[position])
            position += 2
        elif text[position] == "{":
            end = _closing_brace(text, position, template)
            parts.append(_parse_parameter(text[position + 1 : end].replace("{{", "{").replace("}}", "}"), template))
            position = end + 1
        else:
            parts.append(text[position])
            position += 1
    return tuple(_merge_literals(parts))


def _closing_brace(text: str, start: int, template: str) -> int:
    position = start + 1
    while position < len(text):
        if text.startswith(("{{", "}}"), position):
            position += 2
        elif text[position] == "}":
            return position
        else:
            position += 1
    raise FunctionInError(f"There is an incomplete parameter in the route template '{template}'.")


def _merge_literals(parts: list[Part]) -> Iterable[Part]:
    literal = ""
    for part in parts:
        if isinstance(part, str):
            literal += part
            continue
        if literal:
            yield literal
            literal = ""
        yield part
    if literal:
        yield literal


def _parse_parameter(text: str, template: str) -> Parameter:
    catch_all = text.startswith("*")
    body = text.lstrip("*")
    optional = body.endswith("?")
    body = body.removesuffix("?")
    name_end = min((body.find(mark) for mark in ":=" if mark in body), default=len(body))
    name, rest = body[:name_end], body[name_end:]
    if not name or re.search(r"[/{}?*]", name):
        raise FunctionInError(f"The route parameter name '{name}' in '{template}' is invalid.")
    constraints: list[Constraint] = []
    while rest.startswith(":"):
        expression, rest = _take_constraint(rest[1:])
        constraints.append(parse_constraint(expression))
    default = rest[1:] if rest.startswith("=") else None
    if optional and default is not None:
        raise FunctionInError(f"An optional parameter cannot have default value ('{template}').")
    if optional and catch_all:
        raise FunctionInError(f"A catch-all parameter cannot be marked optional ('{template}').")
    return Parameter(name, optional, default, catch_all, tuple(constraints))


def _take_constraint(text: str) -> tuple[str, str]:
    """(the constraint at the start, what follows it). Colons and equal signs inside parentheses belong to it."""
    depth = 0
    for position, character in enumerate(text):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if depth <= 0 and character in ":=":
            return text[:position], text[position:]
    return text, ""


def _may_be_absent(segment: Segment, values: dict[str, str]) -> bool:
    """A segment that the path does not reach: only a lone optional parameter or one with a default."""
    part = segment[0]
    if len(segment) > 1 or not isinstance(part, Parameter):
        return False
    if part.default is not None:
        values[part.name] = part.default
        return True
    return part.optional


def _match_segment(segment: Segment, text: str, values: dict[str, str]) -> bool:
    part = segment[0]
    if len(segment) == 1:
        if isinstance(part, str):
            return part.lower() == text.lower()
        if not text:
            return False
        values[part.name] = text
        return True
    return any(_match_parts(form, text, values) for form in _forms(segment))


def _forms(segment: Segment) -> Iterable[Segment]:
    """The segment, and without its optional ending (`{name}.{ending?}`): only a dot may be left out with it."""
    yield segment
    last = segment[-1]
    if isinstance(last, Parameter) and last.optional and segment[-2] == ".":
        yield segment[:-2]


def _match_parts(parts: Segment, text: str, values: dict[str, str]) -> bool:
    """`a{x}-{y}`: matched from the right, so every parameter but the last takes as much as it can."""
    pattern = "".join(re.escape(part) if isinstance(part, str) else "(.+)" for part in parts)
    match = re.fullmatch(pattern, text, re.IGNORECASE)
    if match is None:
        return False
    names = (part.name for part in parts if isinstance(part, Parameter))
    values.update(zip(names, match.groups(), strict=True))
    return True
