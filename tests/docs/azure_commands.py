"""Which words and flags of `az` and `azd` our documents, hooks and workflows may use, and what stands in for both here.

The table is what the programs' own references say (learn.microsoft.com/cli/azure, azd reference). Run as a module this
is the stand-in: it refuses what the table has not, and answers from the JSON file STAND_IN_ANSWERS. It asks nobody.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

_WHICH = frozenset({"-g", "--resource-group", "-n", "--name", "--query", "-o", "--output"})
FLAGS: Mapping[str, Mapping[str, frozenset[str]]] = {
    "az": {
        "login": frozenset(),
        "bicep build": frozenset({"--file", "--stdout"}),
        "cosmosdb restore": frozenset(),
        "deployment group create": _WHICH | {"--template-file", "--parameters"},
        "functionapp config appsettings list": _WHICH,
        "functionapp deployment source config-zip": _WHICH | {"--src", "--build-remote"},
        "functionapp keys list": _WHICH,
        "functionapp list-flexconsumption-locations": frozenset({"-o", "--output"}),
    },
    "azd": {
        "auth login": frozenset({"--client-id", "--federated-credential-provider", "--tenant-id"}),
        "deploy": frozenset({"--no-prompt", "--all"}),
        "down": frozenset({"--purge", "--force"}),
        "env get-value": frozenset(),
        "env get-values": frozenset(),
        "env new": frozenset(),
        "env set": frozenset(),
        "package": frozenset({"--output-path"}),
        "pipeline config": frozenset(),
        "provision": frozenset({"--preview", "--no-prompt"}),
        "up": frozenset({"--no-prompt"}),
    },
}
EXIT_UNKNOWN = 64


def command_of(program: str, words: Sequence[str]) -> str | None:
    """The longest known command that `words` begin with."""
    return max(
        (each for each in FLAGS[program] if list(words[: len(each.split())]) == each.split()), key=len, default=None
    )


def complaint(program: str, words: Sequence[str]) -> str | None:
    """What is wrong with a line, or None."""
    command = command_of(program, words)
    if command is None:
        return f"{program} {' '.join(words[:3])} is not in the table of known commands"
    unknown = {each.partition("=")[0] for each in words if each.startswith("-")} - FLAGS[program][command]
    return f"{program} {command} has no {min(unknown)}" if unknown else None


def answer(program: str, words: Sequence[str], answers: Mapping[str, object]) -> str:
    """What the stand-in prints: an environment's value, or what the file says for the command."""
    command = command_of(program, words) or ""
    values = answers["values"]
    assert isinstance(values, dict)
    if command == "env get-value":
        return str(values[words[-1]])
    if command == "env get-values":
        return "\n".join(f'{name}="{value}"' for name, value in values.items())
    told = answers.get(f"{program} {command}", "")
    return told if isinstance(told, str) else json.dumps(told)


def main(program: str, words: Sequence[str]) -> int:
    """Behave as `program`."""
    if wrong := complaint(program, words):
        print(wrong, file=sys.stderr)
        return EXIT_UNKNOWN
    file = Path(os.environ["STAND_IN_ANSWERS"])
    with file.with_suffix(".log").open("a", encoding="utf-8") as log:
        log.write(json.dumps([program, *words]) + "\n")
    print(answer(program, words, json.loads(file.read_text(encoding="utf-8"))))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
