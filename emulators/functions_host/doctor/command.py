"""`doctor`: examine the app of the current directory and print what was found; exit code 1 when anything breaks."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from emulators.functions_host.doctor import code, configuration, functions, requirements
from emulators.functions_host.doctor.findings import Finding, Severity
from emulators.functions_host.doctor.project import Project, read_project

CHECKS: Sequence[Callable[[Project], Iterable[Finding]]] = (
    configuration.check_python,
    configuration.check_settings,
    configuration.check_bundle,
    configuration.check_files,
    requirements.check_requirements,
    requirements.check_library_version,
    functions.check_errors,
    functions.check_names,
    functions.check_routes,
    functions.check_results,
    functions.check_leases,
    code.check_returns,
    code.check_blocking_calls,
)
ORDER = list(Severity)


def examine(*, as_json: bool) -> int:
    """Print the findings, worst first; the exit code. Raises StartError when there is no app here."""
    project = read_project(Path.cwd())
    found = [*project.findings, *(each for check in CHECKS for each in check(project))]
    found.sort(key=lambda each: ORDER.index(each.severity))
    if as_json:
        print(json.dumps([asdict(each) for each in found], indent=2))
    else:
        print(report(found))
    return int(any(each.severity is Severity.ERROR for each in found))


def report(found: Sequence[Finding]) -> str:
    """The findings as text."""
    lines = []
    for each in found:
        what = each.what.replace("\n", "\n    ")
        lines.append(f"{each.severity} {each.code} · {each.where}\n    {what}\n    fix: {each.fix}")
    count = {severity: sum(each.severity is severity for each in found) for severity in Severity}
    told = ", ".join(f"{number} {severity}{'' if number == 1 else 's'}" for severity, number in count.items())
    return "\n".join([*lines, told if found else "Nothing found that would break on Azure."])
