"""An event subscription as a resource: ARM's properties in, what delivery needs, ARM's properties out.

Pure. It must not know queues, sockets or the catalogue; `handshake.py` moves its state.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from emulators.eventgrid import limits
from emulators.eventgrid.attributes import Attribute, parse_attributes, shown_attributes
from emulators.eventgrid.conversion import DELIVERABLE, DeliverySchema
from emulators.eventgrid.errors import ARM_INVALID_REQUEST, ARM_NOT_BUILT, Misstated, Refused
from emulators.eventgrid.filters import Filter, parse_filter
from emulators.eventgrid.schemas import Schema

RESOURCE_TYPE = "Microsoft.EventGrid/eventSubscriptions"
_NAME = re.compile(r"[A-Za-z0-9-]+")
_FUNCTION_ID = re.compile(r".*/providers/Microsoft\.Web/sites/[^/]+/functions/([^/]+)", re.IGNORECASE)
_ACCOUNT_ID = re.compile(r".*/providers/Microsoft\.Storage/storageAccounts/([^/]+)", re.IGNORECASE)
_NOT_BUILT_DESTINATIONS = (
    "EventHub", "HybridConnection", "ServiceBusQueue", "ServiceBusTopic", "NamespaceTopic", "MonitorAlert",
    "StorageQueue",
)  # fmt: skip
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
class Destination:
    """Where events go: a URL to post to."""

    kind: str
    url: str
    events_max: int = 1
    kilobytes_preferred: int = limits.BATCH_KILOBYTES_DEFAULT
    attributes: tuple[Attribute, ...] = ()

    @property
    def to_azure(self) -> bool:
        """Whether the retry rules of Azure resources hold, and no handshake is asked for."""
        return self.kind != "WebHook"

    @property
    def batched(self) -> bool:
        """Whether a request may hold several events."""
        return self.events_max > 1


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


@dataclass(slots=True)
class Subscription:
    """A subscription and the state of its provisioning."""

    id: str
    topic_id: str
    properties: dict[str, Any]
    settings: Settings
    state: State = State.CREATING
    number: int = 0
    """Names its queue; the store gives it."""
    validation: Validation | None = None
    failure: str = ""
    """Why the handshake failed."""

    @property
    def name(self) -> str:
        """The last part of the id."""
        return self.id.rpartition("/")[2]

    def document(self) -> dict[str, Any]:
        """Everything that must be kept."""
        return {
            "id": self.id,
            "topic": self.topic_id,
            "properties": self.properties,
            "state": self.state.value,
            "failure": self.failure,
            "validation": None if self.validation is None else self.validation.document(),
        }

    def shown(self) -> dict[str, Any]:
        """The subscription as ARM answers it: the endpoint without its query, secrets hidden."""
        properties = {**self.properties, "destination": _shown_destination(self.properties["destination"])}
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
class Validation:
    """A handshake that waits for the user to open a URL: the code in it, and until when that helps."""

    code: str
    base_url: str
    until: float

    def document(self) -> dict[str, Any]:
        """As it is kept."""
        return {"code": self.code, "baseUrl": self.base_url, "until": self.until}


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a subscription's references are resolved against."""

    schema: Schema
    functions_host: str
    storage_account: str


def subscription_id(topic_id: str, name: str) -> str:
    """The ARM id of an event subscription, in the scope form."""
    return f"{topic_id}/providers/{RESOURCE_TYPE}/{name}"


def check_name(name: str) -> None:
    """Raise Refused when an event subscription may not be called `name`."""
    shortest, longest = limits.SUBSCRIPTION_NAME_CHARACTERS
    if not (shortest <= len(name) <= longest and _NAME.fullmatch(name)):
        raise _invalid(
            f"The event subscription name '{name}' is invalid: {shortest} to {longest} characters of "
            "a-z, A-Z, 0-9 and '-'."
        )


def parse_properties(properties: object, around: Surroundings) -> Settings:
    """Settings from the `properties` of a PUT. Raises Refused naming the member that is wrong."""
    if not isinstance(properties, Mapping):
        raise _invalid("properties must be an object.")
    if unknown := set(properties) - _PROPERTIES:
        raise _invalid(f"properties.{min(unknown)} is not a property of an event subscription.")
    schema = _delivery_schema(properties.get("eventDeliverySchema"), around.schema)
    policy = _object(properties, "retryPolicy")
    attempts = _whole(policy, "maxDeliveryAttempts", limits.DELIVERY_ATTEMPTS_MAX, "retryPolicy")
    minutes = _whole(policy, "eventTimeToLiveInMinutes", limits.EVENT_TIME_TO_LIVE_MINUTES_MAX, "retryPolicy")
    destination = _identified(properties, "destination")
    dead_letter = _identified(properties, "deadLetterDestination")
    if destination is None:
        raise _invalid("properties.destination is required.")
    try:
        wanted = parse_filter(properties.get("filter"))
    except Misstated as failure:
        raise _invalid(f"properties.{failure}.") from failure
    return Settings(
        destination=_destination(destination, around),
        filter=wanted,
        schema=schema,
        attempts_max=attempts,
        live_seconds=minutes * 60.0,
        dead_letter_container=None
        if dead_letter is None
        else storage_container(dead_letter, "properties.deadLetterDestination", around.storage_account),
        expires=_expiration(properties.get("expirationTimeUtc")),
    )


def normalized(properties: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
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


def full_url(properties: Mapping[str, Any]) -> str:
    """The webhook's URL with its query, which `shown` hides; empty for other destinations."""
    url: str = properties["destination"]["properties"].get("endpointUrl", "")
    return url


def _shown_destination(document: Mapping[str, Any]) -> dict[str, Any]:
    inner = dict(document["properties"])
    if (url := inner.pop("endpointUrl", None)) is not None:
        inner["endpointBaseUrl"] = url.partition("?")[0]
        inner.setdefault("maxEventsPerBatch", 1)
        inner.setdefault("preferredBatchSizeInKilobytes", limits.BATCH_KILOBYTES_DEFAULT)
    if "deliveryAttributeMappings" in inner:
        inner["deliveryAttributeMappings"] = shown_attributes(inner["deliveryAttributeMappings"])
    return {**document, "properties": inner}


def _identified(properties: Mapping[str, Any], plain: str) -> Mapping[str, Any] | None:
    """A destination inside the form that names an identity, or given plainly (the form of what is kept)."""
    inside = _object(properties, _WITH_IDENTITY[plain]).get(plain)
    found = inside or properties.get(plain)
    if found is None:
        return None
    if not isinstance(found, Mapping) or not isinstance(found.get("properties"), Mapping):
        raise _invalid(f"properties.{plain} must be an object with endpointType and properties.")
    return found


def _destination(document: Mapping[str, Any], around: Surroundings) -> Destination:
    kind, inner = document.get("endpointType"), document["properties"]
    if kind in _NOT_BUILT_DESTINATIONS:
        raise Refused(ARM_NOT_BUILT, f"This emulator does not deliver to a {kind} destination.")
    match kind:
        case "WebHook":
            url = _webhook_url(inner)
        case "AzureFunction":
            url = _function_url(inner, around.functions_host)
        case _:
            raise _invalid(f"properties.destination.endpointType {kind!r:.50} is not known.")
    try:
        attributes = parse_attributes(inner.get("deliveryAttributeMappings"))
    except Misstated as failure:
        raise _invalid(f"properties.destination.properties.{failure}.") from failure
    where = "destination.properties"
    return Destination(
        kind,
        url,
        _whole(inner, "maxEventsPerBatch", limits.BATCH_EVENTS_MAX, where, default=1),
        _whole(
            inner,
            "preferredBatchSizeInKilobytes",
            limits.BATCH_KILOBYTES_MAX,
            where,
            default=limits.BATCH_KILOBYTES_DEFAULT,
        ),
        attributes,
    )


def _webhook_url(inner: Mapping[str, Any]) -> str:
    url = inner.get("endpointUrl")
    if not isinstance(url, str):
        raise _invalid("properties.destination.properties.endpointUrl is required for a WebHook destination.")
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if not usable:
        raise _invalid(f"properties.destination.properties.endpointUrl {url!r:.200} is not an http or https URL.")
    return url


def _function_url(inner: Mapping[str, Any], functions_host: str) -> str:
    found = _FUNCTION_ID.fullmatch(str(inner.get("resourceId")))
    if found is None:
        raise _invalid(
            "properties.destination.properties.resourceId must end with "
            "/providers/Microsoft.Web/sites/{app}/functions/{function}."
        )
    return f"{functions_host}/runtime/webhooks/eventgrid?functionName={found[1]}"


def storage_container(document: object, where: str, account: str) -> str:
    """The container of a dead-letter destination, which must be in the storage `account`. Raises Refused."""
    if not isinstance(document, Mapping) or not isinstance(document.get("properties"), Mapping):
        raise _invalid(f"{where} must be an object with endpointType and properties.")
    if document.get("endpointType") != "StorageBlob":
        raise _invalid(f"{where}.endpointType must be StorageBlob.")
    inner = document["properties"]
    container = inner.get("blobContainerName")
    if not isinstance(container, str) or not container:
        raise _invalid(f"{where}.properties.blobContainerName is required.")
    found = _ACCOUNT_ID.fullmatch(str(inner.get("resourceId")))
    if found is None:
        raise _invalid(f"{where}.properties.resourceId must be the ARM id of a storage account.")
    if found[1].lower() != account.lower():
        raise _invalid(
            f"{where} names the storage account '{found[1]}', but this emulator was started with '{account}' "
            "(--storage)."
        )
    return container


def _delivery_schema(name: object, schema: Schema) -> DeliverySchema:
    allowed = DELIVERABLE[schema]
    if name is None:
        return allowed[0]
    if name not in {each.value for each in allowed}:
        raise _invalid(
            f"properties.eventDeliverySchema {name!r:.50} is not possible for a topic whose input schema is "
            f"{schema.value}: use {' or '.join(allowed)}."
        )
    return DeliverySchema(str(name))


def _expiration(text: object) -> float | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError as failure:
        raise _invalid("properties.expirationTimeUtc must be a date and time.") from failure
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _whole(document: Mapping[str, Any], name: str, most: int, where: str, *, default: int | None = None) -> int:
    value = document.get(name)
    if value is None:
        return most if default is None else default
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise _invalid(f"properties.{where}.{name} must be a whole number from 1 to {most}, not {value!r:.50}.")
    return value


def _object(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = document.get(name)
    if value is not None and not isinstance(value, Mapping):
        raise _invalid(f"properties.{name} must be an object.")
    return value or {}


def _invalid(message: str) -> Refused:
    return Refused(ARM_INVALID_REQUEST, message)
