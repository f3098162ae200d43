"""The account document: where clients learn which endpoint to call and what the query engine allows."""

from __future__ import annotations

from typing import Any

import orjson

from emulators.base.serving import Request, Response
from emulators.cosmos import charges
from emulators.cosmos.wire import Call, answer

QUERY_ENGINE = {
    "maxSqlQueryInputLength": 524288,
    "maxJoinsPerSqlQuery": 10,
    "maxLogicalAndPerSqlQuery": 500,
    "maxLogicalOrPerSqlQuery": 500,
    "maxUdfRefPerSqlQuery": 10,
    "maxInExpressionItemsCount": 16000,
    "queryMaxInMemorySortDocumentCount": 500,
    "maxQueryRequestTimeoutFraction": 0.9,
    "sqlAllowNonFiniteNumbers": False,
    "sqlAllowAggregateFunctions": True,
    "sqlAllowSubQuery": True,
    "sqlAllowScalarSubQuery": True,
    "allowNewKeywords": True,
    "sqlAllowLike": True,
    "sqlAllowGroupByClause": True,
    "maxSpatialQueryCells": 12,
    "spatialMaxGeometryPointCount": 256,
    "sqlDisableOptimizationFlags": 0,
    "sqlAllowTop": True,
    "enableSpatialIndexing": True,
}
"""What the .NET SDK feeds to its own planner; members as in recorded account documents."""


async def read(call: Call) -> Response:
    """GET /."""
    return answer(call, 200, orjson.dumps(document(call)), charge=charges.METADATA)


def document(call: Call) -> dict[str, Any]:
    """The account document, with the endpoint that this client called."""
    endpoint = endpoint_of(call.request)
    location = [{"name": "South Central US", "databaseAccountEndpoint": endpoint}]
    policy: dict[str, Any] = {"defaultConsistencyLevel": call.account.consistency}
    if call.account.consistency == "BoundedStaleness":
        policy |= {"maxStalenessPrefix": 100, "maxIntervalInSeconds": 5}
    replicas = {"minReplicaSetSize": 3, "maxReplicasetSize": 4}
    return {
        "_self": "",
        "id": call.account.name,
        "_rid": f"{call.account.name}.documents.azure.com",
        "media": "//media/",
        "addresses": "//addresses/",
        "_dbs": "//dbs/",
        "writableLocations": location,
        "readableLocations": location,
        "enableMultipleWriteLocations": False,
        "continuousBackupEnabled": False,
        "enableNRegionSynchronousCommit": False,
        "enablePerPartitionFailoverBehavior": False,
        "userReplicationPolicy": {"asyncReplication": False, **replicas},
        "userConsistencyPolicy": policy,
        "systemReplicationPolicy": replicas,
        "readPolicy": {"primaryReadCoefficient": 1, "secondaryReadCoefficient": 1},
        "queryEngineConfiguration": orjson.dumps(QUERY_ENGINE).decode(),
    }


def endpoint_of(request: Request) -> str:
    """The URL that the client called; `localhost` as 127.0.0.1, since clients tell regions apart by host name."""
    name, colon, port = request.host.rpartition(":") if ":" in request.host else (request.host, "", "")
    host = "127.0.0.1" if name.lower() == "localhost" else name
    return f"{request.scheme}://{host}{colon}{port}/"
