"""Answers ARM's requests for topics, domains, system topics and event subscriptions.

Any bearer token opens it: keys guard the data plane, and this emulator knows no identities.
"""

from __future__ import annotations

from emulators.base.ids import Ids
from emulators.base.serving import Request, Response
from emulators.eventgrid import arm
from emulators.eventgrid.management.operations import Arm
from emulators.eventgrid.management.routes import ROUTES
from emulators.eventgrid.provisioning import Provisioning


class Management:
    """What is below /subscriptions and /providers and is no namespace's."""

    def __init__(self, provisioning: Provisioning, ids: Ids) -> None:
        self._arm = Arm(provisioning, ids)

    def owns(self, path: str) -> bool:
        """Whether `path` is ARM's."""
        return arm.normal(path).lower().startswith(("/subscriptions/", "/providers/"))

    async def handle(self, request: Request) -> Response:
        """The answer to an ARM request."""
        return await arm.answer(ROUTES, self._arm, request)
