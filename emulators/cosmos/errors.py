"""Every error the emulator answers: status, code, sub-status and text, with where it is known from.

`Refused` carries one of them to the edge, which turns it into a response; nobody else writes an error status.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson


@dataclass(frozen=True, slots=True)
class Kind:
    """One way the service refuses."""

    status: int
    code: str
    text: str
    substatus: int = 0


class Refused(Exception):
    """A request that is answered with an error. `text` replaces the kind's own, `extra` joins the body."""

    def __init__(
        self,
        kind: Kind,
        text: str | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, Any] | None = None,
        charge: float = 1.0,
    ) -> None:
        super().__init__(text or kind.text)
        self.kind = kind
        self.text = text or kind.text
        self.headers = dict(headers or {})
        self.extra = dict(extra or {})
        self.charge = charge

    def body(self, activity_id: str) -> bytes:
        """The JSON that clients get; they print code and message."""
        message = f"{self.text}\r\nActivityId: {activity_id}, {USER_AGENT_OF_SERVICE}"
        return orjson.dumps({"code": self.kind.code, "message": message, **self.extra})


USER_AGENT_OF_SERVICE = "Local-Azure-Cosmos-Emulator/0.1"
"""The service names its build here; we say who we are."""


def wrapped(*texts: str) -> str:
    """`texts` as the storage layer's errors reach clients through the gateway: `Message: {"Errors":[…]}`."""
    return f"Message: {orjson.dumps({'Errors': list(texts)}).decode()}"


# Texts as seen of the service where someone wrote them down: Cosmos issues, the .NET SDK's emulator tests.
BAD_REQUEST = Kind(400, "BadRequest", wrapped("One of the specified inputs is invalid"))
BAD_BODY = Kind(400, "BadRequest", "The request body must be a JSON object.")
MISSING_ID = Kind(
    400, "BadRequest", wrapped("The input content is invalid because the required properties - 'id; ' - are missing")
)
BAD_HEADER = Kind(400, "BadRequest", "The value of a request header is invalid.")
MISSING_PARTITION_KEY = Kind(400, "BadRequest", "PartitionKey value must be supplied for this operation.")
PARTITION_KEY_MISMATCH = Kind(
    400,
    "BadRequest",
    wrapped("PartitionKey extracted from document doesn't match the one specified in the header"),
    1001,
)
BATCH_PARTITION_KEY_MISMATCH = Kind(
    400,
    "BadRequest",
    wrapped(
        "Partition key provided either doesn't correspond to definition in the collection or doesn't match "
        "partition key field values specified in the document."
    ),
    1001,
)
CROSS_PARTITION_NOT_SERVABLE = Kind(
    400, "BadRequest", "The provided cross partition query can not be directly served by the gateway.", 1004
)
CROSS_PARTITION_DISABLED = Kind(
    400,
    "BadRequest",
    "Cross partition query is required but disabled. Please set x-ms-documentdb-query-enablecrosspartition to true, "
    "specify x-ms-documentdb-partitionkey, or revise your query to avoid this exception.",
)
BAD_PATH = Kind(400, "BadRequest", "Request url is invalid.")
BAD_CONTINUATION = Kind(400, "BadRequest", "The continuation token is not one of this query's.")
CONTAINER_RID_MISMATCH = Kind(
    400, "BadRequest", "The container's resource id is not the one that the request intended.", 1024
)
UNAUTHORIZED = Kind(
    401,
    "Unauthorized",
    "The input authorization token can't serve the request. The wrong key is being used or the expected payload "
    "is not built as per the protocol.",
)
MISSING_AUTHORIZATION = Kind(401, "Unauthorized", "Required Header authorization is missing.")
FORBIDDEN = Kind(403, "Forbidden", "The request is outside what its authorization token permits.")
DATE_SKEWED = Kind(
    403, "Forbidden", "The authorization token is not valid at the current time: its date is too far from the server's."
)
TOKEN_EXPIRED = Kind(403, "Forbidden", "The authorization token has expired.")
AAD_METADATA_WRITE = Kind(
    403, "Forbidden", "Request for a metadata operation is blocked: use the account key or the control plane.", 5300
)
NOT_FOUND = Kind(
    404,
    "NotFound",
    wrapped(
        "Resource Not Found. Learn more: https://aka.ms/cosmosdb-tsg-not-found",
        "Entity with the specified id does not exist in the system.",
    ),
)
OWNER_NOT_FOUND = Kind(404, "NotFound", wrapped("Owner resource does not exist"), 1003)
SESSION_NOT_AVAILABLE = Kind(404, "NotFound", "The read session is not available for the input session token.", 1002)
METHOD_NOT_ALLOWED = Kind(405, "MethodNotAllowed", "The requested verb is not supported on this resource.")
CONFLICT = Kind(
    409,
    "Conflict",
    wrapped(
        "Resource with specified id, name, or unique index already exists.",
        "Entity with the specified id already exists in the system.",
    ),
)
UNIQUE_INDEX_CONFLICT = Kind(409, "Conflict", wrapped("Unique index constraint violation."))
RANGE_GONE = Kind(410, "Gone", "The requested resource is no longer available at the server.", 1002)
PRECONDITION_FAILED = Kind(412, "PreconditionFailed", wrapped("One of the specified pre-condition is not met"))
PATCH_CONDITION_FAILED = Kind(412, "PreconditionFailed", wrapped("One of the specified pre-condition is not met"), 1110)
TOO_LARGE = Kind(413, "RequestEntityTooLarge", wrapped("Request size is too large"))
FAILED_DEPENDENCY = Kind(424, "FailedDependency", "")
THROTTLED = Kind(
    429,
    "TooManyRequests",
    wrapped(
        "Request rate is large. More Request Units may be needed, so no changes were made. Please retry this "
        "request later. Learn more: http://aka.ms/cosmosdb-error-429"
    ),
    3200,
)
SCRIPT_FAILED = Kind(400, "BadRequest", wrapped("The script failed."))
SCRIPT_TIMED_OUT = Kind(408, "RequestTimeout", wrapped("The script was ended: it ran longer than it may."))
SCRIPT_PARTITION_KEY = (
    "Requests originating from scripts cannot reference partition keys other than the one for which client request "
    "was submitted."
)
"""What a script is told when it writes an item of another partition."""
RETRY_WITH = Kind(449, "RetryWith", "Conflicting request to resource has been attempted. Retry to avoid conflicts.")
NOT_BUILT = Kind(501, "NotImplemented", "This emulator does not implement the operation.")

BY_STATUS = {
    400: BAD_REQUEST,
    401: UNAUTHORIZED,
    403: FORBIDDEN,
    404: NOT_FOUND,
    409: CONFLICT,
    410: RANGE_GONE,
    412: PRECONDITION_FAILED,
    413: TOO_LARGE,
    429: THROTTLED,
    408: Kind(408, "RequestTimeout", "Request timed out."),
    449: RETRY_WITH,
    500: Kind(500, "InternalServerError", "Unknown server error occurred when processing this request."),
    503: Kind(503, "ServiceUnavailable", "Service is currently unavailable, please retry after a while."),
}
"""The kind that a fault rule's bare status stands for."""


def of_status(status: int, substatus: int) -> Kind:
    """The kind for a status that a fault rule asks for."""
    known = BY_STATUS.get(status) or Kind(status, "ServiceError", "The emulator was told to fail this request.")
    return Kind(known.status, known.code, known.text, substatus)
