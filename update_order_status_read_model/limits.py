"""Every number of the read side that bounds something: its unit and why it is that much."""

PROJECT_ATTEMPTS_MAX = 5
"""Tries to save one view against other deliveries for the same order; beyond it Event Grid brings the event again."""
PROJECT_PAUSE_SECONDS = 0.04
"""Upper bound of the random pause before the second attempt; doubles with each further one."""

QUERY_PARAMETERS_MAX = 32
"""No query has more than four, and the function key; the rest is room for what proxies add."""
PAGE_SIZE = 50
PAGE_SIZE_MAX = 1000
CONTINUATION_TOKEN_CHARACTERS_MAX = 4096
"""Ours have some 300; the bound keeps us from decoding whatever a URL can carry."""

WAIT_MILLISECONDS_MAX = 10_000
"""The longest a query waits for a version: well below the 230 s after which Azure's load balancer gives up."""
WAIT_STEPS_SECONDS = (0.05, 0.1, 0.2)
"""Pauses between looks at a view that is late; the last one repeats. A look costs one request unit."""
RETRY_AFTER_SECONDS = 1
"""What a caller is told to wait when the store itself names no time."""

GENERATIONS_CACHE_SECONDS = 5.0
"""How old a process's knowledge of which generation is read and written may be, unless the setting says otherwise.
A rebuild waits longer."""

PARKED_PAYLOAD_BYTES_MAX = 1_900_000
"""Of its JSON, in which azure-cosmos escapes whatever is not ASCII: an event of 1 MB (Event Grid quotas) may become
3 MB, and a document may have 2 MB (Cosmos DB quotas)."""
PARKED_PAGE_ITEMS = 100

STORE_READ_TIMEOUT_SECONDS = 5
STORE_CONNECT_TIMEOUT_SECONDS = 3
STORE_CONNECT_RETRIES_MAX = 1
STORE_CONNECT_RETRY_SECONDS = 0.1
"""A connection that breaks once is tried again at once; more is for the caller or for Event Grid."""
STORE_THROTTLE_RETRIES_MAX = 3
STORE_THROTTLE_WAIT_SECONDS_MAX = 3
"""Beyond this the caller is told 429, and Event Grid that the delivery failed: both come again later."""

WALK_PAGE_ITEMS = 5000
"""Documents of one page when every order is read. Cosmos DB gives at most 4 MB a page; the SDK keeps one page for each
partition."""
EMPTY_PAGE_ITEMS = 500
"""Documents deleted between two looks at whether one may go on: a few seconds of work."""
BATCH_OPERATIONS_MAX = 100
"""Operations of one transactional batch (Azure Cosmos DB service quotas)."""
WALK_READ_TIMEOUT_SECONDS = 60
"""Of such a page, for which nobody waits at a browser."""
DELETES_AT_ONCE = 8
ERASE_ATTEMPTS_MAX = 10
"""Tries to put a tombstone in a view's place while events change it."""
