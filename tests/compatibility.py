"""`python -m tests.compatibility`: docs/compatibility/cosmos.md from the route table and the tests' own sentences.

What is built is what has a route and a test; each sentence says where the behaviour is known from.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from emulators.cosmos.routes import NOT_BUILT, ROUTES

ROOT = Path(__file__).resolve().parent.parent
TESTS = ROOT / "tests" / "emulators" / "cosmos"
PAGE = ROOT / "docs" / "compatibility" / "cosmos.md"
EVIDENCE = {
    "seen_on_azure": "seen on Azure",
    "documented": "documented",
    "read_in_sdk": "read in an SDK",
    "our_choice": "our choice",
}


def page() -> str:
    """The page's text."""
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
    for file in sorted(TESTS.glob("test_*.py")):
        lines += _section(ast.parse(file.read_text(encoding="utf-8")))
    return "\n".join(lines) + "\n"


def _section(module: ast.Module) -> Iterator[str]:
    yield f"## {(ast.get_docstring(module) or '').splitlines()[0]}"
    constants = {
        statement.targets[0].id: str(_text(statement.value, {}))
        for statement in module.body
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name)
    }
    yield ""
    yield "| behaviour | known from |"
    yield "|---|---|"
    for function in module.body:
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef) and function.name.startswith("test_"):
            sentence = " ".join((ast.get_docstring(function) or "").split())
            yield f"| {sentence} | {_evidence(function, constants)} |".replace("\n", " ")
    yield ""


def _evidence(function: ast.FunctionDef | ast.AsyncFunctionDef, constants: Mapping[str, str]) -> str:
    for mark in function.decorator_list:
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
    """Write the page."""
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
