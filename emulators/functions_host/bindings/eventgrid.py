"""The Event Grid output: all that a function set, in one publish, after it has succeeded.

The schema is the first event's: the Event Grid one when it has its members, else CloudEvents (EventGridAsyncCollector).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from emulators.functions_host.bindings.expressions import BindingData
from emulators.functions_host.bindings.payload import documents_of
from emulators.functions_host.connections import topic_connection
from emulators.functions_host.converters import Datum
from emulators.functions_host.index import Binding
from emulators.functions_host.limits import PUBLISH_SECONDS_MAX
from emulators.functions_host.services import Services
from emulators.functions_host.settings import Settings

TYPE = "eventgrid"
API_VERSION = "2018-01-01"
EVENT_GRID_MEMBERS: tuple[str, ...] = ("id", "subject", "eventType", "eventTime", "dataVersion")
CLOUD_EVENT_MEMBERS: tuple[str, ...] = ("specversion", "id", "source", "type")


class PublishFailed(Exception):
    """The topic did not take the events."""


@dataclass(frozen=True)
class EventGridBinding:
    """Publishes for bindings of type eventGrid."""

    services: Services
    settings: Settings

    def check(self, binding: Binding) -> None:
        """Raise FunctionInError for a binding that cannot work."""
        topic_connection(self.settings, binding.properties)

    async def write(self, binding: Binding, value: Datum, data: BindingData) -> None:
        """One POST of all events. Raises ValueError for what is no event, PublishFailed."""
        from aiohttp import ClientError, ClientTimeout

        events = documents_of(value)
        if not events:
            return
        topic = topic_connection(self.settings, binding.properties)
        headers = {"content-type": content_type(events), **await self.services.topic_headers(topic)}
        joint = "&" if "?" in topic.endpoint else "?"
        url = (
            topic.endpoint if "api-version=" in topic.endpoint else f"{topic.endpoint}{joint}api-version={API_VERSION}"
        )
        try:
            async with self.services.session.post(
                url, data=json.dumps(events).encode(), headers=headers, timeout=ClientTimeout(total=PUBLISH_SECONDS_MAX)
            ) as response:
                if response.status >= 300:
                    text = (await response.text())[:500]
                    raise PublishFailed(f"{topic.endpoint} answered {response.status}: {text}")
        except (ClientError, TimeoutError) as failure:
            raise PublishFailed(f"{topic.endpoint} did not answer: {type(failure).__name__}: {failure}") from failure


def content_type(events: list[dict[str, Any]]) -> str:
    """What a batch is sent as. Raises ValueError when the events are of neither schema, or of both."""
    is_event_grid = _is(events[0], EVENT_GRID_MEMBERS)
    members, name = (EVENT_GRID_MEMBERS, "Event Grid") if is_event_grid else (CLOUD_EVENT_MEMBERS, "CloudEvents")
    for each in events:
        if missing := [member for member in members if member not in each]:
            raise ValueError(f"An event of the eventGrid output lacks {missing} of the {name} schema.")
    return "application/json" if is_event_grid else "application/cloudevents-batch+json"


def _is(event: Mapping[str, Any], members: Iterable[str]) -> bool:
    return all(member in event for member in members)
