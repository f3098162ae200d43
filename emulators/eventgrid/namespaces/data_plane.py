"""The data plane of namespaces over HTTP: publish, receive, acknowledge, release, reject, renewLock.

    POST [/{namespace}]/topics/{topic}:publish
    POST [/{namespace}]/topics/{topic}/eventsubscriptions/{subscription}:receive   (and the others)

On Azure the host's name begins with the namespace that is meant. Here the path may say it too, and nothing need say it
as long as only one namespace has a topic of that name. This module knows HTTP and who may call; it must not know how
events are kept.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from emulators.base.serving import DROPPED, Request, Response
from emulators.eventgrid.errors import Refused
from emulators.eventgrid.namespaces import errors, limits
from emulators.eventgrid.namespaces.broker import Broker, Settled
from emulators.eventgrid.namespaces.catalogue import NamespaceCatalogue
from emulators.eventgrid.namespaces.cloudevents import read_events, too_large
from emulators.eventgrid.namespaces.resources import NamespaceTopic, QueueSubscription

API_VERSIONS = ("2023-11-01", "2024-06-01")
_PREVIEWS = ("2023-06-01-preview", "2023-10-01-preview")
_SCHEME = "sharedaccesskey "
_PATH = re.compile(
    r"(?:/(?P<namespace>[^/]+))?/topics/(?P<topic>[^/:]+)(?:/eventsubscriptions/(?P<subscription>[^/:]+))?"
    r":(?P<operation>\w+)/?",
    re.IGNORECASE,
)
_JSON = {"content-type": "application/json; charset=utf-8"}

Work = Callable[[], Awaitable[Response]]
Guard = Callable[[str, Request, str, Work], Awaitable[Response]]
"""(operation, request, topic, the work itself): where fault rules come in."""


@dataclass(frozen=True, slots=True)
class Call:
    """One authorized request: the topic, the event subscription if its path names one, and the query."""

    request: Request
    topic: NamespaceTopic
    subscription: QueueSubscription | None
    query: Mapping[str, str]

    @property
    def queue(self) -> QueueSubscription:
        """The event subscription, where the operation has one."""
        assert self.subscription is not None, "the route has looked it up"
        return self.subscription


class DataPlane:
    """Answers requests for topics of namespaces."""

    def __init__(self, catalogue: NamespaceCatalogue, broker: Broker, guard: Guard, *, bearer_allowed: bool) -> None:
        self._catalogue, self._broker, self._guard = catalogue, broker, guard
        self._bearer_allowed = bearer_allowed

    def owns(self, path: str) -> bool:
        """Whether `path` is of a namespace's topic."""
        return _PATH.fullmatch(path) is not None

    async def handle(self, request: Request) -> Response:
        """The answer to a request."""
        try:
            response = await self._answer(request)
        except Refused as refused:
            response = errors.answer(refused)
        if response is not DROPPED:
            response.headers = {"api-supported-versions": ", ".join(API_VERSIONS), **response.headers}
        return response

    def refuse_body(self) -> Response:
        """The answer to a body that was too large to be read."""
        return errors.answer(too_large())

    async def _answer(self, request: Request) -> Response:
        found = _PATH.fullmatch(request.path)
        assert found is not None, "the caller has asked whether we own it"
        operation, subscription = found["operation"].lower(), found["subscription"]
        work = (_ON_SUBSCRIPTIONS if subscription else _ON_TOPICS).get(operation)
        if work is None:
            uri = f"{request.scheme}://{request.host}{request.target}"
            raise Refused(errors.NOT_FOUND, f"No HTTP resource was found that matches the request URI '{uri}'.")
        if request.method != "POST":
            raise Refused(errors.METHOD_NOT_ALLOWED, f"{request.method} is not supported here.", {"allow": "POST"})
        query = dict(request.query)
        _check_version(query.get("api-version"))
        topic = self._topic(found["namespace"], request.host, found["topic"])
        self._authorize(request, topic)
        call = Call(request, topic, self._subscription(topic, subscription) if subscription else None, query)
        return await self._guard(found["operation"], request, topic.name, lambda: work(self, call))

    def _topic(self, namespace: str | None, host: str, name: str) -> NamespaceTopic:
        found = self._catalogue.topics_named(name)
        owner = self._catalogue.namespace_named(namespace or host.partition(".")[0])
        if owner is not None or namespace is not None:
            found = [each for each in found if owner and each.namespace_id.lower() == owner.id.lower()]
        if not found:
            raise Refused(errors.TOPIC_GONE, f"The topic '{name}' does not exist.")
        if len(found) > 1:
            raise Refused(
                errors.ARGUMENT_INVALID,
                f"Several namespaces of this emulator have a topic '{name}': end the endpoint with /{{namespace}}.",
            )
        return found[0]

    def _subscription(self, topic: NamespaceTopic, name: str) -> QueueSubscription:
        subscription = self._catalogue.subscription(f"{topic.id}/eventSubscriptions/{name}")
        if subscription is None:
            raise _no_subscription(name)
        return subscription

    def _authorize(self, request: Request, topic: NamespaceTopic) -> None:
        namespace = self._catalogue.namespace(topic.namespace_id)
        assert namespace is not None, "a topic goes with its namespace"
        authorization = request.headers.get("authorization", "")
        if authorization.lower().startswith(_SCHEME):
            given = authorization[len(_SCHEME) :].strip().encode("utf-8", "surrogateescape")
            if any(hmac.compare_digest(given, each.encode()) for each in (*namespace.keys, *topic.keys)):
                return
            raise Refused(errors.UNAUTHORIZED, "The access key is neither of the namespace's nor of the topic's.")
        if authorization.lower().startswith("bearer "):
            if self._bearer_allowed and request.scheme == "https" and authorization.count(".") == 2:
                return
            raise Refused(errors.UNAUTHORIZED, "The access token is not valid here: see --accept-bearer.")
        raise Refused(errors.UNAUTHORIZED, "Send the header 'Authorization: SharedAccessKey {key}', or a bearer token.")

    # Operations

    async def publish(self, call: Call) -> Response:
        """Take one event or a batch, all or none."""
        await self._broker.publish(call.topic, read_events(call.request.headers, call.request.body))
        return Response(200, dict(_JSON), b"{}")

    async def receive(self, call: Call) -> Response:
        """Hand out events under locks; wait for one."""
        events_max = _number(call.query, "maxEvents", limits.EVENTS_PER_RECEIVE, limits.EVENTS_PER_RECEIVE[0])
        wait_seconds = _number(call.query, "maxWaitTime", limits.WAIT_SECONDS, limits.WAIT_SECONDS_DEFAULT)
        received = await self._broker.receive(call.queue.id, events_max, float(wait_seconds))
        if received is None:
            raise _no_subscription(call.queue.name)
        parts = [  # the event as it was stored, without reading it again
            b'{"brokerProperties":%s,"event":%s}'
            % (orjson.dumps({"lockToken": each.lock_token, "deliveryCount": each.delivery_count}), each.body)
            for each in received
        ]
        return Response(200, dict(_JSON), b'{"value":[' + b",".join(parts) + b"]}")

    async def acknowledge(self, call: Call) -> Response:
        """These events are done with."""
        return _settled(await self._broker.acknowledge(call.queue, _tokens(call.request)))

    async def reject(self, call: Call) -> Response:
        """These events can never be processed."""
        return _settled(await self._broker.reject(call.queue, _tokens(call.request)))

    async def renew(self, call: Call) -> Response:
        """The locks begin anew."""
        return _settled(await self._broker.renew(call.queue, _tokens(call.request)))

    async def release(self, call: Call) -> Response:
        """Others may receive these events, at once or after a while."""
        given = call.query.get("releaseDelayInSeconds", "0")
        if given not in map(str, limits.RELEASE_DELAYS_SECONDS):
            allowed = ", ".join(map(str, limits.RELEASE_DELAYS_SECONDS))
            raise Refused(errors.ARGUMENT_INVALID, f"Invalid releaseDelayInSeconds parameter: use one of {allowed}.")
        return _settled(await self._broker.release(call.queue, _tokens(call.request), int(given)))


_Operation = Callable[[DataPlane, Call], Awaitable[Response]]
_ON_TOPICS: dict[str, _Operation] = {"publish": DataPlane.publish}
_ON_SUBSCRIPTIONS: dict[str, _Operation] = {
    "receive": DataPlane.receive,
    "acknowledge": DataPlane.acknowledge,
    "release": DataPlane.release,
    "reject": DataPlane.reject,
    "renewlock": DataPlane.renew,
}
OPERATIONS: Mapping[str, Mapping[str, _Operation]] = {
    "[/{namespace}]/topics/{topic}": _ON_TOPICS,
    "[/{namespace}]/topics/{topic}/eventsubscriptions/{name}": _ON_SUBSCRIPTIONS,
}
"""All operations by the path that each name is put behind."""


def _check_version(version: str | None) -> None:
    if version in _PREVIEWS:
        raise Refused(errors.NOT_BUILT, f"This emulator does not speak the preview {version}: use {API_VERSIONS[-1]}.")
    if version not in API_VERSIONS:
        raise Refused(errors.ARGUMENT_INVALID, f"Unknown api version: use one of {', '.join(API_VERSIONS)}.")


def _number(query: Mapping[str, str], name: str, between: tuple[int, int], default: int) -> int:
    given = query.get(name)
    if given is None:
        return default
    least, most = between
    if not (given.isascii() and given.isdecimal() and len(given) < 10 and least <= int(given) <= most):
        raise Refused(errors.ARGUMENT_INVALID, f"Invalid {name} parameter")
    return int(given)


def _tokens(request: Request) -> list[str]:
    try:
        document: Any = orjson.loads(request.body)
    except orjson.JSONDecodeError as failure:
        raise Refused(errors.ARGUMENT_INVALID, f"The request body is not valid JSON: {failure}.") from failure
    tokens = document.get("lockTokens") if isinstance(document, dict) else None
    if not isinstance(tokens, list) or not tokens or not all(isinstance(each, str) for each in tokens):
        raise Refused(errors.ARGUMENT_INVALID, "The body must be an object with lockTokens, an array of strings.")
    if len(tokens) > limits.LOCK_TOKENS_MAX:
        raise Refused(errors.ARGUMENT_INVALID, f"A request may hold {limits.LOCK_TOKENS_MAX} lock tokens.")
    return tokens


def _settled(settled: Settled) -> Response:
    failed = [
        {"lockToken": token, "error": {"code": error.code, "message": error.message}} for token, error in settled.failed
    ]
    body = {"failedLockTokens": failed, "succeededLockTokens": settled.succeeded}
    return Response(200, dict(_JSON), orjson.dumps(body))


def _no_subscription(name: str) -> Refused:
    return Refused(errors.NOT_FOUND, f"The event subscription '{name}' does not exist.")
