"""ARM operations of event subscriptions, wherever they are made: in the scope form or nested, both are one resource."""

from __future__ import annotations

import re

from emulators.base.serving import Response
from emulators.eventgrid.arm import Call, accepted, inner, json_answer, not_found
from emulators.eventgrid.catalogue import Source, subscription_id
from emulators.eventgrid.errors import ARM_NOT_BUILT, Refused
from emulators.eventgrid.handshake import Outcome
from emulators.eventgrid.management.operations import Arm
from emulators.eventgrid.subscriptions import Subscription, full_url
from emulators.eventgrid.systemtopics import ACCOUNT_ID, SystemTopic
from emulators.eventgrid.topics import Domain, DomainTopic

_DOMAIN_TOPIC = re.compile(r"(?P<domain>.+/providers/Microsoft\.EventGrid/domains/[^/]+)/topics/(?P<name>[^/]+)", re.I)
_OURS = re.compile(r".+/providers/Microsoft\.EventGrid/(?:topics|domains|systemTopics)/[^/]+(?:/topics/[^/]+)?", re.I)


async def put(arm: Arm, call: Call) -> Response:
    """Create or replace; the handshake goes on after this answer, whose state is Creating or Updating."""
    properties = call.properties()
    source = await _source_to_subscribe(arm, call.name("source"))
    outcome = await arm.provisioning.put_subscription(source, call.name("name"), properties, call.base_url)
    return _provisioned(arm, call, source, outcome)


async def patch(arm: Arm, call: Call) -> Response:
    """Change some properties (an update's members lie at the top, not under `properties`)."""
    source, subscription = _found(arm, call)
    change = call.body()
    properties = {**subscription.latest.properties, **inner(change)}
    properties |= {name: each for name, each in change.items() if name != "properties"}
    outcome = await arm.provisioning.put_subscription(source, subscription.name, properties, call.base_url)
    return _provisioned(arm, call, source, outcome)


async def get(arm: Arm, call: Call) -> Response:
    """One event subscription."""
    return json_answer(200, _found(arm, call)[1].shown())


async def delete(arm: Arm, call: Call) -> Response:
    """Delete an event subscription and whatever waits for it."""
    _, subscription = _looked_up(arm, call)
    if subscription is None:
        return Response(204)
    await arm.provisioning.delete_subscription(subscription)
    return accepted(call)


async def list_of_source(arm: Arm, call: Call) -> Response:
    """The event subscriptions of one resource; those of a domain's topics are listed there."""
    source = _source(arm, call.name("source"))
    if source is None:
        _demand_kind(call.name("source"))
        raise not_found(call.name("source"))
    return call.page([each.shown() for each in arm.catalogue.subscriptions_of(source.id)])


async def list_everywhere(arm: Arm, call: Call) -> Response:
    """The event subscriptions below an Azure subscription or resource group, of one region and kind of source.

    Without a region those of global sources are meant, as in Azure: here, of topics whose location is `global`.
    """
    scope = call.name("scope").lower() + "/"
    region = _region(call.names["location"] or "global")
    topic_type = (call.names["topicType"] or "").lower()
    found = []
    for source in arm.catalogue.sources():
        if source.id.lower().startswith(scope) and topic_type in ("", _topic_type(source).lower()):
            owner = arm.catalogue.source(source.domain_id) if isinstance(source, DomainTopic) else source
            if _region(getattr(owner, "location", "")) == region:
                found += [each.shown() for each in arm.catalogue.subscriptions_of(source.id)]
    return call.page(found)


async def get_full_url(arm: Arm, call: Call) -> Response:
    """The webhook's URL with its secrets."""
    return json_answer(200, {"endpointUrl": full_url(_found(arm, call)[1].latest.properties)})


async def get_delivery_attributes(arm: Arm, call: Call) -> Response:
    """The delivery attributes with their secrets."""
    destination = _found(arm, call)[1].latest.properties["destination"]["properties"]
    return json_answer(200, {"value": destination.get("deliveryAttributeMappings") or []})


def _source(arm: Arm, scope: str) -> Source | None:
    """What the scope names: one of Event Grid's resources, or the resource that a system topic is for."""
    return arm.catalogue.source(scope) or arm.catalogue.system_topic_of(scope)


async def _source_to_subscribe(arm: Arm, scope: str) -> Source:
    """The same, made where a first subscription makes it. Raises Refused."""
    if found := _source(arm, scope):
        return found
    if inside := _DOMAIN_TOPIC.fullmatch(scope):
        domain = arm.catalogue.source(inside["domain"])
        if isinstance(domain, Domain) and domain.creates_topics:
            return await arm.provisioning.put_domain_topic(domain, inside["name"])
    if ACCOUNT_ID.fullmatch(scope):
        return await arm.provisioning.system_topic_for(scope)
    _demand_kind(scope)
    raise not_found(scope)


def _demand_kind(scope: str) -> None:
    """Raise Refused when what the scope names is of a kind that has no events here, whether or not it exists."""
    if not (_OURS.fullmatch(scope) or ACCOUNT_ID.fullmatch(scope)):
        raise Refused(ARM_NOT_BUILT, f"This emulator has no events of '{scope}'.")


def _looked_up(arm: Arm, call: Call) -> tuple[Source | None, Subscription | None]:
    source = _source(arm, call.name("source"))
    if source is None:
        _demand_kind(call.name("source"))
        return None, None
    return source, arm.catalogue.subscription(subscription_id(source.id, call.name("name")))


def _found(arm: Arm, call: Call) -> tuple[Source, Subscription]:
    source, subscription = _looked_up(arm, call)
    if source is None or subscription is None:
        raise not_found(subscription_id(call.name("source"), call.name("name")))
    return source, subscription


def _provisioned(arm: Arm, call: Call, source: Source, outcome: Outcome) -> Response:
    subscription = arm.catalogue.subscription(subscription_id(source.id, call.name("name")))
    assert subscription is not None, "it was put in this tick"
    return json_answer(201, subscription.shown(), arm.polled(call, outcome))


def _topic_type(source: Source) -> str:
    if isinstance(source, SystemTopic):
        return source.topic_type
    return "Microsoft.EventGrid.Topics" if source.kind == "topic" else "Microsoft.EventGrid.Domains"


def _region(location: str) -> str:
    """Azure takes `West US 2` and `westus2` for the same."""
    return location.replace(" ", "").lower()
