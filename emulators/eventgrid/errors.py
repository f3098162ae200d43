"""Every refusal of the emulator: status, code, and the body in which the service words it.

The data plane (publishing) and ARM (management) have bodies of their own. Nobody else writes an error status.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus

import orjson

from emulators.base.serving import Response


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of refusal. `detail` is the inner code of the data plane; ARM's errors have none."""

    status: int
    code: str
    detail: str = ""
    reported: bool = True
    """Whether the message ends with the service's request for a report."""


# Data plane: seen on Azure by the parity suite of pm7y/AzureEventGridSimulator, unless said otherwise.
INPUT_JSON_INVALID = Kind(400, "BadRequest", "InputJsonInvalid")
INVALID_SAS = Kind(400, "BadRequest", "InvalidSas")
INVALID_CLOUD_EVENT_HEADER = Kind(400, "BadRequest", "InvalidCloudEventHeader")
UNAUTHORIZED = Kind(401, "Unauthorized", "Unauthorized")
FORBIDDEN = Kind(403, "Forbidden", "Forbidden")  # the docs know the status, not its body
NOT_FOUND = Kind(404, "NotFound", "ResourceNotFound")
METHOD_NOT_ALLOWED = Kind(405, "MethodNotAllowed", "MethodNotAllowed")
TOO_LARGE = Kind(413, "RequestEntityTooLarge", "PayloadTooLarge", reported=False)
UNSUPPORTED_MEDIA_TYPE = Kind(415, "UnsupportedMediaType", "InvalidContentType")
NOT_BUILT = Kind(501, "NotImplemented", "NotImplemented", reported=False)  # the emulator's own

# ARM (documented: Azure Resource Manager's error format; codes from docs troubleshoot-errors).
ARM_INVALID_REQUEST = Kind(400, "InvalidRequest")
ARM_BAD_JSON = Kind(400, "InvalidRequestContent")
ARM_NO_TOKEN = Kind(401, "AuthenticationFailed")
ARM_NOT_FOUND = Kind(404, "ResourceNotFound")
ARM_UNKNOWN_PATH = Kind(404, "InvalidResourceType")
ARM_METHOD_NOT_ALLOWED = Kind(405, "HttpMethodNotAllowed")
ARM_CONFLICT = Kind(409, "Conflict")
ARM_NO_API_VERSION = Kind(400, "MissingApiVersionParameter")
ARM_INVALID_API_VERSION = Kind(400, "InvalidApiVersionParameter")
ARM_NOT_BUILT = Kind(501, "NotImplemented")


def of_status(status: int) -> Kind:
    """The data plane's refusal with any status, for fault rules."""
    try:
        code = HTTPStatus(status).phrase.replace(" ", "")
    except ValueError:
        code = f"Status{status}"  # no standard has a name for it
    return Kind(status, code, code, reported=False)


class Refused(Exception):
    """A request is refused: `kind` says how, the text says why."""

    def __init__(self, kind: Kind, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.headers = headers or {}


class Misstated(ValueError):
    """A part of a resource's body is wrong. The text names the member, counted from `properties`."""


def data_plane_answer(refused: Refused, request_id: str, now: datetime) -> Response:
    """The data plane's error body: the message twice, with a report id in most cases."""
    kind, message = refused.kind, refused.message
    if kind.reported:
        message += (
            f" Report '{request_id}:0:{dotnet_time(now)} (UTC)' to our forums for assistance or raise a support ticket."
        )
    body = {"error": {"code": kind.code, "message": message, "details": [{"code": kind.detail, "message": message}]}}
    headers = {"content-type": "application/json; charset=utf-8", **refused.headers}
    return Response(kind.status, headers, orjson.dumps(body))


def arm_answer(refused: Refused) -> Response:
    """Azure Resource Manager's error body."""
    body = {"error": {"code": refused.kind.code, "message": refused.message}}
    headers = {"content-type": "application/json; charset=utf-8", **refused.headers}
    return Response(refused.kind.status, headers, orjson.dumps(body))


def dotnet_time(moment: datetime) -> str:
    """`moment` as .NET's invariant culture writes it: 11/23/2026 6:05:09 PM."""
    hour = moment.hour % 12 or 12
    half = "AM" if moment.hour < 12 else "PM"
    return f"{moment.month}/{moment.day}/{moment.year} {hour}:{moment:%M:%S} {half}"
