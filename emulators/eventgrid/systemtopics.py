"""System topics: Azure's own resources as sources of events, and what kinds of them there are.

Only storage accounts have events here (`storageevents`); the service's other kinds are known by name and refused.
Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from emulators.eventgrid import limits
from emulators.eventgrid.errors import ARM_NOT_BUILT, Refused
from emulators.eventgrid.schemas import Schema
from emulators.eventgrid.topics import check_name, invalid, parse_members

STORAGE_ACCOUNTS = "Microsoft.Storage.StorageAccounts"
ACCOUNT_ID = re.compile(
    r"/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.Storage/storageAccounts/(?P<account>[^/]+)",
    re.IGNORECASE,
)
BLOB_CREATED = "Microsoft.Storage.BlobCreated"
BLOB_DELETED = "Microsoft.Storage.BlobDeleted"
BLOB_TIER_CHANGED = "Microsoft.Storage.BlobTierChanged"


@dataclass(frozen=True, slots=True)
class EventKind:
    """One event type of a kind of source, and whether a subscription that names no types gets it."""

    description: str
    by_default: bool = True


@dataclass(frozen=True, slots=True)
class TopicType:
    """A kind of source. `source_format` is empty where the source is Event Grid's own resource."""

    provider: str
    display_name: str
    description: str
    source_format: str
    events: Mapping[str, EventKind] = field(default_factory=dict)

    def shown(self, name: str) -> dict[str, Any]:
        """As ARM lists it."""
        return {
            "id": f"providers/Microsoft.EventGrid/topicTypes/{name}",
            "name": name,
            "type": "Microsoft.EventGrid/topicTypes",
            "properties": {
                "provider": self.provider,
                "displayName": self.display_name,
                "description": self.description,
                "resourceRegionType": "RegionalResource",
                "provisioningState": "Succeeded",
                "supportedLocations": ["local"],
                "sourceResourceFormat": self.source_format,
                "supportedScopesForSource": ["Resource"],
            },
        }

    def shown_events(self, name: str) -> list[dict[str, Any]]:
        """Its event types as ARM lists them."""
        return [
            {
                "id": f"providers/Microsoft.EventGrid/topicTypes/{name}/eventTypes/{event}",
                "name": event,
                "type": "Microsoft.EventGrid/topicTypes/eventTypes",
                "properties": {
                    "displayName": event.rpartition(".")[2],
                    "description": kind.description,
                    "schemaUrl": "https://aka.ms/azureeventgridschemas",
                    "isInDefaultSet": kind.by_default,
                },
            }
            for event, kind in self.events.items()
        ]


TOPIC_TYPES: Mapping[str, TopicType] = {
    STORAGE_ACCOUNTS: TopicType(
        "Microsoft.Storage",
        "Storage Accounts",
        "Blobs of the storage account given by --storage.",
        "/subscriptions/{subscription-id}/resourceGroups/{resource-group}"
        "/providers/Microsoft.Storage/storageAccounts/{storage-account}",
        {
            BLOB_CREATED: EventKind("A blob was created or replaced."),
            BLOB_DELETED: EventKind("A blob was deleted."),
            BLOB_TIER_CHANGED: EventKind("A blob's access tier was changed.", by_default=False),
        },
    ),
    "Microsoft.EventGrid.Topics": TopicType(
        "Microsoft.EventGrid",
        "Event Grid Topics",
        "Custom topics of this emulator.",
        "/subscriptions/{subscription-id}/resourceGroups/{resource-group}"
        "/providers/Microsoft.EventGrid/topics/{topic-name}",
    ),
    "Microsoft.EventGrid.Domains": TopicType(
        "Microsoft.EventGrid",
        "Event Grid Domains",
        "Domains of this emulator.",
        "/subscriptions/{subscription-id}/resourceGroups/{resource-group}"
        "/providers/Microsoft.EventGrid/domains/{domain-name}",
    ),
}
"""What this emulator has events of, by name."""


@dataclass(frozen=True, slots=True)
class SystemTopic:
    """The topic of an Azure resource's own events."""

    kind: ClassVar[str] = "systemTopic"
    resource_type: ClassVar[str] = "Microsoft.EventGrid/systemTopics"
    schema: ClassVar[Schema] = Schema.EVENT_GRID

    id: str
    source: str
    topic_type: str = STORAGE_ACCOUNTS
    location: str = "local"
    tags: Mapping[str, str] = field(default_factory=dict)
    identity: Mapping[str, Any] | None = None

    @property
    def name(self) -> str:
        """The last part of the id."""
        return self.id.rpartition("/")[2]

    @property
    def origin(self) -> str:
        """What its events and event subscriptions name as their topic: the resource itself."""
        return self.source

    @property
    def default_events(self) -> frozenset[str]:
        """The types that a subscription gets which names none, in lower case."""
        events = TOPIC_TYPES[self.topic_type].events
        return frozenset(name.lower() for name, kind in events.items() if kind.by_default)

    def document(self) -> dict[str, Any]:
        """Everything that must be kept."""
        return {
            "id": self.id,
            "body": {
                "location": self.location,
                "tags": dict(self.tags),
                "identity": self.identity,
                "properties": {"source": self.source, "topicType": self.topic_type},
            },
        }

    def shown(self, base_url: str) -> dict[str, Any]:
        """The resource as ARM answers it."""
        return {
            "id": self.id,
            "name": self.name,
            "type": self.resource_type,
            "location": self.location,
            "tags": dict(self.tags),
            **({"identity": self.identity} if self.identity else {}),
            "properties": {
                "source": self.source,
                "topicType": self.topic_type,
                "provisioningState": "Succeeded",
                "metricResourceId": self.name.lower(),
            },
        }

    @classmethod
    def revived(cls, document: Mapping[str, Any]) -> Self:
        """As `document` kept it."""
        return cls.parsed(document["id"], document["body"])

    @classmethod
    def parsed(cls, arm_id: str, body: object) -> Self:
        """From the body of a PUT. Raises Refused naming the member that is wrong."""
        check_name("system topic", arm_id.rpartition("/")[2], limits.SYSTEM_TOPIC_NAME_CHARACTERS)
        members = parse_members(body)
        given = members.properties
        if unknown := set(given) - {"source", "topicType", "provisioningState", "metricResourceId"}:
            raise invalid(f"properties.{min(unknown)} is not a property of {cls.resource_type}.")
        topic_type, source = given.get("topicType"), given.get("source")
        if not isinstance(topic_type, str) or not isinstance(source, str):
            raise invalid("properties.source and properties.topicType are required.")
        if topic_type.lower() != STORAGE_ACCOUNTS.lower():
            raise Refused(ARM_NOT_BUILT, f"This emulator has no events of '{topic_type}', only of {STORAGE_ACCOUNTS}.")
        if not ACCOUNT_ID.fullmatch(source):
            raise invalid("properties.source must be the ARM id of a storage account.")
        return cls(arm_id, source, STORAGE_ACCOUNTS, members.location, members.tags, members.identity)
