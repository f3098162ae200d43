"""Every ARM operation: method, path, what carries it out. Paths are matched without regard to case.

`id` is the whole ARM id that a path names, `scope` what a list is below, `source` what a subscription is made on.
"""

from __future__ import annotations

import re

from emulators.base.serving import Response
from emulators.eventgrid.arm import ACCOUNT, GROUP, OPERATIONS, Call, json_answer, routes
from emulators.eventgrid.management import subscriptions, systemtopics, topics
from emulators.eventgrid.management.operations import Arm, operation_status

_PROVIDER = "/providers/Microsoft.EventGrid"
_SCOPE = f"(?P<scope>{ACCOUNT}(?:/resourceGroups/[^/]+)?)"
_TOPIC = f"(?P<id>{GROUP}{_PROVIDER}/(?P<type>topics|domains)/[^/]+)"
_DOMAIN = f"(?P<domain>{GROUP}{_PROVIDER}/domains/[^/]+)"
_DOMAIN_TOPIC = f"(?P<id>{_DOMAIN}/topics/(?P<topic>[^/]+))"
_SYSTEM_TOPIC = f"(?P<id>{GROUP}{_PROVIDER}/systemTopics/[^/]+)"
_SUBSCRIPTIONS = f"(?P<source>{ACCOUNT}(?:/.+?)?)(?:{_PROVIDER})?/eventSubscriptions"
_SUBSCRIPTION = _SUBSCRIPTIONS + "/(?P<name>[^/]+)"
_EVERYWHERE = (
    f"{_SCOPE}{_PROVIDER}(?:/locations/(?P<location>[^/]+))?(?:/topicTypes/(?P<topicType>[^/]+))?/eventSubscriptions"
)
_TOPIC_TYPES = f"{_PROVIDER}/topicTypes"


async def list_operations(arm: Arm, call: Call) -> Response:
    """What a role may be allowed to do: the provider's operations, as ARM names them."""
    return json_answer(
        200,
        {
            "value": [
                {
                    "name": f"Microsoft.EventGrid/{resource}/{action}",
                    "display": {"provider": "Microsoft Event Grid", "resource": resource, "operation": action},
                    "origin": "UserAndSystem",
                }
                for resource, actions in _ACTIONS.items()
                for action in actions
            ]
        },
    )


_KEPT = ("read", "write", "delete")
_KEYED = (*_KEPT, "listKeys/action", "regenerateKey/action")
_ACTIONS = {
    "topics": _KEYED,
    "domains": _KEYED,
    "domains/topics": _KEPT,
    "systemTopics": _KEPT,
    "eventSubscriptions": (*_KEPT, "getFullUrl/action", "getDeliveryAttributes/action"),
    "topicTypes": ("read",),
    "topicTypes/eventTypes": ("read",),
    "extensionTopics": ("read",),
}


ROUTES = routes(
    ("PUT", _TOPIC, topics.put),
    ("PATCH", _TOPIC, topics.patch),
    ("GET", _TOPIC, topics.get),
    ("DELETE", _TOPIC, topics.delete),
    ("GET", f"{_SCOPE}{_PROVIDER}/(?P<type>topics|domains)", topics.list_all),
    ("POST", f"{_TOPIC}/listKeys", topics.list_keys),
    ("POST", f"{_TOPIC}/regenerateKey", topics.regenerate_key),
    ("PUT", _DOMAIN_TOPIC, topics.put_domain_topic),
    ("GET", _DOMAIN_TOPIC, topics.get_domain_topic),
    ("DELETE", _DOMAIN_TOPIC, topics.delete_domain_topic),
    ("GET", f"{_DOMAIN}/topics", topics.list_domain_topics),
    ("PUT", _SYSTEM_TOPIC, systemtopics.put),
    ("PATCH", _SYSTEM_TOPIC, systemtopics.patch),
    ("GET", _SYSTEM_TOPIC, systemtopics.get),
    ("DELETE", _SYSTEM_TOPIC, systemtopics.delete),
    ("GET", f"{_SCOPE}{_PROVIDER}/systemTopics", systemtopics.list_all),
    ("GET", f"(?P<scope>{GROUP}/.+){_PROVIDER}/extensionTopics/default", systemtopics.get_extension_topic),
    ("GET", _TOPIC_TYPES, systemtopics.list_topic_types),
    ("GET", f"{_TOPIC_TYPES}/(?P<topicType>[^/]+)", systemtopics.get_topic_type),
    ("GET", f"{_TOPIC_TYPES}/(?P<topicType>[^/]+)/eventTypes", systemtopics.list_event_types),
    (
        "GET",
        f"{GROUP}/providers/(?P<provider>[^/]+)/(?P<kind>[^/]+)/[^/]+{_PROVIDER}/eventTypes",
        systemtopics.list_event_types_of_resource,
    ),
    ("GET", _EVERYWHERE, subscriptions.list_everywhere),
    ("PUT", _SUBSCRIPTION, subscriptions.put),
    ("PATCH", _SUBSCRIPTION, subscriptions.patch),
    ("GET", _SUBSCRIPTION, subscriptions.get),
    ("DELETE", _SUBSCRIPTION, subscriptions.delete),
    ("GET", _SUBSCRIPTIONS, subscriptions.list_of_source),
    ("POST", f"{_SUBSCRIPTION}/getFullUrl", subscriptions.get_full_url),
    ("POST", f"{_SUBSCRIPTION}/getDeliveryAttributes", subscriptions.get_delivery_attributes),
    ("GET", re.escape(OPERATIONS) + "(?P<token>[^/]+)", operation_status),
    ("GET", f"{_PROVIDER}/operations", list_operations),
)
"""The first row whose method and path fit is taken."""
