"""Every number of the Event Grid emulator: its unit and where it is known from.

"docs" names a page of Microsoft's articles/event-grid. Nothing here computes anything.
"""

from __future__ import annotations

# Publishing
REQUEST_BYTES_MAX = 1_536_000
"""Larger requests are 413. Seen on Azure (parity suite of pm7y/AzureEventGridSimulator); the docs say 1 MB."""
EVENT_BYTES_MAX = 1_049_600
"""One event larger than this is 413. Seen on Azure, same source."""
EVENTS_PER_REQUEST_MAX = 5_000
"""docs quotas-limits: events in one publish request."""
EVENT_DEPTH_MAX = 254
"""How deep an event may nest: what orjson writes. The service's own limit is not documented."""
JSON_DEPTH_MAX = 64
"""How deep an event may nest before a filter key or mapping path stops looking. Our choice."""

# Names and counts of resources
TOPIC_NAME_CHARACTERS = (3, 50)
"""docs troubleshoot-errors."""
SUBSCRIPTION_NAME_CHARACTERS = (3, 64)
"""docs troubleshoot-errors."""
SYSTEM_TOPIC_NAME_CHARACTERS = (3, 128)
"""docs troubleshoot-errors."""
TOPICS_MAX = 100
"""docs quotas-limits: custom topics, and as many domains, per Azure subscription and region."""
DOMAIN_TOPICS_MAX = 100_000
"""docs event-domains: topics of one domain."""
SUBSCRIPTIONS_PER_TOPIC_MAX = 500
"""docs quotas-limits."""
SUBSCRIPTIONS_PER_DOMAIN_MAX = 50
"""docs event-domains: event subscriptions at the scope of a whole domain."""
INBOUND_IP_RULES_MAX = 16
"""docs quotas-limits: IP firewall rules of a topic."""
RESOURCES_PER_PAGE = 20
"""What a list of ARM holds unless `$top` asks for another number. azure-mgmt-eventgrid's documentation of `top`."""
RESOURCES_PER_PAGE_MAX = 100
"""The most that `$top` may ask for. Same source."""
RESOURCE_DEPTH_MAX = 64
"""How deep a resource's body may nest. Our choice."""
OPERATIONS_KEPT = 1_000
"""Long-running operations whose outcome can still be asked for. Our choice."""

# Filters (docs event-filtering)
ADVANCED_FILTERS_MAX = 25
FILTER_VALUES_MAX = 25
"""Values of all advanced filters of one subscription together."""
FILTER_VALUE_CHARACTERS_MAX = 512

# Delivery (docs delivery-and-retry)
ANSWER_TIMEOUT_SECONDS = 30.0
"""How long a subscriber may take to answer."""
RETRY_SCHEDULE_SECONDS = (10, 30, 60, 300, 600, 1800, 3600, 3 * 3600, 6 * 3600)
"""Waits after the first, second, … failed attempt."""
RETRY_LAST_SECONDS = 12 * 3600
"""The wait after all later failures."""
RETRY_JITTER = 0.1
"""The docs say "a small randomization"; up to a tenth more is our choice."""
DELIVERY_ATTEMPTS_MAX = 30
EVENT_TIME_TO_LIVE_MINUTES_MAX = 1440
BATCH_EVENTS_MAX = 5_000
BATCH_KILOBYTES_MAX = 1_024
BATCH_KILOBYTES_DEFAULT = 64
FAILURES_BEFORE_PROBATION = 10
"""About the first ten events that fail put the endpoint aside."""
PROBATION_SECONDS = {
    "Busy": 10,
    "TimedOut": 10,
    "SocketError": 30,
    "NotFound": 300,
    "ResolutionError": 300,
    "Disabled": 300,
    "Full": 300,
    "Unauthorized": 300,
    "Forbidden": 300,
    "InvalidAzureFunctionDestination": 600,
}
"""How long an endpoint is put aside, by its last failure."""
PROBATION_OTHER_SECONDS = 10
"""For outcomes that the docs' table leaves out. Our choice: as for the mildest."""
QUEUE_MESSAGE_SECONDS_DEFAULT = 7 * 24 * 3600
"""How long a message lives in a storage queue unless the subscription says otherwise (ARM reference)."""
CONCURRENT_DELIVERIES_MAX = 16
"""Requests under way to one subscription's endpoint. Our choice; the service does not say."""
QUEUE_PAGE = 256
"""Due deliveries that one subscription's lane holds in memory. Our choice: the rest waits on disk."""
RESTART_SECONDS = 1.0
"""Before a lane, or the writing of dead letters, begins again after a defect; in real seconds. Our choice."""
ANSWER_EXCERPT_BYTES_MAX = 1_024
"""How much of a subscriber's answer an attempt's record keeps. Our choice."""
ANSWER_BYTES_MAX = 64 * 1024
"""How much of a subscriber's answer is read at all. Our choice."""

# Dead letters (docs delivery-and-retry, manage-event-delivery)
DEAD_LETTER_DELAY_SECONDS = 5 * 60
"""From the last attempt to the blob."""
DEAD_LETTER_GIVE_UP_SECONDS = 4 * 3600
"""A container that stays unavailable for so long loses the event."""
DEAD_LETTER_RETRY_SECONDS = 10
"""Between two tries to write a dead letter. Our choice."""
BLOB_SETTLED_SECONDS = 6.0
"""Azurite saves its index every 5 s; a blob that is still there after this has outlived that. Real seconds."""
DEAD_LETTER_WRITES_MAX = 8
"""Blobs being written at once. Our choice."""

# Storage events
STORAGE_LOOK_SECONDS = 1.0
"""Between two looks at the storage account's blobs, in real seconds. Our choice."""
STORAGE_LOOK_REST = 9.0
"""So many times as long as a look took, the next one waits at least: a tenth of the time at most. Our choice."""
WATCHED_BLOBS_MAX = 100_000
"""Blobs of one container that are watched; the names are held in memory while it is looked at. Our choice."""
LISTED_BLOBS_PER_PAGE = 5_000
"""The most that List Blobs gives at a time (Blob service REST API)."""

# Handshakes (docs webhook-event-delivery)
VALIDATION_URL_SECONDS = 5 * 60
"""How long a validation URL may be used."""
HANDSHAKE_RETRY_SECONDS = 1.0
"""Between two handshakes with --retry-handshakes, in real seconds. Our choice."""

# The record of what happened (portal)
FINISHED_EVENTS_KEPT = 1_000
"""Delivered, dead-lettered and dropped events that are still told about. Our choice."""
