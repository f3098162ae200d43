"""An event subscription as a resource: ARM's properties in, what delivery needs, ARM's properties out.

Pure. It must not know queues, sockets or the catalogue; `handshake.py` moves its state.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Self

from emulators.eventgrid import limits
from emulators.eventgrid.conversion import DELIVERABLE, DeliverySchema
from emulators.eventgrid.destinations import (
    NAMESPACE_TOPIC,
    Destination,
    Whereabouts,
    parse_destination,
    shown_destination,
    storage_container,
    whole_number,
)
from emulators.eventgrid.errors import Misstated
from emulators.eventgrid.filters import Filter, parse_filter
from emulators.eventgrid.moments import parse_moment
from emulators.eventgrid.schemas import Schema
from emulators.eventgrid.topics import invalid

RESOURCE_TYPE = "Microsoft.EventGrid/eventSubscriptions"
_PROPERTIES = frozenset((
    "topic", "provisioningState", "destination", "filter", "labels", "expirationTimeUtc", "eventDeliverySchema",
    "retryPolicy", "deadLetterDestination", "deliveryWithResourceIdentity", "deadLetterWithResourceIdentity",
))  # fmt: skip
_WITH_IDENTITY = {
    "destination": "deliveryWithResourceIdentity",
    "deadLetterDestination": "deadLetterWithResourceIdentity",
}
"""A destination's property to the one that holds it together with an identity (which is not checked here)."""


class State(StrEnum):
    """ARM's provisioning states of an event subscription."""

    CREATING = "Creating"
    UPDATING = "Updating"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    AWAITING_MANUAL_ACTION = "AwaitingManualAction"


@dataclass(frozen=True, slots=True)
class Settings:
    """What delivery needs of a subscription's properties."""

    destination: Destination
    filter: Filter
    schema: DeliverySchema
    attempts_max: int = limits.DELIVERY_ATTEMPTS_MAX
    live_seconds: float = limits.EVENT_TIME_TO_LIVE_MINUTES_MAX * 60.0
    dead_letter_container: str | None = None
    expires: float | None = None


@dataclass(frozen=True, slots=True)
class Revision:
    """Properties as they are kept, and what follows from them."""

    properties: Mapping[str, Any]
    settings: Settings


@dataclass(frozen=True, slots=True)
class Validation:
    """A handshake that waits for the user to open a URL: the code in it, and until when that helps."""

    code: str
    base_url: str
    until: float

    def document(self) -> dict[str, Any]:
        """As it is kept."""
        return {"code": self.code, "baseUrl": self.base_url, "until": self.until}

    @classmethod
    def revived(cls, document: Mapping[str, Any] | None) -> Self | None:
        """As `document` kept it."""
        return cls(document["code"], document["baseUrl"], document["until"]) if document else None


@dataclass(slots=True)
class Subscription:
    """A subscription and the state of its provisioning.

    `revision` is what holds now. `wanted` is an update whose endpoint has not agreed yet; until then, and for good if
    it does not, the revision before it stays in force.
    """

    id: str
    source_id: str
    """The ARM id of the resource that it was made on."""
    topic_id: str
    """What its events name as their topic: the same id, but for system topics."""
    revision: Revision
    wanted: Revision | None = None
    agreed: bool = False
    """Whether `revision` may be delivered to."""
    state: State = State.CREATING
    number: int = 0
    """Names its queue; the store gives it."""
    validation: Validation | None = None
    failure: str = ""
    """Why the last handshake failed."""
    rate: float | None = None
    """Requests a minute that the endpoint allows; None: as many as there are."""

    @property
    def name(self) -> str:
        """The last part of the id."""
        return self.id.rpartition("/")[2]

    @property
    def source_name(self) -> str:
        """The name of the topic, domain or system topic that it is for."""
        return self.source_id.rpartition("/")[2]

    @property
    def settings(self) -> Settings:
        """What holds now."""
        return self.revision.settings

    @property
    def latest(self) -> Revision:
        """What was asked for last."""
        return self.wanted or self.revision

    def document(self) -> dict[str, Any]:
        """Everything that must be kept."""
        return {
            "id": self.id,
            "source": self.source_id,
            "topic": self.topic_id,
            "properties": self.revision.properties,
            "wanted": self.wanted and self.wanted.properties,
            "agreed": self.agreed,
            "state": self.state.value,
            "failure": self.failure,
            "rate": self.rate,
            "validation": self.validation and self.validation.document(),
        }

    def shown(self) -> dict[str, Any]:
        """The subscription as ARM answers it: the endpoint without its query, secrets hidden."""
        kept = self.latest.properties
        properties = {**kept, "destination": shown_destination(kept["destination"])}
        for plain, wrapped in _WITH_IDENTITY.items():
            if properties.get(wrapped):
                properties[wrapped] = {**properties[wrapped], plain: properties.get(plain)}
        return {
            "id": self.id,
            "name": self.name,
            "type": RESOURCE_TYPE,
            "properties": {**properties, "topic": self.topic_id, "provisioningState": self.state.value},
        }


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a subscription's properties are checked against."""

    schema: Schema
    where: Whereabouts
    default_events: frozenset[str] | None = None
    """The types, in lower case, that a filter gets which names none; None: all there are."""


def parse_properties(properties: object, around: Surroundings) -> Revision:
    """A revision from the `properties` of a PUT. Raises Refused naming the member that is wrong."""
    if not isinstance(properties, Mapping):
        raise invalid("properties must be an object.")
    if unknown := set(properties) - _PROPERTIES:
        raise invalid(f"properties.{min(unknown)} is not a property of an event subscription.")
    policy = _object(properties, "retryPolicy")
    if unknown := set(policy) - {"maxDeliveryAttempts", "eventTimeToLiveInMinutes"}:
        raise invalid(f"properties.retryPolicy.{min(unknown)} is not known.")
    attempts_max, minutes_max = limits.DELIVERY_ATTEMPTS_MAX, limits.EVENT_TIME_TO_LIVE_MINUTES_MAX
    attempts = whole_number(policy, "maxDeliveryAttempts", attempts_max, "retryPolicy", default=attempts_max)
    minutes = whole_number(policy, "eventTimeToLiveInMinutes", minutes_max, "retryPolicy", default=minutes_max)
    destination = _identified(properties, "destination")
    dead_letter = _identified(properties, "deadLetterDestination")
    if destination is None:
        raise invalid("properties.destination is required.")
    settings = Settings(
        destination=parse_destination(destination, around.where),
        filter=_filter(properties.get("filter"), around),
        schema=_delivery_schema(properties.get("eventDeliverySchema"), around.schema),
        attempts_max=attempts,
        live_seconds=minutes * 60.0,
        dead_letter_container=_container(dead_letter, around),
        expires=_expiration(properties.get("expirationTimeUtc")),
    )
    _check_labels(properties.get("labels"))
    if settings.destination.kind == NAMESPACE_TOPIC and settings.schema is not DeliverySchema.CLOUD_EVENT:
        raise invalid("properties.eventDeliverySchema must be CloudEventSchemaV1_0 for a NamespaceTopic destination.")
    return Revision(_normalized(properties, settings), settings)


def full_url(properties: Mapping[str, Any]) -> str:
    """The webhook's URL with its query, which `shown` hides; empty for other destinations."""
    url: str = properties["destination"]["properties"].get("endpointUrl", "")
    return url


def _normalized(properties: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    """The properties as they are kept: defaults filled in, read-only ones left out, each destination in one place."""
    kept = {name: each for name, each in properties.items() if name not in ("topic", "provisioningState")}
    kept["eventDeliverySchema"] = settings.schema.value
    kept["labels"] = properties.get("labels") or []
    kept["filter"] = {"subjectBeginsWith": "", "subjectEndsWith": "", **(properties.get("filter") or {})}
    kept["retryPolicy"] = {
        "maxDeliveryAttempts": settings.attempts_max,
        "eventTimeToLiveInMinutes": round(settings.live_seconds / 60),
    }
    for plain, wrapped in _WITH_IDENTITY.items():
        if properties.get(wrapped):
            kept[plain] = _identified(properties, plain)
            kept[wrapped] = {name: each for name, each in properties[wrapped].items() if name != plain}
    return kept


def _identified(properties: Mapping[str, Any], plain: str) -> Mapping[str, Any] | None:
    """A destination inside the form that names an identity, or given plainly (the form of what is kept)."""
    inside = _object(properties, _WITH_IDENTITY[plain]).get(plain)
    found = inside or properties.get(plain)
    if found is None:
        return None
    if not isinstance(found, Mapping) or not isinstance(found.get("properties"), Mapping):
        raise invalid(f"properties.{plain} must be an object with endpointType and properties.")
    return found


def _filter(document: object, around: Surroundings) -> Filter:
    try:
        wanted = parse_filter(document)
    except Misstated as failure:
        raise invalid(f"properties.{failure}.") from failure
    return replace(wanted, event_types=around.default_events) if wanted.event_types is None else wanted


def _container(document: Mapping[str, Any] | None, around: Surroundings) -> str | None:
    if document is None:
        return None
    return storage_container(document, "properties.deadLetterDestination", around.where.storage_account)


def _delivery_schema(name: object, schema: Schema) -> DeliverySchema:
    allowed = DELIVERABLE[schema]
    if name is None:
        return allowed[0]
    if name not in {each.value for each in allowed}:
        raise invalid(
            f"properties.eventDeliverySchema {name!r:.50} is not possible for a topic whose input schema is "
            f"{schema.value}: use {' or '.join(allowed)}."
        )
    return DeliverySchema(str(name))


def _expiration(text: object) -> float | None:
    if text is None:
        return None
    moment = parse_moment(str(text))  # TOML has dates of its own
    if moment is None:
        raise invalid("properties.expirationTimeUtc must be a date and time.")
    return moment.timestamp()


def _check_labels(labels: object) -> None:
    if labels is not None and not (isinstance(labels, list) and all(isinstance(each, str) for each in labels)):
        raise invalid("properties.labels must be an array of strings.")


def _object(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = document.get(name)
    if value is not None and not isinstance(value, Mapping):
        raise invalid(f"properties.{name} must be an object.")
    return value or {}
