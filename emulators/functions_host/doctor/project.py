"""The app as the doctor sees it: its files, settings, and functions as both the worker and the host index them.

Imports the app. What cannot be read becomes a finding, and the rest is examined all the same.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from emulators.base.clock import Clock
from emulators.base.ids import Ids
from emulators.functions_host import bundle
from emulators.functions_host import settings as rules
from emulators.functions_host.doctor.findings import Finding, error, warning
from emulators.functions_host.errors import AppNotIndexed, OldModel, StartError
from emulators.functions_host.index import Function, index_functions, load_app
from emulators.functions_host.limits import SOURCE_BYTES_MAX, SOURCE_FILES_MAX
from emulators.functions_host.registry import Registry, build_registry
from emulators.functions_host.services import Services
from emulators.functions_host.settings import Configuration, Settings
from emulators.functions_host.watch import is_foreign


@dataclass
class Project:
    """One app. `findings` is what was wrong with reading it."""

    root: Path
    settings: Settings
    has_local_settings: bool = False
    local_values: Mapping[str, str] = field(default_factory=dict)
    host: Configuration = field(default_factory=lambda: Configuration({}))
    registry: Registry = field(default_factory=Registry)
    sources: dict[Path, ast.Module] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    @property
    def functions(self) -> list[Function]:
        """All functions, those in error too."""
        return self.registry.functions

    def requirements(self) -> str | None:
        """The text of requirements.txt, or None."""
        file = self.root / "requirements.txt"
        return file.read_text(encoding="utf-8-sig") if file.exists() else None


def read_project(root: Path) -> Project:
    """The app in `root`. Raises StartError when there is none."""
    findings: list[Finding] = []
    local_file = rules.find_local_settings(root)
    local = rules.LocalSettings()
    try:
        local = rules.read_local_settings(
            local_file,
            lambda text: findings.append(
                error("local-settings-unreadable", local_file.name, text, "Mend the file: no value of it is used.")
            ),
        )
    except StartError as refusal:
        findings.append(error("local-settings-encrypted", local_file.name, str(refusal), 'Write "IsEncrypted": false.'))
    merged = rules.merge_environment(local, os.environ, lambda text: None)
    project = Project(root, Settings(merged), local_file.exists(), local.values, findings=findings)
    try:
        project.host = rules.read_host_json(root, merged, write=False)
    except StartError as refusal:
        findings.append(error("host-json-invalid", rules.HOST_FILE, str(refusal), "The host does not start. Mend it."))
    project.sources = dict(_read_sources(root, findings))
    _index(project, merged)
    return project


def _index(project: Project, merged: Mapping[str, str]) -> None:
    os.environ.update(rules.host_environment(merged, project.root, 7071))
    try:
        functions = index_functions(load_app(project.root, project.settings), project.settings, project.host)
    except OldModel as failure:
        project.findings.append(
            warning("old-model", failure.where, str(failure), "It runs on Azure as it is, and here when it is moved.")
        )
        return
    except AppNotIndexed as failure:
        told = "\n".join(part for part in (failure.report, str(failure)) if part)
        project.findings.append(
            error(
                "app-not-indexed", "function_app.py", told, "The worker finds no function at all until this is mended."
            )
        )
        return
    except SystemExit as left:
        project.findings.append(
            error(
                "app-not-indexed",
                "function_app.py",
                f"The app calls exit({left.code!r}) while it is imported.",
                "Put what ends the process below `if __name__ == '__main__':`.",
            )
        )
        return
    clock = Clock()
    connectors = bundle.connectors(Services(clock), project.settings, project.host, clock, Ids())
    project.registry = build_registry(functions, connectors, project.settings, project.host)


def _read_sources(root: Path, findings: list[Finding]) -> Iterator[tuple[Path, ast.Module]]:
    unpublished = _read_funcignore(root)
    published = (each for each in _python_files(root) if not _matches(each.relative_to(root), unpublished))
    for number, file in enumerate(published):
        where = file.relative_to(root)
        if number == SOURCE_FILES_MAX:
            findings.append(
                warning(
                    "too-many-files",
                    str(where),
                    f"Only the first {SOURCE_FILES_MAX} Python files were read.",
                    "Move what is no part of the app out of its folder: all of it is published.",
                )
            )
            return
        if file.stat().st_size > SOURCE_BYTES_MAX:
            continue
        try:
            yield where, ast.parse(file.read_bytes(), str(where))
        except (SyntaxError, ValueError) as failure:
            line = getattr(failure, "lineno", None)
            findings.append(
                error("syntax-error", f"{where}:{line or 1}", str(failure), "Whoever imports this module fails.")
            )


def _read_funcignore(root: Path) -> list[str]:
    """The patterns of what is not published, and so no part of the app on Azure."""
    file = root / ".funcignore"
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    return [line.strip().strip("/") for line in lines if line.strip() and not line.startswith(("#", "!"))]


def _matches(path: Path, patterns: list[str]) -> bool:
    return any(
        fnmatchcase(name, pattern) for pattern in patterns for name in (*path.parts, *map(str, path.parents), str(path))
    )


def _python_files(folder: Path) -> Iterator[Path]:
    for each in sorted(folder.iterdir()):
        if each.is_dir() and not each.is_symlink() and not is_foreign(each.name):
            yield from _python_files(each)
        elif each.suffix == ".py" and each.is_file():
            yield each
