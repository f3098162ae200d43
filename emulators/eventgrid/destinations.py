"""Where a subscription's events may go: ARM's `destination` in, a `Destination` out.

Pure: a table of the kinds there are, what each may say, and which ones this emulator delivers to. How an event gets
there is `couriers.py`'s.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from emulators.eventgrid import limits
from emulators.eventgrid.attributes import Attribute, parse_attributes, shown_attributes
from emulators.eventgrid.errors import ARM_NOT_BUILT, Misstated, Refused
from emulators.eventgrid.topics import invalid

WEBHOOK, FUNCTION, QUEUE, NAMESPACE_TOPIC = "WebHook", "AzureFunction", "StorageQueue", "NamespaceTopic"
DELIVERED_TO = (WEBHOOK, FUNCTION, QUEUE, NAMESPACE_TOPIC)
"""The kinds that are built; what the others say is checked, then they are 501 by name."""
_FORM = "destination.properties"


@dataclass(frozen=True, slots=True)
class StorageQueue:
    """A queue of the storage account, and how long a message lives in it (-1: for ever)."""

    name: str
    live_seconds: int = limits.QUEUE_MESSAGE_SECONDS_DEFAULT


@dataclass(frozen=True, slots=True)
class Destination:
    """Where events go: a URL to post to, a storage queue, or a namespace's topic by its ARM id."""

    kind: str
    url: str = ""
    queue: StorageQueue | None = None
    namespace_topic: str = ""
    events_max: int = 1
    kilobytes_preferred: int = limits.BATCH_KILOBYTES_DEFAULT
    attributes: tuple[Attribute, ...] = ()

    @property
    def to_azure(self) -> bool:
        """Whether the retry rules of Azure resources hold, and no handshake is asked for."""
        return self.kind != WEBHOOK

    @property
    def batched(self) -> bool:
        """Whether a request may hold several events."""
        return self.events_max > 1


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """What destinations are resolved against: this emulator's neighbours."""

    functions_host: str
    storage_account: str


Inner: TypeAlias = Mapping[str, Any]
_BATCHING = ("maxEventsPerBatch", "preferredBatchSizeInKilobytes")
_ATTRIBUTES = "deliveryAttributeMappings"


def _webhook(inner: Inner, where: Whereabouts) -> Destination:
    for secured in ("azureActiveDirectoryTenantId", "azureActiveDirectoryApplicationIdOrUri"):
        if inner.get(secured):
            raise Refused(ARM_NOT_BUILT, f"This emulator has no identities to sign deliveries with ({secured}).")
    if inner.get("minimumTlsVersionAllowed") not in (None, "1.0", "1.1", "1.2"):
        raise invalid(f"properties.{_FORM}.minimumTlsVersionAllowed must be 1.0, 1.1 or 1.2.")
    return _batching(WEBHOOK, _webhook_url(inner), inner)


def _function(inner: Inner, where: Whereabouts) -> Destination:
    found = _resource_id(inner, FUNCTION)
    return _batching(FUNCTION, f"{where.functions_host}/runtime/webhooks/eventgrid?functionName={found[1]}", inner)


def _queue(inner: Inner, where: Whereabouts) -> Destination:
    account = _resource_id(inner, QUEUE)[1]
    _check_account(account, where.storage_account, f"properties.{_FORM}")
    name = inner.get("queueName")
    if not isinstance(name, str) or not _QUEUE_NAME.fullmatch(name):
        raise invalid(f"properties.{_FORM}.queueName must be a storage queue's name.")
    seconds = inner.get("queueMessageTimeToLiveInSeconds")
    if seconds is None:
        return Destination(QUEUE, queue=StorageQueue(name))
    if isinstance(seconds, bool) or not isinstance(seconds, int) or not (seconds == -1 or 0 < seconds < 2**31):
        raise invalid(f"properties.{_FORM}.queueMessageTimeToLiveInSeconds must be -1 or a number of seconds above 0.")
    return Destination(QUEUE, queue=StorageQueue(name, seconds))


def _namespace_topic(inner: Inner, where: Whereabouts) -> Destination:
    _resource_id(inner, NAMESPACE_TOPIC)
    return Destination(NAMESPACE_TOPIC, namespace_topic=str(inner["resourceId"]))


def _alert(inner: Inner, where: Whereabouts) -> Destination:
    if inner.get("severity") not in ("Sev0", "Sev1", "Sev2", "Sev3", "Sev4"):
        raise invalid(f"properties.{_FORM}.severity must be one of Sev0 to Sev4.")
    raise _unreachable("MonitorAlert")


def _elsewhere(kind: str) -> Callable[[Inner, Whereabouts], Destination]:
    def refuse(inner: Inner, where: Whereabouts) -> Destination:
        _resource_id(inner, kind)
        _attributes(inner)
        raise _unreachable(kind)

    return refuse


@dataclass(frozen=True, slots=True)
class _Kind:
    """One `endpointType`: which properties it has, and what makes a destination of them, or says no by name."""

    parse: Callable[[Inner, Whereabouts], Destination]
    properties: tuple[str, ...]
    resource: str = ""
    """What its resourceId ends with; each `*` is a name."""


KINDS: Mapping[str, _Kind] = {
    WEBHOOK: _Kind(_webhook, (
        "endpointUrl", "endpointBaseUrl", "azureActiveDirectoryTenantId", "azureActiveDirectoryApplicationIdOrUri",
        "minimumTlsVersionAllowed", _ATTRIBUTES, *_BATCHING,
    )),
    FUNCTION: _Kind(_function, ("resourceId", _ATTRIBUTES, *_BATCHING), "Microsoft.Web/sites/*/functions/*"),
    QUEUE: _Kind(
        _queue, ("resourceId", "queueName", "queueMessageTimeToLiveInSeconds"), "Microsoft.Storage/storageAccounts/*"
    ),
    "EventHub": _Kind(
        _elsewhere("EventHub"), ("resourceId", _ATTRIBUTES), "Microsoft.EventHub/namespaces/*/eventhubs/*"
    ),
    "ServiceBusQueue": _Kind(
        _elsewhere("ServiceBusQueue"), ("resourceId", _ATTRIBUTES), "Microsoft.ServiceBus/namespaces/*/queues/*"
    ),
    "ServiceBusTopic": _Kind(
        _elsewhere("ServiceBusTopic"), ("resourceId", _ATTRIBUTES), "Microsoft.ServiceBus/namespaces/*/topics/*"
    ),
    "HybridConnection": _Kind(
        _elsewhere("HybridConnection"), ("resourceId", _ATTRIBUTES), "Microsoft.Relay/namespaces/*/hybridConnections/*"
    ),
    NAMESPACE_TOPIC: _Kind(_namespace_topic, ("resourceId",), "Microsoft.EventGrid/namespaces/*/topics/*"),
    "PartnerDestination": _Kind(
        _elsewhere("PartnerDestination"), ("resourceId",), "Microsoft.EventGrid/partnerDestinations/*"
    ),
    "MonitorAlert": _Kind(_alert, ("severity", "description", "actionGroups")),
}  # fmt: skip
_ACCOUNT_ID = re.compile(r".*/providers/Microsoft\.Storage/storageAccounts/([^/]+)", re.IGNORECASE)
_QUEUE_NAME = re.compile(r"(?=.{3,63}$)[a-z0-9]+(?:-[a-z0-9]+)*")


def parse_destination(document: Mapping[str, Any], where: Whereabouts) -> Destination:
    """A destination from `{endpointType, properties}`. Raises Refused: 400 naming what is wrong, 501 by name."""
    name, inner = document.get("endpointType"), document["properties"]
    kind = KINDS.get(name) if isinstance(name, str) else None
    if kind is None:
        raise invalid(f"properties.destination.endpointType {name!r:.50} is not known: use one of {', '.join(KINDS)}.")
    if unknown := set(inner) - set(kind.properties):
        raise invalid(f"properties.{_FORM}.{min(unknown)} is not a property of a {name} destination.")
    return kind.parse(inner, where)


def shown_destination(document: Mapping[str, Any]) -> dict[str, Any]:
    """The destination as ARM answers it: the endpoint without its query, secrets hidden, defaults filled in."""
    inner, kind = dict(document["properties"]), document["endpointType"]
    if (url := inner.pop("endpointUrl", None)) is not None:
        inner["endpointBaseUrl"] = url.partition("?")[0]
    if kind in (WEBHOOK, FUNCTION):
        inner.setdefault("maxEventsPerBatch", 1)
        inner.setdefault("preferredBatchSizeInKilobytes", limits.BATCH_KILOBYTES_DEFAULT)
    if inner.get(_ATTRIBUTES):
        inner[_ATTRIBUTES] = shown_attributes(inner[_ATTRIBUTES])
    return {**document, "properties": inner}


def storage_container(document: object, where: str, account: str) -> str:
    """The container of a dead-letter destination, which must be in the storage `account`. Raises Refused."""
    if not isinstance(document, Mapping) or not isinstance(document.get("properties"), Mapping):
        raise invalid(f"{where} must be an object with endpointType and properties.")
    if document.get("endpointType") != "StorageBlob":
        raise invalid(f"{where}.endpointType must be StorageBlob.")
    container = document["properties"].get("blobContainerName")
    if not isinstance(container, str) or not container:
        raise invalid(f"{where}.properties.blobContainerName is required.")
    found = _ACCOUNT_ID.fullmatch(str(document["properties"].get("resourceId")))
    if found is None:
        raise invalid(f"{where}.properties.resourceId must be the ARM id of a storage account.")
    _check_account(found[1], account, where)
    return container


def _check_account(named: str, ours: str, where: str) -> None:
    if named.lower() != ours.lower():
        raise invalid(
            f"{where} names the storage account '{named}', but this emulator was started with '{ours}' (--storage)."
        )


def whole_number(document: Mapping[str, Any], name: str, most: int, where: str, *, default: int) -> int:
    """The number from 1 to `most` under `name`. Raises Refused."""
    value = document.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise invalid(f"properties.{where}.{name} must be a whole number from 1 to {most}, not {value!r:.50}.")
    return value


def _batching(kind: str, url: str, inner: Inner) -> Destination:
    default = limits.BATCH_KILOBYTES_DEFAULT
    return Destination(
        kind,
        url,
        events_max=whole_number(inner, _BATCHING[0], limits.BATCH_EVENTS_MAX, _FORM, default=1),
        kilobytes_preferred=whole_number(inner, _BATCHING[1], limits.BATCH_KILOBYTES_MAX, _FORM, default=default),
        attributes=_attributes(inner),
    )


def _attributes(inner: Inner) -> tuple[Attribute, ...]:
    try:
        return parse_attributes(inner.get(_ATTRIBUTES))
    except Misstated as failure:
        raise invalid(f"properties.{_FORM}.{failure}.") from failure


def _webhook_url(inner: Inner) -> str:
    url = inner.get("endpointUrl")
    if not isinstance(url, str):
        raise invalid(f"properties.{_FORM}.endpointUrl is required for a WebHook destination.")
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if not usable:
        raise invalid(f"properties.{_FORM}.endpointUrl {url!r:.200} is not an http or https URL.")
    return url


def _resource_id(inner: Inner, kind: str) -> re.Match[str]:
    """The match of a destination's resourceId; group 1 is its last name."""
    form = KINDS[kind].resource
    head, _, _ = form.rpartition("*")
    pattern = r".*/providers/" + re.escape(head).replace(r"\*", "[^/]+") + "([^/]+)"
    found = re.fullmatch(pattern, str(inner.get("resourceId")), re.IGNORECASE)
    if found is None:
        raise invalid(f"properties.{_FORM}.resourceId must be an ARM id that ends with /providers/{form}.")
    return found


def _unreachable(kind: str) -> Refused:
    return Refused(ARM_NOT_BUILT, f"This emulator does not deliver to a {kind} destination.")
