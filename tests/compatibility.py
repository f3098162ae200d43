"""`python -m tests.compatibility`: docs/compatibility/*.md from the route tables and the tests' own sentences.

What is built is what has a route and a test; each sentence says where the behaviour is known from.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emulators.base.clock import Clock
from emulators.base.ids import Ids
from emulators.cosmos import routes as cosmos
from emulators.eventgrid import destinations as eventgrid_destinations
from emulators.eventgrid.management import routes as eventgrid_management
from emulators.eventgrid.namespaces import data_plane as eventgrid_pull
from emulators.eventgrid.namespaces import management as eventgrid_namespaces
from emulators.functions_host import admin, bundle, cli, registry
from emulators.functions_host.services import Services
from emulators.functions_host.settings import Configuration, Settings

ROOT = Path(__file__).resolve().parent.parent
EVIDENCE = {
    "seen_on_azure": "seen on Azure",
    "documented": "documented",
    "read_in_sdk": "read in an SDK",
    "our_choice": "our choice",
}
INTRODUCTION = (
    "Made by `python -m tests.compatibility` from the routes and the tests. Whatever is not listed answers 501 by",
    "name. How far the official SDKs' own suites pass is in `tests/conformance`.",
)


@dataclass(frozen=True)
class Page:
    """One emulator's page: its title, what its routes say, and the folder whose tests say the rest."""

    title: str
    tests: str
    operations: Callable[[], Iterable[str]]

    def text(self) -> str:
        """The page."""
        lines = [f"# {self.title}: what it does, and how we know", "", *INTRODUCTION, "", "## Operations", ""]
        lines += self.operations()
        for file in sorted((ROOT / "tests" / "emulators" / self.tests).glob("test_*.py")):
            lines += _section(ast.parse(file.read_text(encoding="utf-8")))
        return "\n".join(lines) + "\n"


def _cosmos() -> Iterator[str]:
    yield from ("| path | operations |", "|---|---|")
    for shape, actions in cosmos.ROUTES.items():
        yield f"| `/{shape}` | {', '.join(actions)} |"
    unbuilt = [f"`{kind}`" for kind in cosmos.NOT_BUILT]
    yield from ("", f"Not built (501): {', '.join(unbuilt)}.", "")


def _event_grid() -> Iterator[str]:
    yield from ("Data plane (a domain is addressed as a topic):", "", "| request | does |", "|---|---|")
    yield from (
        "| `POST [/{topic}]/api/events` | Publish; without a name to the topic `default`. |",
        "| `OPTIONS [/{topic}]/api/events` | The topic's input schema, in `aeg-input-event-schema`. |",
        "| `GET, POST /eventsubscriptions/{name}/validate` | A handshake confirmed by hand, or by callback. |",
    )
    for prefix, operations in eventgrid_pull.OPERATIONS.items():
        for name, work in operations.items():
            yield f"| `POST {prefix}:{name}` | {_first_line(work)} |"
    yield from ("", "Azure Resource Manager, where `{group}` is `/subscriptions/{id}/resourceGroups/{name}`:", "")
    yield from ("| request | does |", "|---|---|")
    tables: tuple[Iterable[tuple[str, re.Pattern[str], Callable[..., Any]]], ...]
    tables = (eventgrid_management.ROUTES, eventgrid_namespaces.ROUTES)
    for method, path, operation in (row for table in tables for row in table):
        yield f"| `{method} {_shape(path)}` | {_first_line(operation)} |".replace("|domains", "\\|domains")
    kinds, built = eventgrid_destinations.KINDS, eventgrid_destinations.DELIVERED_TO
    yield from ("", f"Destinations: {', '.join(built)}.", "")
    yield f"Not built (501): destinations {', '.join(kind for kind in kinds if kind not in built)}; partner resources,"
    yield "private endpoints and links, push delivery of namespaces, their MQTT clients, CA certificates, topic spaces."
    yield ""


def _first_line(operation: Callable[..., Any]) -> str:
    return (operation.__doc__ or "").splitlines()[0].replace("|", "\\|")


def _shape(path: re.Pattern[str]) -> str:
    """A route's pattern as people write paths: names in braces, what may be left out in brackets."""
    text = path.pattern.replace("\\", "")
    text = (
        re.sub(r"\(\?P<(\w+)>\[\^/\]\+\)", r"{\1}", text)
        .replace("[^/]+", "{name}")
        .replace(".+?", "…")
        .replace(".+", "…")
    )
    while (simpler := re.sub(r"\(\?(?:P<\w+>|:)([^()]*)\)(\??)", _without_group, text)) != text:
        text = simpler
    return text.replace("/subscriptions/{account}/resourceGroups/{group}/", "{group}/")


def _without_group(found: re.Match[str]) -> str:
    return f"[{found[1]}]" if found[2] else found[1]


def _functions_host() -> Iterator[str]:
    yield from ("| | |", "|---|---|")
    yield f"| trigger types | {_listed(sorted(registry.TRIGGERS))} |"
    clock = Clock()
    built = bundle.connectors(Services(clock), Settings({}), Configuration({}), clock, Ids())
    yield f"| input binding types | {_listed(sorted(built.readers))} |"
    yield f"| output binding types | {_listed(sorted((*built.writers, 'http')))} |"
    yield f"| endpoints below `/admin/host` | {_listed(f'{verb} {path}' for verb, path in admin.HOST_ROUTES)}, keys |"
    yield f"| endpoints that answer 501 | {_listed(f'/admin/{each}' for each in admin.NOT_BUILT)} |"
    yield f"| flags of `func start` that are refused | {_listed(cli.REFUSED)} |"
    yield from (
        "",
        "A trigger or binding type that is not built puts its function in error: its route answers 501.",
        "",
    )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{each}`" for each in names)


PAGES = {
    "cosmos": Page("Cosmos DB emulator", "cosmos", _cosmos),
    "event-grid": Page("Event Grid emulator", "eventgrid", _event_grid),
    "functions-host": Page("Functions host", "functions_host", _functions_host),
}


def file_of(name: str) -> Path:
    """Where a page lies."""
    return ROOT / "docs" / "compatibility" / f"{name}.md"


def _section(module: ast.Module) -> Iterator[str]:
    yield f"## {(ast.get_docstring(module) or '').splitlines()[0]}"
    constants: dict[str, str] = {}
    for statement in module.body:
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            constants[statement.targets[0].id] = _text(statement.value, constants)
    named = {
        ast.unparse(statement.targets[0]): statement.value
        for statement in module.body
        if isinstance(statement, ast.Assign)
    }
    shared = [
        statement.value
        for statement in module.body
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "pytestmark"
    ]
    yield ""
    yield "| behaviour | known from |"
    yield "|---|---|"
    for function in module.body:
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef) and function.name.startswith("test_"):
            sentence = " ".join((ast.get_docstring(function) or "").split())
            decorators = [named.get(ast.unparse(each), each) for each in function.decorator_list]
            evidence = _evidence([*decorators, *shared], constants)
            yield f"| {sentence} | {evidence} |".replace("\n", " ")
    yield ""


def _evidence(marks: Iterable[ast.expr], constants: Mapping[str, str]) -> str:
    for mark in marks:
        if isinstance(mark, ast.Call) and isinstance(mark.func, ast.Attribute) and mark.func.attr in EVIDENCE:
            return f"{EVIDENCE[mark.func.attr]}: {_text(mark.args[0], constants)}"
    return ""


def _text(expression: ast.expr, constants: Mapping[str, str]) -> str:
    """A string literal, a constant's name, an f-string of these, or a sum."""
    match expression:
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _text(left, constants) + _text(right, constants)
        case ast.Constant(value=str() as text):
            return text
        case ast.Name(id=name):
            return constants.get(name, "")
        case ast.JoinedStr(values=parts):
            return "".join(_text(part, constants) for part in parts)
        case ast.FormattedValue(value=inner):
            return _text(inner, constants)
    return ""


def main() -> int:
    """Write the pages."""
    for name, page in PAGES.items():
        file_of(name).parent.mkdir(parents=True, exist_ok=True)
        file_of(name).write_text(page.text(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
