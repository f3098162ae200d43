"""Which deployment a command works on: the app's own settings, from the environment, a file, or single flags.

A file is `local.settings.json`, or what `az functionapp config appsettings list` prints. It wins over the environment,
since whoever names a file means it; `--set` wins over both.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from operations.errors import CommandFailed
from operations.limits import SETTINGS_BYTES_MAX

CONNECTION_SETTING = "CosmosDBConnection"


def read_settings(environment: Mapping[str, str], file: Path | None, assignments: Sequence[str]) -> dict[str, str]:
    """The settings that hold. Raises CommandFailed naming what cannot be read."""
    settings = dict(environment)
    if file is not None:
        settings |= _read_file(file)
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if not equals or not name:
            raise CommandFailed(f"--set takes NAME=VALUE, not {name!r}.")
        settings[name] = value
    _check_connection(settings.get(CONNECTION_SETTING, ""))
    return settings


def _check_connection(text: str) -> None:
    """The SDK takes a wrong one for a mistake of ours."""
    names = {part.partition("=")[0] for part in text.split(";") if "=" in part}
    if text and not names >= {"AccountEndpoint", "AccountKey"}:
        raise CommandFailed(
            f"{CONNECTION_SETTING} is not a connection string, which reads AccountEndpoint=https://…;AccountKey=…; "
            f"for use with an identity set {CONNECTION_SETTING}__accountEndpoint instead."
        )


def _read_file(file: Path) -> dict[str, str]:
    try:
        if file.stat().st_size > SETTINGS_BYTES_MAX:
            raise CommandFailed(f"{file} is too large to be a settings file.")
        document = json.loads(file.read_text(encoding="utf-8-sig"))
    except OSError as failure:
        raise CommandFailed(f"The settings file cannot be read: {failure}.") from failure
    except (ValueError, RecursionError) as failure:
        raise CommandFailed(f"{file} is not JSON: {failure}.") from failure
    return _values(document, file)


def _values(document: Any, file: Path) -> dict[str, str]:
    if isinstance(document, list):
        pairs = [(each.get("name"), each.get("value")) for each in document if isinstance(each, dict)]
    elif isinstance(document, dict) and isinstance(document.get("Values"), dict):
        if document.get("IsEncrypted"):
            raise CommandFailed(f"{file} is encrypted; decrypt it with `func settings decrypt`.")
        pairs = list(document["Values"].items())
    else:
        pairs = []
    settings = {name: value for name, value in pairs if isinstance(name, str) and isinstance(value, str)}
    if not settings:
        raise CommandFailed(
            f"{file} holds no settings: give a local.settings.json, or what "
            "`az functionapp config appsettings list` prints."
        )
    return settings
