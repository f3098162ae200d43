"""ARM operations of system topics, topic types and extension topics."""

from __future__ import annotations

from emulators.base.serving import Response
from emulators.eventgrid.arm import Call, accepted, json_answer, not_found
from emulators.eventgrid.management.operations import Arm
from emulators.eventgrid.systemtopics import STORAGE_ACCOUNTS, TOPIC_TYPES, SystemTopic, TopicType
from emulators.eventgrid.topics import invalid


async def put(arm: Arm, call: Call) -> Response:
    """Create or replace a system topic."""
    topic = await arm.provisioning.put_system_topic(call.name("id"), call.body())
    return json_answer(201, topic.shown(call.base_url))


async def patch(arm: Arm, call: Call) -> Response:
    """Change tags or identity."""
    topic, change = _topic(arm, call), call.body()
    if unknown := set(change) - {"tags", "identity"}:
        raise invalid(f"{min(unknown)} cannot be updated.")
    topic = await arm.provisioning.put_system_topic(topic.id, {**topic.document()["body"], **change})
    return json_answer(200, topic.shown(call.base_url))


async def get(arm: Arm, call: Call) -> Response:
    """One system topic."""
    return json_answer(200, _topic(arm, call).shown(call.base_url))


async def delete(arm: Arm, call: Call) -> Response:
    """Delete a system topic with its subscriptions."""
    topic = arm.catalogue.source(call.name("id"))
    if not isinstance(topic, SystemTopic):
        return Response(204)
    await arm.provisioning.delete_source(topic)
    return accepted(call)


async def list_all(arm: Arm, call: Call) -> Response:
    """The system topics of a resource group, or of the whole subscription."""
    scope = call.name("scope").lower() + "/"
    topics = [each for each in arm.catalogue.sources() if isinstance(each, SystemTopic)]
    return call.page([each.shown(call.base_url) for each in topics if each.id.lower().startswith(scope)])


async def get_extension_topic(arm: Arm, call: Call) -> Response:
    """How a resource is joined to its system topic."""
    scope = call.name("scope")
    topic = arm.catalogue.system_topic_of(scope)
    if topic is None:
        raise not_found(f"{scope}/providers/Microsoft.EventGrid/extensionTopics/default")
    return json_answer(
        200,
        {
            "id": f"{topic.source}/providers/Microsoft.EventGrid/extensionTopics/default",
            "name": "default",
            "type": "Microsoft.EventGrid/extensionTopics",
            "properties": {"description": "The events of this resource.", "systemTopic": topic.id},
        },
    )


async def list_topic_types(arm: Arm, call: Call) -> Response:
    """The kinds of sources that this emulator has events of."""
    return json_answer(200, {"value": [each.shown(name) for name, each in TOPIC_TYPES.items()]})


async def get_topic_type(arm: Arm, call: Call) -> Response:
    """One kind of source."""
    name, found = _topic_type(call)
    return json_answer(200, found.shown(name))


async def list_event_types(arm: Arm, call: Call) -> Response:
    """The event types of one kind of source."""
    name, found = _topic_type(call)
    return json_answer(200, {"value": found.shown_events(name)})


async def list_event_types_of_resource(arm: Arm, call: Call) -> Response:
    """The event types of one resource: of its kind."""
    kind = f"{call.name('provider')}.{call.name('kind')}"
    name = next((each for each in TOPIC_TYPES if each.lower() == kind.lower()), STORAGE_ACCOUNTS)
    if name.lower() != kind.lower():
        raise not_found(call.request.path)
    return json_answer(200, {"value": TOPIC_TYPES[name].shown_events(name)})


def _topic_type(call: Call) -> tuple[str, TopicType]:
    wanted = call.name("topicType")
    for name, found in TOPIC_TYPES.items():
        if name.lower() == wanted.lower():
            return name, found
    raise not_found(f"providers/Microsoft.EventGrid/topicTypes/{wanted}")


def _topic(arm: Arm, call: Call) -> SystemTopic:
    topic = arm.catalogue.source(call.name("id"))
    if not isinstance(topic, SystemTopic):
        raise not_found(call.name("id"))
    return topic
