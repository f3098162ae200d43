"""`python -m tests.compatibility`: docs/compatibility, made from tables of the code and the tests' own sentences.

What is built is what has a route and a test; each sentence says where the behaviour is known from.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from emulators.cosmos.routes import NOT_BUILT, ROUTES
from emulators.functions_host.admin import HOST_ROUTES
from emulators.functions_host.admin import NOT_BUILT as NOT_BUILT_ADMIN
from emulators.functions_host.cli import REFUSED
from emulators.functions_host.registry import TRIGGERS

ROOT = Path(__file__).resolve().parent.parent
TESTS = ROOT / "tests" / "emulators"
PAGES = ROOT / "docs" / "compatibility"
PAGE = PAGES / "cosmos.md"
FUNCTIONS_HOST_PAGE = PAGES / "functions-host.md"
EVIDENCE = {
    "seen_on_azure": "seen on Azure",
    "documented": "documented",
    "read_in_sdk": "read in an SDK",
    "our_choice": "our choice",
}


def page() -> str:
    """The text of the Cosmos DB emulator's page."""
    lines = [
        "# Cosmos DB emulator: what it does, and how we know",
        "",
        "Made by `python -m tests.compatibility` from the routes and the tests. Whatever is not listed answers 501 by",
        "name. How far the official SDKs' own suites pass is in `tests/conformance`.",
        "",
        "## Operations",
        "",
        "| path | operations |",
        "|---|---|",
    ]
    lines += [f"| `/{shape}` | {', '.join(actions)} |" for shape, actions in ROUTES.items()]
    unbuilt = [f"`{kind}`" for kind in NOT_BUILT]
    lines += ["", f"Not built (501): {', '.join(unbuilt)}.", ""]
    return "\n".join([*lines, *_sections("cosmos")]) + "\n"


def functions_host_page() -> str:
    """The text of the Functions host's page."""
    lines = [
        "# Functions host: what it does, and how we know",
        "",
        "Made by `python -m tests.compatibility` from the tables of the code and the tests. How to use it is in",
        "emulators/functions_host/README.md.",
        "",
        "| | |",
        "|---|---|",
        f"| trigger types | {', '.join(f'`{each}`' for each in sorted(TRIGGERS))} |",
        f"| endpoints below `/admin/host` | {', '.join(f'`{verb} {path}`' for verb, path in HOST_ROUTES)}, keys |",
        f"| endpoints that answer 501 | {', '.join(f'`/admin/{each}`' for each in NOT_BUILT_ADMIN)} |",
        f"| flags of `func start` that are refused | {', '.join(f'`{flag}`' for flag in REFUSED)} |",
        "",
        "A trigger or binding type that is not built puts its function in error; its route or webhook answers 501.",
        "",
    ]
    return "\n".join([*lines, *_sections("functions_host")]) + "\n"


def _sections(room: str) -> Iterator[str]:
    for file in sorted((TESTS / room).glob("test_*.py")):
        yield from _section(ast.parse(file.read_text(encoding="utf-8")))


def _section(module: ast.Module) -> Iterator[str]:
    yield f"## {(ast.get_docstring(module) or '').splitlines()[0]}"
    constants = {
        statement.targets[0].id: str(_text(statement.value, {}))
        for statement in module.body
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name)
    }
    marks = {
        statement.targets[0].id: statement.value
        for statement in module.body
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name)
    }
    yield ""
    yield "| behaviour | known from |"
    yield "|---|---|"
    for function in module.body:
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef) and function.name.startswith("test_"):
            sentence = " ".join((ast.get_docstring(function) or "").split())
            yield f"| {sentence} | {_evidence(function, constants, marks)} |".replace("\n", " ")
    yield ""


def _evidence(
    function: ast.FunctionDef | ast.AsyncFunctionDef, constants: Mapping[str, str], marks: Mapping[str, ast.expr]
) -> str:
    for decorator in function.decorator_list:
        mark = marks.get(decorator.id, decorator) if isinstance(decorator, ast.Name) else decorator
        if isinstance(mark, ast.Call) and isinstance(mark.func, ast.Attribute) and mark.func.attr in EVIDENCE:
            return f"{EVIDENCE[mark.func.attr]}: {_text(mark.args[0], constants)}"
    return ""


def _text(expression: ast.expr, constants: Mapping[str, str]) -> str:
    """A string literal, a constant's name, or an f-string of these."""
    match expression:
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
    PAGES.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8")
    FUNCTIONS_HOST_PAGE.write_text(functions_host_page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
