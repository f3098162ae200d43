"""Checks of requirements.txt: all that Azure's build installs."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata

from emulators.functions_host.doctor.findings import Finding, error, note, warning
from emulators.functions_host.doctor.project import Project

LIBRARY = "azure-functions"
WORKER = "azure-functions-worker"
CLOUD_EVENT_SINCE = "1.25"
LINE = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*([^;#]*)")


@dataclass(frozen=True)
class Requirement:
    """One line: `specifier` is what follows the name, `==1.2` or empty."""

    name: str
    specifier: str
    line: int


def parse_requirements(text: str) -> list[Requirement]:
    """The requirements that name a distribution; options, URLs and includes are left out."""
    found = []
    for number, line in enumerate(text.replace("\\\n", " ").splitlines(), 1):
        match = LINE.match(line)
        if match and not line.lstrip().startswith(("-", "#")):
            found.append(Requirement(canonical(match[1]), match[2].split("--hash")[0].strip(), number))
    return found


def canonical(name: str) -> str:
    """A distribution's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def check_requirements(project: Project) -> Iterator[Finding]:
    """The file, its pins, the library, and what the code imports beyond it."""
    text = project.requirements()
    if text is None:
        yield error(
            "requirements-missing",
            "requirements.txt",
            "There is none: Azure's build then installs nothing that the code imports.",
            "Write one that names azure-functions and what the code imports.",
        )
        return
    required = parse_requirements(text)
    names = {each.name for each in required}
    if LIBRARY not in names:
        yield error(
            "azure-functions-missing",
            "requirements.txt",
            "azure-functions is not named; which version runs is then up to the worker.",
            "Add azure-functions.",
        )
    if WORKER in names:
        yield warning(
            "worker-required",
            "requirements.txt",
            "azure-functions-worker is the platform's own; another version of it breaks the start.",
            "Remove it.",
        )
    for each in required:
        if not each.specifier.startswith(("==", "@", "~=")):
            told = note if each.name == LIBRARY else warning  # every template of the platform's leaves that one open
            yield told(
                "requirement-unpinned",
                f"requirements.txt:{each.line}",
                f"{each.name}{each.specifier} may be another version at each build.",
                f"Pin it: {each.name}=={_installed_version(each.name) or 'VERSION'}.",
            )
    if not re.search(r"^\s*-r\b", text, re.MULTILINE):  # what an included file names is not known here
        yield from _unlisted_imports(project, names)


def check_library_version(project: Project) -> Iterator[Finding]:
    """Names of azure.functions that older bundled libraries lack."""
    for where, tree in project.sources.items():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Attribute) or node.attr != "CloudEvent":
                continue
            if isinstance(node.value, ast.Name) and node.value.id in _aliases(tree):
                yield warning(
                    "azure-functions-shadowed",
                    f"{where}:{node.lineno}",
                    f"CloudEvent is new in azure-functions {CLOUD_EVENT_SINCE}. Core Tools on Python up to 3.12 puts "
                    "its bundled library before the app's, and an older one has no such name.",
                    "Annotate the parameter with str, or set PYTHON_ISOLATE_WORKER_DEPENDENCIES=1.",
                )


def _aliases(tree: ast.Module) -> set[str]:
    return {
        each.asname or each.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for each in node.names
        if each.name == "azure.functions"
    }


def _unlisted_imports(project: Project, names: set[str]) -> Iterator[Finding]:
    owners = metadata.packages_distributions()
    provided = _with_dependencies(names)
    own = {path.parts[0].removesuffix(".py") for path in project.sources}
    told: set[str] = set()
    for where, tree in project.sources.items():
        if any(part.startswith("test") for part in where.parts):
            continue
        for line, module in _imports(tree):
            top = module.partition(".")[0]
            if top in own or top in sys.stdlib_module_names or top == "azure" or module in told:
                continue
            distributions = {canonical(each) for each in owners.get(top, ())}
            if not distributions & provided:
                told.add(module)
                name = min(distributions, default=top)
                yield error(
                    "requirement-missing",
                    f"{where}:{line}",
                    f"`import {module}` needs {name}, which requirements.txt does not name.",
                    f"Add {name}.",
                )


def _imports(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Imports that run when the module is imported: those below functions, `if` and `try` may be optional."""
    for node in tree.body:
        if isinstance(node, ast.Import):
            yield from ((node.lineno, each.name) for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.lineno, node.module


def _with_dependencies(names: set[str]) -> set[str]:
    """The named distributions and what they need, as far as they are installed here."""
    found: set[str] = set()
    ahead = list(names)
    while ahead:
        name = ahead.pop()
        if name not in found:
            found.add(name)
            ahead += [each.name for each in parse_requirements("\n".join(_needs(name)))]
    return found


def _needs(name: str) -> Sequence[str]:
    try:
        return [each for each in metadata.requires(name) or () if "extra ==" not in each]
    except metadata.PackageNotFoundError:
        return ()


def _installed_version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""
