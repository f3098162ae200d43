"""Namespaces, their topics and event subscriptions as resources: ARM's body in, what delivery needs, ARM's body out.

Pure. It must not know queues, HTTP or the catalogue. Whatever is not built is refused here, by name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from emulators.eventgrid.destinations import storage_container
from emulators.eventgrid.errors import ARM_INVALID_REQUEST, ARM_NOT_BUILT, Misstated, Refused
from emulators.eventgrid.filters import Filter, parse_filter
from emulators.eventgrid.moments import parse_moment
from emulators.eventgrid.namespaces import limits
from emulators.eventgrid.namespaces.durations import parse_duration
from emulators.eventgrid.schemas import Schema

NAMESPACE_TYPE = "Microsoft.EventGrid/namespaces"
TOPIC_TYPE = NAMESPACE_TYPE + "/topics"
SUBSCRIPTION_TYPE = TOPIC_TYPE + "/eventSubscriptions"
DAY_SECONDS = 86_400

_NAME = re.compile(r"[A-Za-z0-9-]+")
_NAMESPACE_PROPERTIES = frozenset((
    "privateEndpointConnections", "provisioningState", "topicsConfiguration", "topicSpacesConfiguration",
    "isZoneRedundant", "publicNetworkAccess", "inboundIpRules", "minimumTlsVersionAllowed",
))  # fmt: skip
_TOPIC_PROPERTIES = frozenset(("provisioningState", "publisherType", "inputSchema", "eventRetentionInDays"))
_SUBSCRIPTION_PROPERTIES = frozenset((
    "provisioningState", "deliveryConfiguration", "eventDeliverySchema", "filtersConfiguration", "expirationTimeUtc",
))  # fmt: skip
_QUEUE_PROPERTIES = frozenset((
    "receiveLockDurationInSeconds", "maxDeliveryCount", "eventTimeToLive", "deadLetterDestinationWithResourceIdentity",
))  # fmt: skip
_FILTER_PROPERTIES = frozenset(("includedEventTypes", "filters"))


@dataclass(frozen=True, slots=True)
class Namespace:
    """A namespace: one endpoint and its keys."""

    id: str
    keys: tuple[str, str]
    location: str
    capacity: int
    tags: Mapping[str, str] = field(default_factory=dict)
    identity: Mapping[str, Any] = field(default_factory=dict)
    """Kept and shown; this emulator knows no identities."""
    properties: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The last part of the id."""
        return self.id.rpartition("/")[2]

    @property
    def body(self) -> dict[str, Any]:
        """ARM's body, as far as the user says it."""
        return {
            "location": self.location,
            **({"identity": dict(self.identity)} if self.identity else {}),
            "sku": {"name": "Standard", "capacity": self.capacity},
            "tags": dict(self.tags),
            "properties": dict(self.properties),
        }

    def document(self) -> dict[str, Any]:
        """Everything that must be kept."""
        return {"id": self.id, "keys": list(self.keys), "body": self.body}

    def shown(self, authority: str) -> dict[str, Any]:
        """The namespace as ARM answers it; `authority` is where this emulator was called."""
        properties = {
            "publicNetworkAccess": "Enabled",
            "isZoneRedundant": False,
            "minimumTlsVersionAllowed": "1.2",
            **self.properties,
            "provisioningState": "Succeeded",
            "topicsConfiguration": {"hostname": f"{authority}/{self.name}"},
        }
        return {"id": self.id, "name": self.name, "type": NAMESPACE_TYPE, **self.body, "properties": properties}

    def with_key(self, name: str, key: str) -> Namespace:
        """The same namespace with key1 or key2 replaced."""
        return replace(self, keys=replaced_key(self.keys, name, key))


@dataclass(frozen=True, slots=True)
class NamespaceTopic:
    """A topic of a namespace. It has keys of its own, which open this topic only."""

    id: str
    namespace_id: str
    keys: tuple[str, str]
    retention_days: int = limits.RETENTION_DAYS[0]

    @property
    def name(self) -> str:
        """The last part of the id."""
        return self.id.rpartition("/")[2]

    @property
    def body(self) -> dict[str, Any]:
        """ARM's body, as far as the user says it."""
        return {"properties": {"eventRetentionInDays": self.retention_days}}

    def document(self) -> dict[str, Any]:
        """Everything that must be kept."""
        return {"id": self.id, "namespace": self.namespace_id, "keys": list(self.keys), "body": self.body}

    def shown(self) -> dict[str, Any]:
        """The topic as ARM answers it."""
        properties = {
            "provisioningState": "Succeeded",
            "publisherType": "Custom",
            "inputSchema": Schema.CLOUD_EVENT.value,
            "eventRetentionInDays": self.retention_days,
        }
        return {"id": self.id, "name": self.name, "type": TOPIC_TYPE, "properties": properties}

    def with_key(self, name: str, key: str) -> NamespaceTopic:
        """The same topic with key1 or key2 replaced."""
        return replace(self, keys=replaced_key(self.keys, name, key))


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """What pull delivery needs of an event subscription."""

    filter: Filter
    lock_seconds: int
    deliveries_max: int
    live_seconds: float
    dead_letter_container: str | None = None
    expires: float | None = None


@dataclass(frozen=True, slots=True)
class QueueSubscription:
    """An event subscription in delivery mode Queue. `number` names its queue; the store gives it."""

    id: str
    topic_id: str
    properties: Mapping[str, Any]
    settings: QueueSettings
    number: int = 0

    @property
    def name(self) -> str:
        """The last part of the id."""
        return self.id.rpartition("/")[2]

    @property
    def path(self) -> str:
        """Namespace, topic and subscription, as dead letters are filed."""
        parts = self.id.split("/")
        return f"{parts[-5]}/{parts[-3]}/{parts[-1]}"

    def document(self) -> dict[str, Any]:
        """Everything that must be kept."""
        return {"id": self.id, "topic": self.topic_id, "properties": dict(self.properties)}

    def shown(self) -> dict[str, Any]:
        """The subscription as ARM answers it, defaults filled in."""
        settings, queue = self.settings, self.properties["deliveryConfiguration"].get("queue") or {}
        filled = {
            **queue,
            "receiveLockDurationInSeconds": settings.lock_seconds,
            "maxDeliveryCount": settings.deliveries_max,
            "eventTimeToLive": queue.get("eventTimeToLive") or f"P{round(settings.live_seconds / DAY_SECONDS)}D",
        }
        properties = {
            **self.properties,
            "provisioningState": "Succeeded",
            "eventDeliverySchema": Schema.CLOUD_EVENT.value,
            "deliveryConfiguration": {"deliveryMode": "Queue", "queue": filled},
        }
        return {"id": self.id, "name": self.name, "type": SUBSCRIPTION_TYPE, "properties": properties}


def replaced_key(keys: tuple[str, str], name: str, key: str) -> tuple[str, str]:
    """Both keys with `key1` or `key2` replaced."""
    return (key, keys[1]) if name == "key1" else (keys[0], key)


def parse_namespace(arm_id: str, body: Mapping[str, Any], keys: tuple[str, str]) -> Namespace:
    """A namespace from the body of a PUT. Raises Refused naming the member that is wrong."""
    _check_name("namespace", arm_id, limits.NAMESPACE_NAME_CHARACTERS)
    properties = _known(body.get("properties"), _NAMESPACE_PROPERTIES, "properties")
    spaces = _object(properties.get("topicSpacesConfiguration"), "properties.topicSpacesConfiguration")
    if spaces.get("state", "Disabled") != "Disabled":
        raise Refused(ARM_NOT_BUILT, "This emulator has no MQTT broker (properties.topicSpacesConfiguration.state).")
    if properties.get("inboundIpRules"):
        raise Refused(ARM_NOT_BUILT, "This emulator has no firewall (properties.inboundIpRules).")
    topics = _object(properties.get("topicsConfiguration"), "properties.topicsConfiguration")
    if topics.get("customDomains"):
        raise Refused(ARM_NOT_BUILT, "This emulator has no custom domains (properties.topicsConfiguration).")
    sku = _object(body.get("sku"), "sku")
    tags = _object(body.get("tags"), "tags")
    if not all(isinstance(each, str) for each in tags.values()):
        raise _invalid("tags must be an object of strings.")
    if sku.get("name", "Standard") != "Standard":
        raise _invalid("sku.name must be Standard.")
    return Namespace(
        id=arm_id,
        keys=keys,
        location=str(body.get("location") or "local"),
        capacity=_whole(sku, "capacity", (1, limits.THROUGHPUT_UNITS_MAX), "sku", default=1),
        tags=tags,
        identity=_object(body.get("identity"), "identity"),
        properties={name: each for name, each in properties.items() if name not in _READ_ONLY},
    )


_READ_ONLY = frozenset(("provisioningState", "privateEndpointConnections", "topicsConfiguration"))


def parse_topic(arm_id: str, body: Mapping[str, Any], keys: tuple[str, str]) -> NamespaceTopic:
    """A namespace topic from the body of a PUT. Raises Refused."""
    _check_name("topic", arm_id, limits.TOPIC_NAME_CHARACTERS)
    properties = _known(body.get("properties"), _TOPIC_PROPERTIES, "properties")
    if properties.get("publisherType", "Custom") != "Custom":
        raise _invalid("properties.publisherType must be Custom.")
    _check_schema(properties, "inputSchema")
    days = _whole(
        properties, "eventRetentionInDays", limits.RETENTION_DAYS, "properties", default=limits.RETENTION_DAYS[0]
    )
    return NamespaceTopic(arm_id, arm_id.rpartition("/topics/")[0], keys, days)


def parse_subscription(arm_id: str, properties: object, topic: NamespaceTopic, account: str) -> QueueSubscription:
    """An event subscription from the `properties` of a PUT; dead letters must go to the storage `account`.

    Raises Refused naming the member that is wrong, or the delivery that is not built.
    """
    _check_name("event subscription", arm_id, limits.SUBSCRIPTION_NAME_CHARACTERS)
    given = _known(properties, _SUBSCRIPTION_PROPERTIES, "properties")
    _check_schema(given, "eventDeliverySchema")
    delivery = _object(given.get("deliveryConfiguration"), "properties.deliveryConfiguration")
    mode = delivery.get("deliveryMode")
    if mode == "Push" or (mode is None and delivery.get("push")):
        raise Refused(ARM_NOT_BUILT, "This emulator does not push from namespace topics: deliveryMode must be Queue.")
    if mode != "Queue":
        raise _invalid(f"properties.deliveryConfiguration.deliveryMode must be Queue or Push, not {mode!r:.50}.")
    where = "properties.deliveryConfiguration.queue"
    queue = _known(delivery.get("queue"), _QUEUE_PROPERTIES, where)
    settings = QueueSettings(
        filter=_filter(given.get("filtersConfiguration")),
        lock_seconds=_whole(
            queue, "receiveLockDurationInSeconds", limits.LOCK_SECONDS, where, default=limits.LOCK_SECONDS[0]
        ),
        deliveries_max=_whole(
            queue, "maxDeliveryCount", limits.DELIVERIES_MAX, where, default=limits.DELIVERIES_MAX[1]
        ),
        live_seconds=_time_to_live(queue.get("eventTimeToLive"), topic.retention_days),
        dead_letter_container=_dead_letters(queue, account),
        expires=_expiration(given.get("expirationTimeUtc")),
    )
    kept = {name: each for name, each in given.items() if name != "provisioningState"}
    return QueueSubscription(arm_id, topic.id, {**kept, "deliveryConfiguration": dict(delivery)}, settings)


def _filter(document: object) -> Filter:
    given = _known(document, _FILTER_PROPERTIES, "properties.filtersConfiguration")
    try:
        return parse_filter(
            {"includedEventTypes": given.get("includedEventTypes"), "advancedFilters": given.get("filters")}
        )
    except Misstated as failure:
        text = str(failure).replace("filter.advancedFilters", "filters").replace("filter.", "")
        raise _invalid(f"properties.filtersConfiguration.{text}.") from failure


def _time_to_live(text: object, retention_days: int) -> float:
    longest = float(retention_days * DAY_SECONDS)
    if text is None:
        return longest
    seconds = parse_duration(text) if isinstance(text, str) else None
    if seconds is None or not limits.TIME_TO_LIVE_SECONDS_MIN <= seconds <= longest:
        raise _invalid(
            "properties.deliveryConfiguration.queue.eventTimeToLive must be an ISO 8601 duration from PT1M to the "
            f"topic's retention, P{retention_days}D, not {text!r:.50}."
        )
    return seconds


def _dead_letters(queue: Mapping[str, Any], account: str) -> str | None:
    where = "properties.deliveryConfiguration.queue.deadLetterDestinationWithResourceIdentity"
    wrapped = _object(queue.get("deadLetterDestinationWithResourceIdentity"), where)
    if not wrapped:
        return None
    return storage_container(wrapped.get("deadLetterDestination"), f"{where}.deadLetterDestination", account)


def _check_schema(properties: Mapping[str, Any], name: str) -> None:
    if properties.get(name) not in (None, Schema.CLOUD_EVENT.value):
        raise _invalid(f"properties.{name} must be {Schema.CLOUD_EVENT.value}.")


def _check_name(kind: str, arm_id: str, characters: tuple[int, int]) -> None:
    name = arm_id.rpartition("/")[2]
    shortest, longest = characters
    if not (shortest <= len(name) <= longest and _NAME.fullmatch(name)):
        raise _invalid(
            f"The {kind} name '{name}' is invalid: {shortest} to {longest} characters of a-z, A-Z, 0-9 and '-'."
        )


def _expiration(text: object) -> float | None:
    if text is None:
        return None
    moment = parse_moment(str(text))  # TOML has dates of its own
    if moment is None:
        raise _invalid("properties.expirationTimeUtc must be a date and time.")
    return moment.timestamp()


def _whole(document: Mapping[str, Any], name: str, between: tuple[int, int], where: str, *, default: int) -> int:
    value = document.get(name)
    if value is None:
        return default
    least, most = between
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise _invalid(f"{where}.{name} must be a whole number from {least} to {most}, not {value!r:.50}.")
    return value


def _known(value: object, names: frozenset[str], where: str) -> Mapping[str, Any]:
    document = _object(value, where)
    if unknown := set(document) - names:
        raise _invalid(f"{where}.{min(unknown)} is not known: it may hold {', '.join(sorted(names))}.")
    return document


def _object(value: object, where: str) -> Mapping[str, Any]:
    if value is not None and not isinstance(value, Mapping):
        raise _invalid(f"{where} must be an object.")
    return value or {}


def _invalid(message: str) -> Refused:
    return Refused(ARM_INVALID_REQUEST, message)
