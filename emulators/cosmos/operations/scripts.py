"""Stored procedures, triggers and user-defined functions: their texts; and the execution of stored procedures."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from emulators.base.serving import Response
from emulators.cosmos import charges, errors, limits
from emulators.cosmos.crud import Crud
from emulators.cosmos.errors import Refused
from emulators.cosmos.operations.scripted import Transaction, script_of, transact
from emulators.cosmos.resources import is_named
from emulators.cosmos.scripts.dialogue import Outcome, ScriptFailed
from emulators.cosmos.store.catalog import Resource
from emulators.cosmos.wire import Call, answer, container_headers

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


async def execute(call: Call) -> Response:
    """POST sprocs/R: run a stored procedure in a transaction on the partition that the headers name."""
    procedure, arguments = call.resource(), _arguments(call)
    if call.partition_key_or_prefix() is None and call.header("x-ms-documentdb-partitionkeyrangeid"):
        raise Refused(errors.NOT_BUILT, "A stored procedure on a whole physical partition is not implemented.")
    logs = call.flag("x-ms-documentdb-script-enable-logging")

    async def work(transaction: Transaction) -> Outcome:
        request = {"Body": (arguments, False), "OperationType": ("Execute", False)}
        script = script_of(
            call,
            transaction.container,
            procedure,
            arguments=arguments,
            request=request,
            response={"Body": ("", True)},
            logs=logs,
        )
        return await transaction.run(script)

    try:
        outcome, transaction, lsn = await transact(call, work)
    except ScriptFailed as failed:
        failed.headers |= _log(failed.log)
        raise
    headers = container_headers(call, transaction.container, transaction.range, lsn) | _log(outcome.log)
    body = (outcome.response or "").encode("utf-8", "replace")
    return answer(call, 200, body, charge=charges.SCRIPT + transaction.charge, headers=headers)


def _arguments(call: Call) -> list[Any]:
    if not call.request.body:
        return []
    arguments = call.json()
    if not isinstance(arguments, list):
        raise Refused(errors.BAD_BODY, "The body of a stored procedure's execution is an array of its arguments.")
    return arguments


def _log(text: str) -> dict[str, str]:
    return {"x-ms-documentdb-script-log-results": quote(text, safe="")} if text else {}
