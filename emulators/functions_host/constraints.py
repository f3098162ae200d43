"""Inline route constraints (`{id:int:min(1)}`): one row each, so that a newcomer adds one in a minute. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal, InvalidOperation

from emulators.functions_host.errors import FunctionInError

Constraint = Callable[[str], bool]

GUID = re.compile(
    r"[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|"
    r"\{[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\}|\([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\)",
    re.IGNORECASE,
)
DATE_FORMATS = ("%m/%d/%Y", "%m/%d/%Y %H:%M", "%m/%d/%Y %H:%M:%S", "%m/%d/%Y %I:%M:%S %p", "%m-%d-%Y", "%Y/%m/%d")
"""Beside ISO 8601, what .NET's invariant culture reads and people write in a path."""


def _integer(text: str, bits: int) -> bool:
    if not re.fullmatch(r"\s*[+-]?[0-9]+\s*", text):
        return False
    return -(1 << bits - 1) <= int(text) < 1 << bits - 1


def _floating(text: str) -> bool:
    if text in ("NaN", "Infinity", "-Infinity", "∞", "-∞"):
        return True
    return re.fullmatch(r"\s*[+-]?([0-9][0-9,]*\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\s*", text) is not None


def _decimal(text: str) -> bool:
    if not re.fullmatch(r"\s*([+-]?([0-9][0-9,]*\.?[0-9]*|\.[0-9]+)|([0-9][0-9,]*\.?[0-9]*|\.[0-9]+)[+-])\s*", text):
        return False
    try:
        return abs(Decimal(text.strip().strip("+-").replace(",", ""))) < Decimal(2) ** 96
    except InvalidOperation:
        return False


def _moment(text: str) -> bool:
    try:
        datetime.fromisoformat(text.strip())
    except ValueError:
        return any(_parses(text.strip(), each) for each in DATE_FORMATS)
    return True


def _parses(text: str, form: str) -> bool:
    try:
        datetime.strptime(text, form)  # noqa: DTZ007 - only whether it parses
    except ValueError:
        return False
    return True


def _whole(text: str) -> float:
    return int(text) if re.fullmatch(r"[+-]?[0-9]{1,19}", text) else math.nan  # a NaN fails every comparison


PLAIN: dict[str, Constraint] = {
    "int": lambda text: _integer(text, 32),
    "long": lambda text: _integer(text, 64),
    "bool": lambda text: text.strip().lower() in ("true", "false"),
    "datetime": _moment,
    "decimal": _decimal,
    "double": _floating,
    "float": _floating,
    "guid": lambda text: GUID.fullmatch(text) is not None,
    "alpha": lambda text: re.fullmatch(r"[a-zA-Z]*", text) is not None,
    "required": lambda text: text != "",
}
"""Constraints without arguments."""

NUMERIC: dict[tuple[str, int], Callable[..., Constraint]] = {
    ("length", 1): lambda exact: lambda text: len(text) == exact,
    ("length", 2): lambda low, high: lambda text: low <= len(text) <= high,
    ("minlength", 1): lambda low: lambda text: len(text) >= low,
    ("maxlength", 1): lambda high: lambda text: len(text) <= high,
    ("min", 1): lambda low: lambda text: _whole(text) >= low,
    ("max", 1): lambda high: lambda text: _whole(text) <= high,
    ("range", 2): lambda low, high: lambda text: low <= _whole(text) <= high,
}
"""Constraints with whole numbers, by name and how many."""


def parse_constraint(expression: str) -> Constraint:
    """The predicate of one inline constraint. Raises FunctionInError for one that the router does not know."""
    name, _, rest = expression.partition("(")
    name = name.strip().lower()
    if not rest and name in PLAIN:
        return PLAIN[name]
    argument = rest.removesuffix(")")
    if name == "regex" and rest:
        try:
            pattern = re.compile(argument, re.IGNORECASE)
        except re.error as refusal:
            raise FunctionInError(
                f"The regular expression of the constraint '{expression}' is invalid: {refusal}."
            ) from refusal
        return lambda text: pattern.search(text) is not None
    arguments = [each.strip() for each in argument.split(",")]
    if all(re.fullmatch(r"[+-]?[0-9]{1,19}", each) for each in arguments) and (name, len(arguments)) in NUMERIC:
        return NUMERIC[name, len(arguments)](*map(int, arguments))
    raise FunctionInError(
        f"The constraint reference '{expression}' could not be resolved to a type. Register the constraint type "
        "with 'Microsoft.AspNetCore.Routing.RouteOptions.ConstraintMap'."
    )
