"""The house rules that a linter cannot say: sizes, docstrings, what is deployed, what function_app.py may import."""

from __future__ import annotations

import ast
import fnmatch
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILE_LINES_MAX = 500
FUNCTION_LINES_MAX = 70
APP = {
    "function_app.py",
    "host.json",
    "requirements.txt",
    "order_contract",
    "order_events",
    "order_telemetry",
    "update_order_status",
    "update_order_status_read_model",
}


def tracked(pattern: str = "*") -> list[Path]:
    """The files git knows, as paths below the root."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    paths = (Path(line) for line in listed.stdout.splitlines())
    return [path for path in paths if fnmatch.fnmatch(path.name, pattern) and (ROOT / path).exists()]


def modules() -> list[Path]:
    """Our own Python modules."""
    return [path for path in tracked("*.py") if "suite" not in path.parts]


@pytest.mark.parametrize("path", modules(), ids=str)
def test_a_module_is_small_and_says_what_it_is_for(path: Path) -> None:
    """A module starts with a docstring, has at most 500 lines, and no function over 70."""
    source = (ROOT / path).read_text(encoding="utf-8")
    tree = ast.parse(source)
    assert ast.get_docstring(tree), "the module has no docstring"
    assert len(source.splitlines()) <= FILE_LINES_MAX
    long = [
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno + 1 > FUNCTION_LINES_MAX
    ]
    assert not long, f"functions over {FUNCTION_LINES_MAX} lines: {long}"


@pytest.mark.parametrize("path", [path for path in modules() if path.name.startswith("test_")], ids=str)
def test_a_test_says_its_behaviour_in_a_sentence(path: Path) -> None:
    """Every test function has a docstring."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    silent = [
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and not ast.get_docstring(node)
    ]
    assert not silent, f"tests without a docstring: {silent}"


def test_rooms_have_no_vague_names() -> None:
    """No module is called utils, helpers, common or manager: such a name says nothing about what belongs there."""
    vague = {"utils", "util", "helpers", "helper", "common", "manager", "misc"}
    # The official suite imports a private package of Microsoft's; what stands in for it has to bear its names.
    ours = [path for path in modules() if "devtools_testutils" not in path.parts]
    assert not [path for path in ours if vague & {*path.parts, path.stem}]


def test_what_funcignore_leaves_is_exactly_the_app() -> None:
    """Publishing uploads the app and nothing else."""
    ignored = [
        line.strip()
        for line in (ROOT / ".funcignore").read_text(encoding="utf-8").splitlines()
        if line.strip() and not line.startswith("#")
    ]
    # Every pattern is a plain name or glob of a top-level entry, so this is how Core Tools reads it too.
    assert not [pattern for pattern in ignored if "!" in pattern or "/" in pattern.rstrip("/")]
    left = {
        path.parts[0]
        for path in tracked()
        if not any(fnmatch.fnmatch(path.parts[0], pattern.rstrip("/")) for pattern in ignored)
    }
    assert left == APP


@pytest.mark.parametrize("room", ["cosmos", "eventgrid"])
def test_a_server_does_not_lean_on_its_client(room: str) -> None:
    """The emulators of Cosmos DB and Event Grid import neither service's SDK (import-linter sees only `azure`)."""
    imported = set()
    for path in (path for path in modules() if path.parts[:2] == ("emulators", room)):
        for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add(node.module or "")
    assert not [name for name in imported if name.startswith(("azure.cosmos", "azure.eventgrid"))]


def test_there_is_no_function_json() -> None:
    """A function.json beside function_app.py makes a mixed app, whose functions may go unindexed."""
    assert not tracked("function.json")


def test_function_app_registers_the_blueprints_and_nothing_else() -> None:
    """The app's entry imports azure.functions, the two sides and their contract only."""
    tree = ast.parse((ROOT / "function_app.py").read_text(encoding="utf-8"))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    rooms = {name.split(".")[0] for name in imported}
    assert rooms <= {"azure", "order_contract", "update_order_status", "update_order_status_read_model"}
    assert not [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)]


def test_no_file_is_larger_than_the_project_can_bear() -> None:
    """Nothing over 1 MiB is committed, but for lock files."""
    large = [path for path in tracked() if (ROOT / path).stat().st_size > 2**20]
    assert not [path for path in large if path.name not in ("uv.lock", "package-lock.json")]
