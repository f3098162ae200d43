"""One ARM request and the forms of its answers: JSON, pages of a list, long-running operations."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from urllib.parse import quote, urlencode

import orjson

from emulators.base.ids import Ids
from emulators.base.serving import Request, Response
from emulators.eventgrid import errors, limits
from emulators.eventgrid.catalogue import Catalogue
from emulators.eventgrid.errors import Refused
from emulators.eventgrid.handshake import Outcome
from emulators.eventgrid.management.odata import parse_filter
from emulators.eventgrid.provisioning import Provisioning
from emulators.eventgrid.topics import invalid

OPERATIONS_PATH = "/subscriptions/local/providers/Microsoft.EventGrid/locations/local/operationsStatus/"


@dataclass(frozen=True, slots=True)
class Call:
    """One ARM request: the path's names, the body, and the address it was called by."""

    request: Request
    names: Mapping[str, str | None]

    @property
    def base_url(self) -> str:
        """Scheme and authority as the client called them."""
        return f"{self.request.scheme}://{self.request.host}"

    def name(self, of: str) -> str:
        """A name that the path has."""
        found = self.names[of]
        assert found is not None, "the route demands it"
        return found

    def body(self) -> dict[str, Any]:
        """The body as a JSON object. Raises Refused."""
        try:
            document = orjson.loads(self.request.body)
        except orjson.JSONDecodeError as failure:
            raise Refused(errors.ARM_BAD_JSON, f"The request content is not valid JSON: {failure}.") from failure
        if not isinstance(document, dict):
            raise Refused(errors.ARM_BAD_JSON, "The request content must be a JSON object.")
        return document

    def properties(self) -> dict[str, Any]:
        """The body's `properties`. Raises Refused."""
        return inner(self.body())

    def page(self, shown: Sequence[dict[str, Any]]) -> Response:
        """The part of a list that `$filter`, `$top` and `$skiptoken` ask for, with a link to the next."""
        query = dict(self.request.query)
        top = _whole(query, "$top", limits.RESOURCES_PER_PAGE, limits.RESOURCES_PER_PAGE_MAX)
        begin = _whole(query, "$skiptoken", 0, 2**53)
        if text := query.get("$filter"):
            wanted = parse_filter(text)
            shown = [each for each in shown if wanted(each["name"])]
        document: dict[str, Any] = {"value": shown[begin : begin + top]}
        if begin + top < len(shown):
            following = urlencode({**query, "$skiptoken": begin + top})
            document["nextLink"] = f"{self.base_url}{quote(self.request.path)}?{following}"
        return json_answer(200, document)


def _whole(query: Mapping[str, str], name: str, default: int, most: int) -> int:
    text = query.get(name)
    if text is None:
        return default
    if not text.isdecimal() or not (0 if default == 0 else 1) <= int(text) <= most:
        raise invalid(f"{name} must be a whole number up to {most}.")
    return int(text)


class Operations:
    """The long-running operations whose outcome somebody may poll; the oldest are forgotten first."""

    def __init__(self, ids: Ids) -> None:
        self._ids = ids
        self._outcomes: OrderedDict[str, Outcome] = OrderedDict()

    def headers(self, call: Call, outcome: Outcome) -> dict[str, str]:
        """The headers that tell a client where to poll `outcome`."""
        token = self._ids.guid()
        self._outcomes[token] = outcome
        while len(self._outcomes) > limits.OPERATIONS_KEPT:
            self._outcomes.popitem(last=False)
        address = f"{call.base_url}{OPERATIONS_PATH}{token}?{call.request.query_string}"
        return {"azure-asyncoperation": address, "location": address, "retry-after": "0"}

    def status(self, token: str) -> dict[str, Any]:
        """How an operation stands. Raises Refused."""
        outcome = self._outcomes.get(token)
        if outcome is None:
            raise Refused(errors.ARM_NOT_FOUND, "There is no such operation, or it was long ago.")
        document: dict[str, Any] = {"id": OPERATIONS_PATH + token, "name": token, "status": outcome.status}
        if outcome.status in ("Failed", "Canceled"):
            code = "Url validation" if outcome.status == "Failed" else "OperationCanceled"
            document["error"] = {"code": code, "message": f"The operation did not succeed: {outcome.error}."}
        return document


@dataclass(frozen=True, slots=True)
class Arm:
    """What the operations work with."""

    provisioning: Provisioning
    ids: Ids
    operations: Operations = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "operations", Operations(self.ids))

    @property
    def catalogue(self) -> Catalogue:
        """The resources there are."""
        return self.provisioning.catalogue

    def accepted(self, call: Call) -> Response:
        """202 for a deletion, which is over by the time it is polled."""
        return Response(202, self.operations.headers(call, Outcome("Succeeded")))


Operation: TypeAlias = Callable[[Arm, Call], Awaitable[Response]]


def inner(body: Mapping[str, Any]) -> dict[str, Any]:
    """The `properties` of a body. Raises Refused."""
    properties = body.get("properties")
    if properties is not None and not isinstance(properties, dict):
        raise invalid("properties must be an object.")
    return properties or {}


def not_found(arm_id: str) -> Refused:
    """ARM's 404."""
    return Refused(errors.ARM_NOT_FOUND, f"The Resource '{arm_id}' was not found.")


def json_answer(status: int, document: object, headers: Mapping[str, str] | None = None) -> Response:
    """An answer in JSON."""
    return Response(
        status, {"content-type": "application/json; charset=utf-8", **(headers or {})}, orjson.dumps(document)
    )
