"""ARM operations of custom topics, domains and the topics of domains. Topics and domains differ in their type only."""

from __future__ import annotations

from emulators.base.serving import Response
from emulators.eventgrid.arm import Call, accepted, inner, json_answer, key_name, keys_answer, not_found
from emulators.eventgrid.management.operations import Arm
from emulators.eventgrid.topics import Domain, DomainTopic, Topic, invalid

KEY_BYTES = 32
_KINDS: dict[str, type[Topic]] = {"topics": Topic, "domains": Domain}
_UPDATABLE = {"tags", "identity", "properties", "sku"}


async def put(arm: Arm, call: Call) -> Response:
    """Create or replace a topic or domain; keys stay."""
    topic = await arm.provisioning.put_topic(_KINDS[call.name("type").lower()], call.name("id"), call.body())
    return json_answer(201, topic.shown(call.base_url))


async def patch(arm: Arm, call: Call) -> Response:
    """Change tags, identity and some properties."""
    topic = _topic(arm, call)
    change, body = call.body(), topic.document()["body"]
    if unknown := set(change) - _UPDATABLE:
        raise invalid(f"{min(unknown)} cannot be updated.")
    body |= {name: change[name] for name in ("tags", "identity") if change.get(name) is not None}
    body["properties"] = {**body["properties"], **inner(change)}
    topic = await arm.provisioning.put_topic(type(topic), topic.id, body)
    return json_answer(200, topic.shown(call.base_url))


async def get(arm: Arm, call: Call) -> Response:
    """One topic or domain."""
    return json_answer(200, _topic(arm, call).shown(call.base_url))


async def delete(arm: Arm, call: Call) -> Response:
    """Delete it with its topics, subscriptions and whatever waits for them."""
    topic = arm.provisioning.topic(call.name("id"))
    if topic is None:
        return Response(204)
    await arm.provisioning.delete_source(topic)
    return accepted(call)


async def list_all(arm: Arm, call: Call) -> Response:
    """The topics or domains of a resource group, or of the whole subscription."""
    kind, scope = _KINDS[call.name("type").lower()].kind, call.name("scope").lower() + "/"
    found = [each for each in arm.catalogue.topics() if each.kind == kind and each.id.lower().startswith(scope)]
    return call.page([each.shown(call.base_url) for each in found])


async def list_keys(arm: Arm, call: Call) -> Response:
    """Both keys."""
    return keys_answer(_topic(arm, call).keys)


async def regenerate_key(arm: Arm, call: Call) -> Response:
    """Replace one key by a fresh one."""
    topic = await arm.provisioning.rotate_key(_topic(arm, call), key_name(call), arm.ids.token(KEY_BYTES))
    return keys_answer(topic.keys)


async def put_domain_topic(arm: Arm, call: Call) -> Response:
    """Make a topic of a domain; it may be there already."""
    topic = await arm.provisioning.put_domain_topic(_domain(arm, call), call.name("topic"))
    return json_answer(201, topic.shown(call.base_url))


async def get_domain_topic(arm: Arm, call: Call) -> Response:
    """One topic of a domain."""
    topic = arm.catalogue.source(call.name("id"))
    if topic is None:
        raise not_found(call.name("id"))
    return json_answer(200, topic.shown(call.base_url))


async def delete_domain_topic(arm: Arm, call: Call) -> Response:
    """Delete a topic of a domain with its subscriptions."""
    topic = arm.catalogue.source(call.name("id"))
    if not isinstance(topic, DomainTopic):
        return Response(204)
    await arm.provisioning.delete_source(topic)
    return accepted(call)


async def list_domain_topics(arm: Arm, call: Call) -> Response:
    """The topics of a domain."""
    return call.page([each.shown(call.base_url) for each in arm.catalogue.topics_of(_domain(arm, call))])


def _topic(arm: Arm, call: Call) -> Topic:
    topic = arm.provisioning.topic(call.name("id"))
    if topic is None:
        raise not_found(call.name("id"))
    return topic


def _domain(arm: Arm, call: Call) -> Domain:
    domain = arm.catalogue.source(call.name("domain"))
    if not isinstance(domain, Domain):
        raise not_found(call.name("domain"))
    return domain
