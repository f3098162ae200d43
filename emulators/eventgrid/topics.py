"""Custom topics and domains as resources: ARM's body in, a `Topic` or `Domain`, ARM's body out.

Both have an endpoint with keys; a domain's events say which of its topics they are for. Pure: it must not know who
publishes or subscribes.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Self

from emulators.eventgrid import limits
from emulators.eventgrid.errors import ARM_INVALID_REQUEST, ARM_NOT_BUILT, Misstated, Refused
from emulators.eventgrid.mapping import NO_MAPPING, parse_mapping
from emulators.eventgrid.mapping import Mapping as InputMapping
from emulators.eventgrid.schemas import Schema

NAME = re.compile(r"[A-Za-z0-9-]+")
_NAME_HINT = "of a-z, A-Z, 0-9 and '-'"
_READ_ONLY = frozenset(("provisioningState", "endpoint", "metricResourceId", "privateEndpointConnections"))
_MEMBERS = frozenset((
    "id", "name", "type", "location", "tags", "identity", "properties", "sku", "kind", "systemData",
))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Firewall:
    """From which addresses events may be published (`publicNetworkAccess` and `inboundIpRules`)."""

    public: bool = True
    networks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = ()

    def admits(self, address: str) -> bool:
        """Whether a client at `address` is let in. Private endpoints, the other way in, do not exist here."""
        if not (self.public and self.networks):
            return self.public
        try:
            client = ipaddress.ip_address(address)
        except ValueError:
            return False  # who calls from no address is nobody that was let in
        return any(client in network for network in self.networks)


@dataclass(frozen=True, slots=True)
class Topic:
    """A custom topic. `properties` is what the user said, shown back; the rest is what follows from it."""

    kind: ClassVar[str] = "topic"
    resource_type: ClassVar[str] = "Microsoft.EventGrid/topics"
    own_properties: ClassVar[frozenset[str]] = frozenset()
    defaults: ClassVar[Mapping[str, Any]] = {"publicNetworkAccess": "Enabled", "disableLocalAuth": False}

    id: str
    name: str
    keys: tuple[str, str]
    schema: Schema = Schema.EVENT_GRID
    mapping: InputMapping = NO_MAPPING
    local_auth: bool = True
    firewall: Firewall = Firewall()
    location: str = "local"
    tags: Mapping[str, str] = field(default_factory=dict)
    identity: Mapping[str, Any] | None = None
    properties: Mapping[str, Any] = field(default_factory=dict)

    @property
    def origin(self) -> str:
        """What its events and event subscriptions name as their topic."""
        return self.id

    @property
    def accepted_keys(self) -> tuple[str, ...]:
        """The keys that open this topic now."""
        return self.keys if self.local_auth else ()

    @property
    def path(self) -> str:
        """Where its events are posted."""
        return f"/{self.name}/api/events"

    def document(self) -> dict[str, Any]:
        """Everything that must be kept."""
        return {
            "id": self.id,
            "keys": list(self.keys),
            "body": {
                "location": self.location,
                "tags": dict(self.tags),
                "identity": self.identity,
                "properties": dict(self.properties),
            },
        }

    def shown(self, base_url: str) -> dict[str, Any]:
        """The resource as ARM answers it; never its keys."""
        return {
            "id": self.id,
            "name": self.name,
            "type": self.resource_type,
            "location": self.location,
            "tags": dict(self.tags),
            **({"identity": self.identity} if self.identity else {}),
            "sku": {"name": "Basic"},
            "kind": "Azure",
            "properties": {
                **self.defaults,
                **self.properties,
                "inputSchema": self.schema.value,
                "provisioningState": "Succeeded",
                "endpoint": base_url + self.path,
                "metricResourceId": self.metric_id,
            },
        }

    @property
    def metric_id(self) -> str:
        """A number-like name for metrics: stable, since it is the topic's own name."""
        return self.name.lower()

    def with_key(self, name: str, key: str) -> Self:
        """The same topic with one key replaced (`key1` or `key2`)."""
        first, second = self.keys
        return replace(self, keys=(key, second) if name == "key1" else (first, key))

    @classmethod
    def revived(cls, document: Mapping[str, Any]) -> Self:
        """As `document` kept it."""
        first, second = document["keys"]
        return cls.parsed(document["id"], document["body"], (first, second))

    @classmethod
    def parsed(cls, arm_id: str, body: object, keys: tuple[str, str]) -> Self:
        """From the body of a PUT. Raises Refused naming the member that is wrong."""
        name = arm_id.rpartition("/")[2]
        check_name("topic" if cls is Topic else "domain", name, limits.TOPIC_NAME_CHARACTERS)
        members = parse_members(body)
        properties = {each: value for each, value in members.properties.items() if each not in _READ_ONLY}
        for member, value in properties.items():
            check = {**_PROPERTIES, **dict.fromkeys(cls.own_properties, _boolean)}.get(member)
            if check is None:
                raise invalid(f"properties.{member} is not a property of {cls.resource_type}.")
            if value is not None:
                check(f"properties.{member}", value)
        schema = Schema(properties.get("inputSchema") or Schema.EVENT_GRID)
        return cls(
            id=arm_id,
            name=name,
            keys=keys,
            schema=schema,
            mapping=_mapping(properties.get("inputSchemaMapping"), schema),
            local_auth=not properties.get("disableLocalAuth"),
            firewall=Firewall(
                properties.get("publicNetworkAccess") != "Disabled", _networks(properties.get("inboundIpRules"))
            ),
            location=members.location,
            tags=members.tags,
            identity=members.identity,
            properties=properties,
        )


@dataclass(frozen=True, slots=True)
class Domain(Topic):
    """A domain: one endpoint for many topics, which come and go with their event subscriptions unless told not to."""

    kind: ClassVar[str] = "domain"
    resource_type: ClassVar[str] = "Microsoft.EventGrid/domains"
    own_properties: ClassVar[frozenset[str]] = frozenset(
        ("autoCreateTopicWithFirstSubscription", "autoDeleteTopicWithLastSubscription")
    )
    defaults: ClassVar[Mapping[str, Any]] = {**Topic.defaults, **dict.fromkeys(own_properties, True)}

    @property
    def creates_topics(self) -> bool:
        """Whether a topic's first event subscription creates the topic."""
        return self.properties.get("autoCreateTopicWithFirstSubscription") is not False

    @property
    def deletes_topics(self) -> bool:
        """Whether a topic goes with its last event subscription."""
        return self.properties.get("autoDeleteTopicWithLastSubscription") is not False


@dataclass(frozen=True, slots=True)
class DomainTopic:
    """A topic of a domain: a name to subscribe to. Its schema, keys and endpoint are the domain's."""

    kind: ClassVar[str] = "domainTopic"
    resource_type: ClassVar[str] = "Microsoft.EventGrid/domains/topics"

    id: str

    @property
    def name(self) -> str:
        """The last part of the id."""
        return self.id.rpartition("/")[2]

    @property
    def domain_id(self) -> str:
        """The ARM id of its domain."""
        return self.id.rpartition("/topics/")[0]

    @property
    def origin(self) -> str:
        """What its events and event subscriptions name as their topic."""
        return self.id

    def document(self) -> dict[str, Any]:
        """Everything that must be kept."""
        return {"id": self.id}

    def shown(self, base_url: str) -> dict[str, Any]:
        """The resource as ARM answers it."""
        properties = {"provisioningState": "Succeeded"}
        return {"id": self.id, "name": self.name, "type": self.resource_type, "properties": properties}

    @classmethod
    def revived(cls, document: Mapping[str, Any]) -> Self:
        """As `document` kept it."""
        return cls(document["id"])


@dataclass(frozen=True, slots=True)
class Members:
    """What every tracked resource of ARM has."""

    location: str
    tags: Mapping[str, str]
    identity: Mapping[str, Any] | None
    properties: Mapping[str, Any]


def parse_members(body: object) -> Members:
    """The common members of a PUT's body. Raises Refused naming the one that is wrong."""
    if not isinstance(body, Mapping):
        raise invalid("The body must be a JSON object.")
    if unknown := set(body) - _MEMBERS:
        raise invalid(f"{min(unknown)} is not a member of this resource: it has {', '.join(sorted(_MEMBERS))}.")
    tags = body.get("tags") or {}
    if not isinstance(tags, Mapping) or not all(isinstance(each, str) for each in tags.values()):
        raise invalid("tags must be an object of strings.")
    for name in ("properties", "identity"):
        if body.get(name) is not None and not isinstance(body[name], Mapping):
            raise invalid(f"{name} must be an object.")
    return Members(str(body.get("location") or "local"), tags, body.get("identity"), body.get("properties") or {})


def check_name(what: str, name: str, characters: tuple[int, int]) -> None:
    """Raise Refused when a `what` may not be called `name`."""
    shortest, longest = characters
    if not (shortest <= len(name) <= longest and NAME.fullmatch(name)):
        raise invalid(f"The {what} name '{name}' is invalid: {shortest} to {longest} characters {_NAME_HINT}.")


def invalid(message: str) -> Refused:
    """ARM's 400."""
    return Refused(ARM_INVALID_REQUEST, message)


def _boolean(where: str, value: object) -> None:
    if not isinstance(value, bool):
        raise invalid(f"{where} must be true or false.")


def _object(where: str, value: object) -> None:
    if not isinstance(value, Mapping):
        raise invalid(f"{where} must be an object.")


def _one_of(*allowed: str) -> Callable[[str, object], None]:
    def check(where: str, value: object) -> None:
        if value not in allowed:
            raise invalid(f"{where} must be one of {', '.join(allowed)}, not {value!r:.50}.")

    return check


def _network_access(where: str, value: object) -> None:
    if value == "SecuredByPerimeter":
        raise Refused(ARM_NOT_BUILT, f"{where} 'SecuredByPerimeter': this emulator has no network perimeters.")
    _one_of("Enabled", "Disabled")(where, value)


def _rules(where: str, value: object) -> None:
    if not isinstance(value, list) or len(value) > limits.INBOUND_IP_RULES_MAX:
        raise invalid(f"{where} must be an array of up to {limits.INBOUND_IP_RULES_MAX} rules.")
    for rule in value:
        if not isinstance(rule, Mapping) or rule.get("action", "Allow") != "Allow":
            raise invalid(f"{where} takes objects with ipMask and action, which is Allow.")
        try:
            ipaddress.ip_network(str(rule.get("ipMask")))
        except ValueError as failure:
            raise invalid(f"{where}.ipMask: {failure}.") from failure


_PROPERTIES: Mapping[str, Callable[[str, object], None]] = {
    "inputSchema": _one_of(*Schema),
    "inputSchemaMapping": _object,
    "disableLocalAuth": _boolean,
    "publicNetworkAccess": _network_access,
    "inboundIpRules": _rules,
    "minimumTlsVersionAllowed": _one_of("1.0", "1.1", "1.2"),
    "dataResidencyBoundary": _one_of("WithinGeopair", "WithinRegion"),
    "eventTypeInfo": _object,
}
"""A writable property and what checks it."""


def _networks(rules: object) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    return tuple(ipaddress.ip_network(rule["ipMask"]) for rule in rules) if isinstance(rules, list) else ()


def _mapping(document: object, schema: Schema) -> InputMapping:
    if document is not None and schema is not Schema.CUSTOM:
        raise invalid("properties.inputSchemaMapping is for topics whose inputSchema is CustomEventSchema.")
    try:
        return parse_mapping(document)
    except Misstated as failure:
        raise invalid(f"properties.{failure}.") from failure
