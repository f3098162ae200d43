"""A request's query and how the language's refusals are answered; and queries asked of what is at hand.

At hand are resources' descriptions and the one document of a patch condition: small, without index or partitions.
Queries over a container's items are `operations.query`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import orjson

from emulators.cosmos import errors, limits
from emulators.cosmos.errors import Refused
from emulators.cosmos.scripts.functions import FunctionCalls
from emulators.cosmos.sql.computed import Definitions
from emulators.cosmos.sql.errors import QueryRefused, QueryUnbuilt, QueryUnservable
from emulators.cosmos.sql.functions import Context
from emulators.cosmos.sql.functions.dates import TICKS_PER_SECOND
from emulators.cosmos.sql.statement import Row, prepare
from emulators.cosmos.sql.values import Value, depth
from emulators.cosmos.store.catalog import Container
from emulators.cosmos.store.shelf import DiskShelf
from emulators.cosmos.wire import Call


def select(call: Call, documents: Iterable[dict[str, Any]]) -> list[Any]:
    """The results of the call's query over `documents`. Raises Refused."""
    text, parameters = asked(call)
    with refusals():
        statement, context = prepare(text), context_of(call, parameters)
        window = statement.window(context)
        if statement.is_collected:
            values = list(statement.collect(documents, context).results())
        else:
            rows: list[Row] = [row for document in documents for row in statement.rows(document, context)]
            if statement.is_sorted:
                rows.sort(key=lambda row: row.sort_key)
            values = [row.value for row in rows]
        end = None if window.take is None else window.skip + window.take
        return values[window.skip : end]


def holds(call: Call, condition: str, document: dict[str, Any]) -> bool:
    """Whether a document meets `FROM c WHERE …`. Raises Refused."""
    with refusals():
        statement = prepare(f"SELECT * {condition}")
        return any(True for _ in statement.rows(document, context_of(call, {})))


def asked(call: Call) -> tuple[str, dict[str, Value]]:
    """The query text of a request and its parameters by name. Raises Refused."""
    if call.header("content-type").partition(";")[0].strip().lower() == "application/sql":
        return call.request.body.decode("utf-8", "replace"), {}
    body = call.json_object()
    text, given = body.get("query"), body.get("parameters") or []
    if not isinstance(text, str) or not isinstance(given, list):
        raise Refused(errors.BAD_REQUEST)
    if not all(isinstance(each, dict) and "name" in each for each in given):
        raise Refused(errors.BAD_REQUEST)
    if depth(given) > limits.NESTING_MAX:
        raise Refused(errors.BAD_REQUEST, errors.wrapped("A parameter of the query is nested too deeply."))
    return text, {str(each["name"]): each.get("value") for each in given}


def context_of(
    call: Call,
    parameters: Mapping[str, Value],
    container: Container | None = None,
    user_function: Callable[[str, list[Value]], Value] | None = None,
) -> Context:
    """What a query knows beside its documents; `user_function` calls those of `functions_of`."""
    clock = call.account.clock

    def ticks() -> int:
        return int(clock.now() * TICKS_PER_SECOND)

    def none_here(name: str, arguments: list[Value]) -> Value:
        raise QueryUnbuilt(f"the user-defined function {name} outside a query over items")

    geometry = container.resource.body.get("geospatialConfig") if container else None
    planar = isinstance(geometry, dict) and geometry.get("type") == "Geometry"
    function = user_function or none_here
    return Context(
        parameters, ticks, ticks(), call.account.ids.chance, function, _embeddings(container), planar, DiskShelf
    )


def functions_of(call: Call, container: Container, query: str, *, in_script: bool = False) -> FunctionCalls:
    """The container's user-defined functions, for the evaluation of one page of `query` over its items."""

    def text_of(name: str) -> str:
        found = call.account.store.catalog.find("udfs", container.resource.rid, name)
        if found is None:
            raise Refused(errors.BAD_REQUEST, f"The user-defined function '{name}' is not defined in the container.")
        return str(found.body["body"])

    return FunctionCalls(call.account.scripts, query, text_of, in_script=in_script)


def computed_properties(container: Container) -> Definitions:
    """(name, query) of the container's computed properties."""
    listed = container.resource.body.get("computedProperties") or []
    return tuple((str(each["name"]), str(each["query"])) for each in listed)


def _embeddings(container: Container | None) -> dict[str, dict[str, Any]]:
    policy = container.resource.body.get("vectorEmbeddingPolicy") if container else None
    listed = policy.get("vectorEmbeddings", []) if isinstance(policy, dict) else []
    return {str(each.get("path")): each for each in listed}


@contextmanager
def refusals() -> Iterator[None]:
    """Answer what the language refuses inside as the service does: 400 with findings or a text, 501 by name."""
    try:
        yield
    except QueryRefused as refused:
        findings = [
            {
                "severity": "Error",
                **({} if each.start is None else {"location": {"start": each.start, "end": each.end}}),
                "code": each.code,
                "message": each.message,
            }
            for each in refused.findings
        ]
        text = f"Message: {orjson.dumps({'errors': findings}).decode()}"
        raise Refused(errors.BAD_REQUEST, text) from None
    except QueryUnservable as refused:
        raise Refused(errors.BAD_REQUEST, errors.wrapped(str(refused))) from None
    except QueryUnbuilt as unbuilt:
        raise Refused(errors.NOT_BUILT, f"{unbuilt} is not implemented in this emulator.") from None
