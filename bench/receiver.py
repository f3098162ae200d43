"""`python -m bench.receiver`: a webhook that agrees to handshakes, notes when events arrive, and hangs where told to.

Paths below /hang are never answered; `POST /gate/PATH` with 0 or 1 holds the deliveries to /PATH or lets them go.
`GET /arrived?count=N` answers, once N events have arrived, with their moments by path and id, and forgets them.
"""

from __future__ import annotations

import asyncio
import time

import orjson

from emulators.base.cli import announce
from emulators.base.control import json_response
from emulators.base.serving import Application, Bind, Request, Response, run

BODY_BYTES_MAX = 64 * 1024 * 1024


class Receiver:
    """What came, and when, by the clock that all processes of a machine share."""

    def __init__(self) -> None:
        self._arrived: dict[str, float] = {}
        self._gates: dict[str, asyncio.Event] = {}
        self._changed = asyncio.Condition()
        self._over = asyncio.Event()

    def application(self) -> Application:
        """What is served."""
        return Application(self.handle, lambda request: Response(413), BODY_BYTES_MAX, stopping=self._over.set)

    async def handle(self, request: Request) -> Response:
        """A question of the benchmark, a handshake, a delivery, or a bare POST."""
        if request.path == "/arrived":
            return await self._tell(int(dict(request.query)["count"]))
        if request.path.startswith("/gate/"):
            gate = self._gates.setdefault(request.path.removeprefix("/gate"), asyncio.Event())
            gate.set() if request.body == b"1" else gate.clear()
            return Response(204)
        if request.headers.get("aeg-event-type") == "SubscriptionValidation":
            code = orjson.loads(request.body)[0]["data"]["validationCode"]
            return json_response(200, {"validationResponse": code})
        if request.path.startswith("/hang"):
            await self._over.wait()
        if request.path in self._gates:
            await self._gates[request.path].wait()
        moment = time.monotonic()
        if request.headers.get("aeg-event-type") == "Notification":
            for event in orjson.loads(request.body):
                self._arrived[f"{request.path} {event['id']}"] = moment
            async with self._changed:
                self._changed.notify_all()
        return Response(200)

    async def _tell(self, count: int) -> Response:
        async with self._changed:
            await self._changed.wait_for(lambda: len(self._arrived) >= count)
        arrived, self._arrived = self._arrived, {}
        return json_response(200, {"arrived": arrived, "now": time.monotonic()})


if __name__ == "__main__":
    run(Receiver().application(), Bind(), ready=announce, exits_with_stdin=True)
