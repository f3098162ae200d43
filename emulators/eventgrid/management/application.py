"""The way of an ARM request: authorization, api-version, route, operation, ARM's error body.

Any bearer token opens it: keys guard the data plane, and this emulator knows no identities.
"""

from __future__ import annotations

import re

from emulators.base.ids import Ids
from emulators.base.serving import Request, Response
from emulators.eventgrid import errors
from emulators.eventgrid.errors import Refused
from emulators.eventgrid.management.calls import Arm, Call
from emulators.eventgrid.management.routes import ROUTES
from emulators.eventgrid.provisioning import Provisioning


class Management:
    """Answers requests below /subscriptions and /providers."""

    def __init__(self, provisioning: Provisioning, ids: Ids) -> None:
        self._arm = Arm(provisioning, ids)

    def owns(self, path: str) -> bool:
        """Whether `path` is ARM's."""
        return _normal(path).lower().startswith(("/subscriptions/", "/providers/"))

    async def handle(self, request: Request) -> Response:
        """The answer to an ARM request."""
        try:
            _check(request)
            path = _normal(request.path)
            allowed = []
            for method, pattern, operation in ROUTES:
                if found := pattern.fullmatch(path):
                    if method == request.method:
                        return await operation(self._arm, Call(request, found.groupdict()))
                    allowed.append(method)
            if allowed:
                raise Refused(
                    errors.ARM_METHOD_NOT_ALLOWED,
                    f"{request.method} is not supported here.",
                    {"allow": ", ".join(dict.fromkeys(allowed))},
                )
            raise _unknown(request.path)
        except Refused as refused:
            return errors.arm_answer(refused)


def _normal(path: str) -> str:
    """A path with one slash before it: the SDK puts one before scopes that have their own."""
    return "/" + path.strip("/")


def _check(request: Request) -> None:
    if not request.headers.get("authorization", "").lower().startswith("bearer "):
        raise Refused(
            errors.ARM_NO_TOKEN,
            "Authentication failed. The 'Authorization' header is missing.",
            {"www-authenticate": 'Bearer error="invalid_token"'},
        )
    if not dict(request.query).get("api-version"):
        raise Refused(errors.ARM_NO_API_VERSION, "The api-version query parameter (?api-version=) is required.")


def _unknown(path: str) -> Refused:
    """What Event Grid has and this emulator has not is said by name."""
    found = re.search(r"/providers/Microsoft\.EventGrid/(.+)", path, re.IGNORECASE)
    if found:
        return Refused(errors.ARM_NOT_BUILT, f"This emulator does not have 'Microsoft.EventGrid/{found[1]}'.")
    return Refused(errors.ARM_UNKNOWN_PATH, f"The resource type of '{path}' is not one of Microsoft.EventGrid.")
