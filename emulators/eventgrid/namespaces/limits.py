"""Every number of namespaces: its unit and where it is known from. "docs" names a page of articles/event-grid.

Nothing here computes anything.
"""

from __future__ import annotations

# Publishing (docs quotas-limits)
REQUEST_BYTES_MAX = 1_048_576
EVENTS_PER_REQUEST_MAX = 1_000

# Names and counts of resources
NAMESPACE_NAME_CHARACTERS = (3, 50)
"""As for topics. Our choice: no page says it of namespaces."""
TOPIC_NAME_CHARACTERS = (3, 50)
"""As for custom topics. Our choice."""
SUBSCRIPTION_NAME_CHARACTERS = (3, 50)
"""azure-mgmt-eventgrid, namespace_topic_event_subscriptions.begin_create_or_update."""
NAMESPACES_MAX = 50
"""docs quotas-limits: namespaces per Azure subscription and region."""
THROUGHPUT_UNITS_MAX = 40
"""docs quotas-limits."""
TOPICS_PER_THROUGHPUT_UNIT_MAX = 100
"""docs quotas-limits."""
SUBSCRIPTIONS_PER_TOPIC_MAX = 500
"""docs quotas-limits."""
RETENTION_DAYS = (1, 7)
"""docs event-retention: how long a topic keeps an event; the first is the default (azure-mgmt-eventgrid)."""

# Queue subscriptions
LOCK_SECONDS = (60, 300)
"""azure-mgmt-eventgrid, QueueInfo: shortest, which is the default, and longest."""
DELIVERIES_MAX = (1, 10)
"""docs namespace-delivery-retry: least, and most, which is the default."""
TIME_TO_LIVE_SECONDS_MIN = 60
"""azure-mgmt-eventgrid, QueueInfo; the longest is the topic's retention."""

# Receiving and settling (azure-eventgrid, receive and release)
EVENTS_PER_RECEIVE = (1, 100)
"""Least, which is the default, and most."""
WAIT_SECONDS = (10, 120)
WAIT_SECONDS_DEFAULT = 60
RELEASE_DELAYS_SECONDS = (0, 10, 60, 600, 3600)
RECEIVED_BYTES_MAX = 4 * 1_048_576
"""Bodies of events in one answer; a single larger one goes alone. Our choice."""
LOCK_TOKENS_MAX = 1_000
"""Tokens in one request to settle. Our choice; ten times what one receive can give."""
LOCK_TOKEN_SECRET_BYTES = 16

# Dead letters (docs dead-letter-event-subscriptions-namespace-topics, namespace-delivery-retry)
DEAD_LETTER_DELAY_SECONDS = 5 * 60
DEAD_LETTER_GIVE_UP_SECONDS = 2 * 24 * 3600
"""deliveryRetryPeriodInDays: two days, which this emulator does not let one change."""
SWEEP_EVENTS_MAX = 500
"""Events that one transaction of the sweeper ends. Our choice: others are served between."""
