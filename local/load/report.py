"""Prints what a load found: JSON, or one line for each figure and each thing that is wrong."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

SHOWN_MAX = 20
"""Of each kind of thing that is wrong; the JSON has all."""


def tell(report: Mapping[str, Any], *, as_json: bool) -> int:
    """Print `report`; the exit code, 0 when it `holds`."""
    if as_json:
        json.dump(report, sys.stdout, indent=2)
        print()
    else:
        _show(report)
    return 0 if report["holds"] else 1


def _show(report: Mapping[str, Any]) -> None:
    table = Table("figure", "")
    console = Console()
    for name, value in report.items():
        if isinstance(value, Mapping):
            for each, figure in value.items():
                table.add_row(f"{name} {each}", str(figure))
        elif isinstance(value, list):
            table.add_row(name, str(len(value)), style="red" if value else "green")
        else:
            table.add_row(name, str(value))
    console.print(table)
    for name, value in report.items():
        for each in value[:SHOWN_MAX] if isinstance(value, list) else ():
            console.print(f"{name}: {each}", style="red", markup=False)
