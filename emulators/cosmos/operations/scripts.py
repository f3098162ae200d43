"""Stored procedures, triggers and user-defined functions: their texts. Running them is not built yet."""

from __future__ import annotations

from typing import Any

from emulators.cosmos import errors, limits
from emulators.cosmos.crud import Crud
from emulators.cosmos.errors import Refused
from emulators.cosmos.resources import is_named
from emulators.cosmos.store.catalog import Resource
from emulators.cosmos.wire import Call

TRIGGER_TYPES = ("Pre", "Post")
TRIGGER_OPERATIONS = ("All", "Create", "Update", "Delete", "Replace")


def _check_script(_: Call, owner: Resource, sent: dict[str, Any], old: Resource | None) -> dict[str, Any]:
    text = sent.get("body")
    if not isinstance(text, str):
        raise Refused(errors.BAD_REQUEST, errors.wrapped("The body of a script must be a string."))
    if len(text.encode()) > limits.SCRIPT_BYTES_MAX:
        raise Refused(errors.TOO_LARGE)
    return {"id": sent["id"], "body": text}


def _check_trigger(call: Call, owner: Resource, sent: dict[str, Any], old: Resource | None) -> dict[str, Any]:
    kind, operation = sent.get("triggerType"), sent.get("triggerOperation")
    if not is_named(kind, TRIGGER_TYPES) or not is_named(operation, TRIGGER_OPERATIONS):
        raise Refused(
            errors.BAD_REQUEST,
            errors.wrapped(
                f"A trigger has a triggerType ({', '.join(TRIGGER_TYPES)}) and a triggerOperation "
                f"({', '.join(TRIGGER_OPERATIONS)})."
            ),
        )
    return {**_check_script(call, owner, sent, old), "triggerType": kind, "triggerOperation": operation}


procedures = Crud("sprocs", _check_script)
triggers = Crud("triggers", _check_trigger)
functions = Crud("udfs", _check_script)
