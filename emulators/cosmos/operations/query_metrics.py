"""What a query tells of its work when asked: the metrics header, and which indexes served it or could have."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import quote

import orjson

from emulators.cosmos.sql.advice import advice
from emulators.cosmos.sql.nodes import Query
from emulators.cosmos.sql.utilization import Utilization, utilization
from emulators.cosmos.store.catalog import Container

METRICS_HEADER = "x-ms-documentdb-query-metrics"
INDEX_HEADER = "x-ms-cosmos-index-utilization"
ADVICE_HEADER = "x-ms-cosmos-query-advice"


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
    told = _told(container, query)
    keys = [("", spec) for spec in _key_specs(container) if keyed]
    singles = [*keys, *((each.text, each.spec) for each in told.used)]
    document = {
        "UtilizedSingleIndexes": [_single(text, spec) for text, spec in singles],
        "PotentialSingleIndexes": [_single(each.text, each.spec) for each in told.missing],
        "UtilizedCompositeIndexes": [_composite(specs) for specs in told.used_composites],
        "PotentialCompositeIndexes": [_composite(specs) for specs in told.missing_composites],
    }
    return base64.b64encode(orjson.dumps(document)).decode()


def index_utilization_v2(container: Container, query: Query, *, keyed: bool) -> str:
    """The same in the second version's form: URL-encoded JSON, each index once."""
    told = _told(container, query)
    keys = [spec for spec in _key_specs(container) if keyed]
    used = dict.fromkeys((*keys, *(each.spec for each in told.used)))
    missing = dict.fromkeys(each.spec for each in told.missing)
    high = {"IndexImpactScore": "High"}
    document = {
        "UtilizedIndexes": {
            "SingleIndexes": [{"IndexSpec": spec} for spec in used],
            "CompositeIndexes": [{"IndexSpecs": specs} for specs in told.used_composites],
        },
        "PotentialIndexes": {
            "SingleIndexes": [{"IndexSpec": spec, **high} for spec in missing],
            "CompositeIndexes": [{"IndexSpecs": specs, **high} for specs in told.missing_composites],
        },
    }
    return quote(orjson.dumps(document))


def _told(container: Container, query: Query) -> Utilization:
    policy = container.resource.body.get("indexingPolicy")
    return utilization(query, policy if isinstance(policy, dict) else {})


def _key_specs(container: Container) -> list[str]:
    return [f"{each}/?" for each in container.resource.body["partitionKey"]["paths"]]


def _single(text: str, spec: str) -> dict[str, Any]:
    precise = {"FilterPreciseSet": True, "IndexPreciseSet": True}
    return {"FilterExpression": text, "IndexSpec": spec, **precise, "IndexImpactScore": "High"}


def _composite(specs: list[str]) -> dict[str, Any]:
    return {"IndexSpecs": specs, "IndexPreciseSet": True, "IndexImpactScore": "High"}
