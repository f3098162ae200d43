"""The reference for Event Grid: a server that reads any request and answers it as a topic answers a publish."""

from __future__ import annotations

from emulators.base.cli import announce
from emulators.base.ids import Ids
from emulators.base.serving import Application, Bind, Request, Response, run
from emulators.eventgrid import limits

HEADERS = {"api-supported-versions": "2018-01-01", "x-ms-request-id": Ids().guid()}


async def answer(request: Request) -> Response:
    """200, whatever it is."""
    return Response(200, HEADERS)


if __name__ == "__main__":
    canned = Application(answer, lambda request: Response(413), limits.REQUEST_BYTES_MAX)
    run(canned, Bind(), ready=announce, exits_with_stdin=True)
