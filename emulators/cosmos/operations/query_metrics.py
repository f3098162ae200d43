"""What a query tells of its work when asked: the metrics header, and which indexes served it or could have."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import orjson

from emulators.cosmos.sql.advice import advice
from emulators.cosmos.sql.nodes import Between, Binary, Call, Expression, In, Logical, Name, Query, path
from emulators.cosmos.sql.printer import expression_text
from emulators.cosmos.store.catalog import Container

METRICS_HEADER = "x-ms-documentdb-query-metrics"
INDEX_HEADER = "x-ms-cosmos-index-utilization"
ADVICE_HEADER = "x-ms-cosmos-query-advice"
_COMPARISONS = frozenset({"=", "!=", "<>", "<", "<=", ">", ">="})
_INDEXED_FUNCTIONS = frozenset({"STARTSWITH", "CONTAINS", "ENDSWITH", "STRINGEQUALS", "IS_DEFINED", "ARRAY_CONTAINS"})


def metrics(*, seconds: float, loaded: int, loaded_bytes: int, given: int, given_bytes: int) -> str:
    """The metrics header. Times are of the whole page; we do not take it apart as the service does."""
    milliseconds = f"{seconds * 1000:.2f}"
    utilization = 1.0 if loaded == 0 else min(given / loaded, 1.0)
    entries: dict[str, object] = {
        "totalExecutionTimeInMs": milliseconds,
        "queryCompileTimeInMs": "0.00",
        "queryLogicalPlanBuildTimeInMs": "0.00",
        "queryPhysicalPlanBuildTimeInMs": "0.00",
        "queryOptimizationTimeInMs": "0.00",
        "VMExecutionTimeInMs": milliseconds,
        "indexLookupTimeInMs": "0.00",
        "documentLoadTimeInMs": "0.00",
        "systemFunctionExecuteTimeInMs": "0.00",
        "userFunctionExecuteTimeInMs": "0.00",
        "retrievedDocumentCount": loaded,
        "retrievedDocumentSize": loaded_bytes,
        "outputDocumentCount": given,
        "outputDocumentSize": given_bytes,
        "writeOutputTimeInMs": "0.00",
        "indexUtilizationRatio": f"{utilization:.2f}",
    }
    return ";".join(f"{name}={value}" for name, value in entries.items())


def query_advice(query: Query) -> str:
    """The advice header: a JSON array of rules, URL-encoded."""
    return quote(orjson.dumps([{"Id": rule, "Params": []} for rule in advice(query)]))


def index_utilization(container: Container, query: Query, *, keyed: bool) -> str:
    """The index header: base64 of JSON, in the form that the Python SDK decodes."""
    singles, composites = _used(container, query, keyed=keyed)
    told = {
        "UtilizedSingleIndexes": [_single(text, spec) for text, spec in singles],
        "PotentialSingleIndexes": [],
        "UtilizedCompositeIndexes": [
            {"IndexSpecs": specs, "IndexPreciseSet": True, "IndexImpactScore": "High"} for specs in composites
        ],
        "PotentialCompositeIndexes": [],
    }
    return base64.b64encode(orjson.dumps(told)).decode()


def index_utilization_v2(container: Container, query: Query, *, keyed: bool) -> str:
    """The same in the second version's form: URL-encoded JSON, each index once."""
    singles, composites = _used(container, query, keyed=keyed)
    used = {
        "SingleIndexes": [{"IndexSpec": spec} for spec in dict.fromkeys(spec for _, spec in singles)],
        "CompositeIndexes": [{"IndexSpecs": specs} for specs in composites],
    }
    unused: dict[str, list[object]] = {"SingleIndexes": [], "CompositeIndexes": []}
    return quote(orjson.dumps({"UtilizedIndexes": used, "PotentialIndexes": unused}))


def _used(container: Container, query: Query, *, keyed: bool) -> tuple[list[tuple[str, str]], list[list[str]]]:
    """(predicate, path of its index) of the single indexes that serve a query, and the paths of composite ones."""
    singles: list[tuple[str, str]] = []
    if keyed:
        singles = [("", f"{path_text}/?") for path_text in container.resource.body["partitionKey"]["paths"]]
    alias = query.sources[0].name if query.sources and isinstance(query.sources[0].origin, Name) else None
    if query.where is not None:
        singles += _filters(query.where, alias)
    if len(query.order_by) < 2:
        return singles, []
    specs = [
        f"{_spec(key.expression, alias)} {'DESC' if key.descends else 'ASC'}".replace("/?", "")
        for key in query.order_by
    ]
    return singles, [specs]


def _single(text: str, spec: str) -> dict[str, Any]:
    return {
        "FilterExpression": text,
        "IndexSpec": spec,
        "FilterPreciseSet": True,
        "IndexPreciseSet": True,
        "IndexImpactScore": "High",
    }


def _filters(node: Expression, alias: str | None) -> Iterator[tuple[str, str]]:
    """(the predicate's text, the index path that serves it) of each predicate over a path of the container."""
    match node:
        case Logical(operands=operands):
            for operand in operands:
                yield from _filters(operand, alias)
            return
        case Binary(operator=operator, left=left, right=right) if operator in _COMPARISONS:
            candidates = [left, right]
        case In(needle=needle):
            candidates = [needle]
        case Between(operand=operand):
            candidates = [operand]
        case Call(arguments=arguments) if node.function in _INDEXED_FUNCTIONS:
            candidates = list(arguments[:1])
        case _:
            return
    for candidate in candidates:
        if spec := _spec(candidate, alias):
            yield expression_text(node), spec
            return


def _spec(node: Expression, alias: str | None) -> str:
    found = path(node)
    if found is None or found[0] != alias or not found[1]:
        return ""
    return "".join(f"/{step}" if isinstance(step, str) else "/[]" for step in found[1]) + "/?"
