"""Every number the emulator stands by, with its unit and source. `[L]` marks a documented service limit
(learn.microsoft.com/azure/cosmos-db/concepts-limits)."""

from __future__ import annotations

ITEM_BYTES_MAX = 2 * 1024 * 1024
"""[L] UTF-8 length of an item's JSON."""
REQUEST_BYTES_MAX = 2 * 1024 * 1024
"""[L] A request body; batches included."""
BODY_BYTES_READ_MAX = 4 * 1024 * 1024
"""How much of a body is read before it is refused unread: our choice, above the limit so that it gets its own error."""
RESPONSE_BYTES_MAX = 4 * 1024 * 1024
"""[L] A response page."""
NESTING_MAX = 128
"""[L] Levels of objects and arrays in an item."""
BODY_NESTING_MAX = 160
"""Levels of any other body: our choice, an item inside a batch and some more; JSON of 254 levels cannot be written."""
DOCUMENT_ID_BYTES_MAX = 1023
"""[L] UTF-8 length of an item's id."""
RESOURCE_ID_CHARACTERS_MAX = 255
"""[L] Length of a database's or container's name, and of other resources'."""

PARTITION_KEY_PATHS_MAX = 3
"""[L] Levels of a hierarchical partition key."""
PARTITION_KEY_BYTES_MAX = 2048
"""[L] UTF-8 length of a partition key value, version 2."""
PARTITION_KEY_V1_CHARACTERS = 100
"""How much of a string version 1 hashes (azure-cosmos partition_key.py)."""

BATCH_OPERATIONS_MAX = 100
"""[L] Operations in a transactional batch."""
PATCH_OPERATIONS_MAX = 10
"""[L] Operations in a partial update."""

THROUGHPUT_MIN = 400
"""[L] RU/s, manual."""
THROUGHPUT_MAX = 1_000_000
"""[L] RU/s of a container or database without a support ticket."""
THROUGHPUT_STEP = 100
"""[L] RU/s."""
AUTOSCALE_MIN = 1000
"""[L] RU/s, the maximum of an autoscale offer."""
AUTOSCALE_STEP = 1000
"""[L] RU/s."""
AUTOSCALE_FLOOR = 0.1
"""[L] Share of the maximum that is always provisioned."""
RANGE_THROUGHPUT = 6000
"""RU/s for each physical partition that a container starts with (documented in the scaling best practices; the
azure-cosmos suite counts on 5 at 30,000). A partition can serve up to 10,000 later on."""
RANGES_MAX = 2047
"""Range ids a container may ever use: our choice, what a document's position has bits for."""

UNIQUE_KEYS_MAX = 10
"""[L] Constraints in a unique key policy."""
UNIQUE_KEY_PATHS_MAX = 16
"""[L] Paths of all constraints of a unique key policy."""
COMPOSITE_PATHS_MAX = 8
"""[L] Paths in a composite index."""
COMPOSITE_INDEXES_MAX = 100
"""[L] Composite indexes in a policy."""
COMPUTED_PROPERTIES_MAX = 20
"""[L] Computed properties of a container."""

PAGE_ITEMS_MAX = 1000
"""Items a page holds when the client does not say (-1 or absent): documented for queries."""
PAGE_SECONDS_MAX = 5.0
"""[L] Time that one page of a query may take; it then ends, perhaps empty, with a continuation."""
FEED_ITEMS_DEFAULT = 100
"""Items a page of a plain feed holds when the client does not say: the REST reference's default."""

VERSIONS_MINUTES = 7 * 24 * 60
"""How long an account with continuous backup keeps every version: its seven-day tier (documented)."""

SIGNATURE_SKEW_SECONDS_MAX = 15 * 60
"""[L] How far x-ms-date may lie from the service's clock."""

RESOURCES_MAX = (1 << 20) - 1
"""Resources ever made in one data directory before the last container: our choice, what a position has bits for."""
EXPIRED_SWEEP_SECONDS = 60.0
"""Expired items are hidden at once and removed at most this often: our choice."""
EXPIRED_SWEEP_ITEMS_MAX = 1000
"""Expired items one sweep removes: our choice, so that no request pays for all of them."""

TOKEN_SECONDS_DEFAULT = 3600
"""Life of a resource token when the client does not say (documented with resource tokens)."""
TOKEN_SECONDS_MIN = 600
"""Our reading of the range that the service accepts: ten minutes to a day."""
TOKEN_SECONDS_MAX = 86_400
IDENTITY_TOKEN_SECONDS = 86_400
"""Life of an identity token: a day, as managed identities' (documented)."""
SCRIPT_BYTES_MAX = 256 * 1024
"""Length of a stored procedure's, trigger's or function's text: our choice, the service documents none."""

SCRIPT_SECONDS_MAX = 5.0
"""[L] How long a stored procedure, a write's triggers, or the functions of a query's page may run."""
SCRIPT_ACCEPTING_SHARE = 0.8
"""Share of its time after which a script's operations are refused, so that it can end in time: our choice."""
SCRIPT_HEAP_BYTES_MAX = 64 * 1024 * 1024
"""Heap of a script: our choice, the service documents none."""
SCRIPT_MESSAGE_BYTES_MAX = 64 * 1024 * 1024
"""What a script may hand to its host at once: our choice, above what its heap holds."""
SCRIPT_RESPONSE_CHARACTERS_MAX = 4 * 1024 * 1024
"""Length of what a script answers: a response page's."""
SCRIPT_LOG_CHARACTERS_MAX = 4096
"""Length of what console.log collects for its header: our choice, well within what clients read."""
SCRIPT_WORKERS_MAX = 4
"""Scripts that run at the same time: our choice."""
SCRIPT_ATTEMPTS_MAX = 5
"""How often a script is run while others change what it has read, before its client is told to retry: our choice."""
SCRIPT_POSITIONS_RESERVED = 100
"""Places for new items that a script takes at a time: our choice."""

VECTOR_DIMENSIONS_MAX = 4096
"""[L] Dimensions of an embedding."""
VECTOR_QUANTIZATION_BYTES = (1, 256)
"""Bytes a quantized vector may take (azure-cosmos tests/test_vector_policy.py; the docs say 512)."""
VECTOR_SEARCH_LIST = (25, 500)
"""Vectors searched while building a diskANN index (azure-cosmos tests/test_vector_policy.py; the docs say 10)."""
VECTOR_SHARD_PATHS_MAX = 1
"""Paths of a sharded vector index (azure-cosmos tests/test_vector_policy.py)."""
