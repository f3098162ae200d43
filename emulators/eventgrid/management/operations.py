"""What ARM's operations work with, and how the long-running ones are polled."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

from emulators.base.ids import Ids
from emulators.base.serving import Response
from emulators.eventgrid import limits
from emulators.eventgrid.arm import OPERATIONS, Call, json_answer, not_found
from emulators.eventgrid.catalogue import Catalogue
from emulators.eventgrid.handshake import Outcome
from emulators.eventgrid.provisioning import Provisioning

_DONE = Outcome("Succeeded")
"""How anything stands that was over by the time it was answered (`arm.accepted`)."""


@dataclass(frozen=True, slots=True)
class Arm:
    """The resources, and the operations whose outcome somebody may poll: the oldest are forgotten first."""

    provisioning: Provisioning
    ids: Ids
    outcomes: OrderedDict[str, Outcome] = field(default_factory=OrderedDict)

    @property
    def catalogue(self) -> Catalogue:
        """The resources there are."""
        return self.provisioning.catalogue

    def polled(self, call: Call, outcome: Outcome) -> dict[str, str]:
        """The headers that tell a client where to poll `outcome`."""
        token = self.ids.guid()
        self.outcomes[token] = outcome
        while len(self.outcomes) > limits.OPERATIONS_KEPT:
            self.outcomes.popitem(last=False)
        address = f"{call.base_url}{OPERATIONS}{token}?{call.request.query_string}"
        return {"azure-asyncoperation": address, "retry-after": "0"}


async def operation_status(arm: Arm, call: Call) -> Response:
    """How a long-running operation stands."""
    token = call.name("token")
    outcome = _DONE if token == "done" else arm.outcomes.get(token)  # noqa: S105 - a word in a path
    if outcome is None:
        raise not_found(OPERATIONS + token)
    document: dict[str, Any] = {"id": OPERATIONS + token, "name": token, "status": outcome.status}
    if outcome.status in ("Failed", "Canceled"):
        code = "Url validation" if outcome.status == "Failed" else "OperationCanceled"
        document["error"] = {"code": code, "message": f"The operation did not succeed: {outcome.error}."}
    return json_answer(200, document)
