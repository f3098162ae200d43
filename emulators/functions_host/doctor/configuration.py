"""Checks of settings, host.json and the files beside the code."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator

from emulators.functions_host.doctor.findings import Finding, error, warning
from emulators.functions_host.doctor.project import Project
from emulators.functions_host.index import SCRIPT_DEFAULT, SCRIPT_SETTING, SETTING_NAMES, WITHOUT_BUNDLE
from emulators.functions_host.storage import STORAGE_SETTING
from emulators.functions_host.watch import is_foreign

RUNTIME = "FUNCTIONS_WORKER_RUNTIME"
BUNDLE_RANGE = "[4.*, 5.0.0)"
STORAGE_TRIGGERS = frozenset({"timertrigger", "queuetrigger", "blobtrigger", "eventhubtrigger"})
DEFAULT_CONNECTIONS = {"queuetrigger": STORAGE_SETTING, "blobtrigger": STORAGE_SETTING, "cosmosdbtrigger": "CosmosDB"}
PYTHON_VERSIONS = ((3, 10), (3, 14))
"""Core Tools, PythonHelpers."""


def check_settings(project: Project) -> Iterator[Finding]:
    """Settings that a binding names and nobody sets, the runtime, storage."""
    settings = project.settings
    if settings.get(RUNTIME) is None:
        yield error("runtime-missing", RUNTIME, "The setting is missing.", f'Set {RUNTIME} to "python".')
    elif (settings.get(RUNTIME) or "").lower() != "python":
        yield error("runtime-missing", RUNTIME, f"It is {settings.get(RUNTIME)!r}.", f'Set {RUNTIME} to "python".')
    for function in project.functions:
        for binding in function.bindings:
            kind = binding.type.lower()
            names = {member: binding.text(member) for member in SETTING_NAMES}
            if kind in DEFAULT_CONNECTIONS:
                names["connection"] = names["connection"] or DEFAULT_CONNECTIONS[kind]
            for member, name in names.items():
                if name and not _is_connected(project, name):
                    yield error(
                        "setting-missing",
                        f"{function.name}.{binding.name}",
                        f"{member} names the setting {name}, which is not set.",
                        f"Set {name} (or {name}__… for an identity) in local.settings.json and in the app settings.",
                    )
        if function.trigger.type.lower() in STORAGE_TRIGGERS and not _is_connected(project, STORAGE_SETTING):
            yield error(
                "storage-missing",
                function.name,
                f"Its listener keeps its state in {STORAGE_SETTING}, which is not set, and does not start.",
                f'Set {STORAGE_SETTING}; "UseDevelopmentStorage=true" is Azurite on this machine.',
            )
    if "CONTAINER_NAME" in project.local_values:
        yield warning(
            "container-name",
            "local.settings.json",
            "CONTAINER_NAME makes libraries believe that they run in Azure.",
            "Remove it.",
        )


def check_bundle(project: Project) -> Iterator[Finding]:
    """The extension bundle of host.json."""
    if not project.host.has_extensions:
        for function in project.functions:
            foreign = sorted({each.type for each in function.bindings if each.type.lower() not in WITHOUT_BUNDLE})
            if foreign:
                yield error(
                    "extension-bundle-missing",
                    function.name,
                    f"host.json has no extensionBundle, so the binding types {foreign} are not registered.",
                    f'Add "extensionBundle": {{"id": "Microsoft.Azure.Functions.ExtensionBundle", '
                    f'"version": "{BUNDLE_RANGE}"}}.',
                )
        return
    version = project.host.text("extensionBundle:version")
    major = re.search(r"\d+", version)
    if version and (major is None or int(major[0]) < 4):
        yield warning(
            "extension-bundle-old",
            "host.json",
            f"The bundle {version} is out of support; its extensions know no CloudEvents and no identity connections.",
            f'Write "version": "{BUNDLE_RANGE}".',
        )


def check_files(project: Project) -> Iterator[Finding]:
    """Modules that hide behind others, and functions of the old model."""
    for old in sorted(project.root.glob("*/function.json")):
        yield warning(
            "mixed-models",
            str(old.relative_to(project.root)),
            "Beside function_app.py this makes an app of two models, whose functions may go unindexed.",
            "Move the function to a decorator, or remove the file.",
        )
    script = project.settings.get(SCRIPT_SETTING) or SCRIPT_DEFAULT
    for each in sorted(project.root.iterdir()):
        is_package = each.is_dir() and not is_foreign(each.name) and any(each.glob("*.py"))
        name = each.stem if each.suffix == ".py" else each.name
        if (each.suffix == ".py" and each.name != script) or is_package:
            yield from _hidden(name, each.name)


def check_python(project: Project) -> Iterator[Finding]:
    """The version of Python that runs here."""
    low, high = PYTHON_VERSIONS
    if not low <= sys.version_info[:2] <= high:
        yield error(
            "python-version",
            sys.executable,
            f"Python {sys.version_info[0]}.{sys.version_info[1]} is not supported by Azure Functions.",
            f"Use a version from {low[0]}.{low[1]} to {high[0]}.{high[1]}.",
        )


def _hidden(name: str, shown: str) -> Iterator[Finding]:
    if name in sys.stdlib_module_names:
        yield error(
            "module-shadowed",
            shown,
            f"`import {name}` gets Python's own module: the app's folder comes last on sys.path.",
            "Rename it.",
        )
    elif name in ("azure", "azurefunctions"):
        yield error(
            "module-shadowed",
            shown,
            f"`import {name}` gets the installed packages of that name, never this one.",
            "Rename it.",
        )


def _is_connected(project: Project, name: str) -> bool:
    settings = project.settings
    section = name.replace("__", ":").lower() + ":"
    return (
        settings.connection(name) is not None
        or settings.get(f"AzureWebJobs{name}") is not None
        or any(key.replace("__", ":").lower().startswith(section) for key in settings.environment)
    )
