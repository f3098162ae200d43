"""The data plane's paths: which topic a request is for, and what may be done there.

Table first. It must not know what publishing does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from emulators.base.serving import Request
from emulators.eventgrid.errors import METHOD_NOT_ALLOWED, NOT_FOUND, Refused
from emulators.eventgrid.provisioning import DEFAULT_TOPIC

ALLOW = "OPTIONS, POST"

_TOPIC = re.compile(r"(?:/(?P<topic>[^/]+))?/api/events/?", re.IGNORECASE)
_VALIDATION = re.compile(r"/eventsubscriptions/(?P<name>[^/]+)/validate", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Target:
    """What a request is for: publishing to a topic, asking for its schema, or confirming a subscription."""

    kind: Literal["publish", "describe", "validate"]
    name: str


def route(request: Request) -> Target:
    """The target of a data-plane request. Raises Refused: 404, 405, or 501 for what is not built."""
    if found := _VALIDATION.fullmatch(request.path):
        return Target("validate", found["name"])
    found = _TOPIC.fullmatch(request.path)
    if found is None or request.method == "HEAD":
        raise no_resource(request)
    name = found["topic"] or DEFAULT_TOPIC
    match request.method:
        case "POST":
            return Target("publish", name)
        case "OPTIONS":
            return Target("describe", name)
    raise Refused(
        METHOD_NOT_ALLOWED,
        f"The requested resource does not support http method '{request.method}'.",
        {"allow": ALLOW},
    )


def no_resource(request: Request) -> Refused:
    """Nothing answers at this address."""
    uri = f"{request.scheme}://{request.host}{request.target}"
    return Refused(NOT_FOUND, f"No HTTP resource was found that matches the request URI '{uri}'.")
