"""The Event Grid webhook: both handshakes, and one invocation per event, answered when all have ended.

What the extension answers, and when, was read in Microsoft.Azure.WebJobs.Extensions.EventGrid (HttpRequestProcessor,
EventGridExtensionConfigProvider). It never looks at the content type.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

import orjson

from emulators.base.clock import Clock
from emulators.base.serving import Request, Response
from emulators.functions_host.converters import Datum
from emulators.functions_host.dates import round_trip
from emulators.functions_host.http import text_response
from emulators.functions_host.index import Function
from emulators.functions_host.invocation import Call, Invoker
from emulators.functions_host.limits import EVENT_GRID_EVENTS_MAX

TYPE = "eventgridtrigger"
ORIGINS = frozenset(
    {
        "eventgrid.azure.net",
        "eventgrid.azure.us",
        "eventgrid.azure.cn",
        "eventgrid.azure.eaglex.ic.gov",
        "eventgrid.azure.microsoft.scloud",
    }
)


class EventGridWebhook:
    """Answers /runtime/webhooks/eventgrid for the functions given, by name."""

    def __init__(self, functions: Mapping[str, Function], invoker: Invoker, clock: Clock) -> None:
        self._functions = functions
        self._invoker = invoker
        self._clock = clock

    async def handle(self, request: Request, name: str) -> Response:
        """The answer to one request of Event Grid to the function called `name`."""
        function = self._functions.get(name)
        if function is None:
            return unknown_function(name)
        return await answer(request, partial(self._notify, function))

    async def _notify(self, function: Function, events: list[Any]) -> Response:
        if function.trigger.text("cardinality").lower() == "many":
            calls = [self.call(events)] if events else []
        else:
            calls = [self.call(event) for event in events]
        outcomes = await asyncio.gather(*(self._invoker.invoke(function, call) for call in calls))
        if any(outcome.failure for outcome in outcomes):
            return text_response(500, f"Exception while executing function: Functions.{function.name}")
        return Response(202)

    def call(self, event: Any) -> Call:
        """What one event (or, with cardinality many, the array) asks of a function."""
        data = event.get("data") if isinstance(event, dict) else None
        return Call(
            Datum(orjson.dumps(event).decode(), "json"),
            reason=f"EventGrid trigger fired at {round_trip(self._clock.utc().astimezone())}",
            metadata={} if data is None else {"data": Datum(orjson.dumps(data).decode(), "json")},
            data=event if isinstance(event, dict) else {},
        )


def unknown_function(name: str) -> Response:
    """The answer to a request for a function that does not listen to events."""
    return text_response(404, f"cannot find function: '{name}'")


async def answer(request: Request, notify: Callable[[list[Any]], Awaitable[Response]]) -> Response:
    """The answer to Event Grid: to its handshakes by ourselves, to events by `notify`. Raises ValueError."""
    if request.method == "OPTIONS":
        asked = request.headers.get("webhook-request-origin", "")
        allowed = asked if asked in ORIGINS else "eventgrid.azure.net"
        return Response(200, {"webhook-allowed-origin": allowed})
    match request.headers.get("aeg-event-type", "").lower():
        case "subscriptionvalidation":
            return _validation_answer(request.body)
        case "notification":
            return await notify(_events(request.body))
        case "unsubscribe":
            return Response(202)
    return Response(400)


def _events(body: bytes) -> list[Any]:
    document = orjson.loads(body)
    events = [document] if isinstance(document, dict) else document
    if not isinstance(events, list):
        raise ValueError("an Event Grid notification is an array of events or one event")  # noqa: TRY004
    if len(events) > EVENT_GRID_EVENTS_MAX:
        raise ValueError(f"an Event Grid notification holds at most {EVENT_GRID_EVENTS_MAX} events")
    return events


def _validation_answer(body: bytes) -> Response:
    document = orjson.loads(body)
    if isinstance(document, list):
        data = document[0]["data"]
    else:
        data = document["data"]
        if isinstance(data, str):
            data = orjson.loads(data)
    answer = orjson.dumps({"validationResponse": data["validationCode"]})
    return Response(200, {"content-type": "application/json; charset=utf-8"}, answer)
