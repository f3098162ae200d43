"""Every number of the write side that bounds something: its unit and why it is that much."""

COMMAND_BYTES_MAX = 16 * 1024
"""One command. An order id and a status need 200 bytes; the rest is room for white space."""
IDEMPOTENCY_KEY_CHARACTERS_MAX = 1024
"""Longer than any UUID, URL or hash in use; hosts cap all headers together at 16 to 32 KiB."""
BATCH_KEY_CHARACTERS_MAX = IDEMPOTENCY_KEY_CHARACTERS_MAX - 3
"""A batch's key with the place of a command, up to `/99`, is that command's own key."""
BATCH_BYTES_MAX = 256 * 1024
BATCH_COMMANDS_MAX = 100
BATCH_ORDERS_AT_ONCE = 8
"""Orders of one batch worked on at a time: enough to hide latency, too few to starve other requests."""

COMMIT_ATTEMPTS_MAX = 5
"""Tries to commit one command against rivals on the same order, unless the setting says otherwise."""
COMMIT_PAUSE_SECONDS = 0.04
"""Upper bound of the random pause before the second attempt; doubles with each further one."""
COMMIT_PAUSE_SECONDS_MAX = 1.0
"""No pause is longer: the setting allows attempts whose pauses would otherwise be hours."""
RETRY_AFTER_SECONDS = 1
"""What a caller is told to wait when the store itself names no time."""

PUBLISH_BUDGET_SECONDS = 2.0
"""How long a command's answer waits for Event Grid, and then for the event's mark, before it leaves them to the relay;
unless the setting says otherwise."""
GATHER_SECONDS_MAX = 0.02
"""How long an event waits for a request that is under way, to go together with others in the next: a request of many
events costs this process as much as one of a single event. Alone, none waits."""
EVENT_GRID_REQUEST_BYTES_MAX = 1024 * 1024
"""Event Grid refuses larger requests with 413 (Azure Event Grid quotas and limits)."""
RELAY_EVENTS_MAX = 500
"""Events one tick of the relay publishes at most, so that a tick ends before the next begins."""
PENDING_UNREADABLE_MAX = 5000
"""Events of a newer version that one tick reads past at most: ten times what it publishes."""
RELAY_GRACE_SECONDS = 10.0
"""Younger pending events are left to the request that made them, unless the setting says otherwise."""
MARKS_AT_ONCE = 8
"""Orders whose events are marked at a time."""
BATCH_OPERATIONS_MAX = 100
"""Operations of one transactional batch (Azure Cosmos DB service quotas)."""

STORE_READ_TIMEOUT_SECONDS = 5
"""Cosmos DB ends a transactional batch after 5 s (Azure Cosmos DB service quotas)."""
STORE_CONNECT_TIMEOUT_SECONDS = 3
STORE_CONNECT_RETRIES_MAX = 1
STORE_CONNECT_RETRY_SECONDS = 0.1
"""A connection that breaks once is tried again at once; more is for the caller, who has the same key."""
STORE_THROTTLE_RETRIES_MAX = 3
STORE_THROTTLE_WAIT_SECONDS_MAX = 3
"""Beyond this the caller is told 429: a client that can wait is better placed to do so than a function that bills."""

WALK_PAGE_ITEMS = 5000
"""Documents of one page when every order is read. Cosmos DB gives at most 4 MB a page; the SDK keeps one page for each
partition."""
WALK_READ_TIMEOUT_SECONDS = 60
"""Of such a page, for which nobody waits at a browser."""
DELETES_AT_ONCE = 8
ERASE_ATTEMPTS_MAX = 10
"""Tries to put a tombstone in an order's place while commands change the order."""
