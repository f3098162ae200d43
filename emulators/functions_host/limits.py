"""Every number of the host, with its unit and where it is known from (host = azure-functions-host, 4.1037)."""

from __future__ import annotations

PORT_DEFAULT = 7071
"""Core Tools, StartHostAction."""
PORT_MAX = 65_535
"""TCP."""
BODY_BYTES_MAX = 104_857_600
"""host: HttpRequestBodySizeMiddleware; the setting FUNCTIONS_REQUEST_BODY_SIZE_LIMIT overrides it."""
SETTINGS_BYTES_MAX = 4 * 1024 * 1024
"""host.json and local.settings.json: our choice."""
START_ORDER_BYTES_MAX = 8 * 1024 * 1024
"""What a worker process reads on stdin when it starts: our choice, flags and then some."""
CONTROL_LINE_BYTES_MAX = 2 * 1024 * 1024
"""What a worker reports when it is ready or could not start, a traceback included: our choice."""

WORKER_PROCESSES_MAX = 10
"""host: WorkerProcessCountOptions."""
WORKER_START_SECONDS_MAX = 60.0
"""host: WorkerProcessCountOptions.ProcessStartupTimeout; loading the app included."""
ACCEPTED_AT_ONCE_MAX = 64
"""Connections that are accepted before other events of the supervisor have their turn: our choice."""
DOORS_SHUT_SECONDS = 0.05
"""How long no connection is accepted when no worker takes one: our choice."""
WORKER_DEATHS_MAX = 3
"""host: RpcFunctionInvocationDispatcher, deaths before the host gives up; it grants them to each process, we to all."""
WORKER_DEATHS_WINDOW_SECONDS = 10.0
"""Our choice: the real host counts over half an hour."""
DRAIN_SECONDS_MAX = 10.0
"""host: WebJobsScriptHostService, what a host stop grants to invocations in flight."""
SHORT_DRAIN_SECONDS_MAX = 1.0
"""What a worker is granted that may never end, a function of it having timed out or a debugger holding it: our choice,
the host grants none."""
WORKER_ANSWER_SECONDS_MAX = 10.0
"""What a worker may take to answer before it is passed over: our choice; code of the app may block it."""
BLOCKED_SECONDS_MAX = 2.0
"""How long after its deadline a function may go on to hold the event loop before its process is ended: our choice."""
BLOCKED_POLL_SECONDS = 0.5
"""How often that is looked at: our choice."""
WATCH_QUIET_MILLISECONDS = 50
"""How long nothing may have changed before the app is loaded again: our choice (host: 300 ms and a debounce of 500)."""
WATCH_BURST_MILLISECONDS = 1_600
"""After that long, files that keep changing are a reason to load as well: watchfiles' own figure."""
DEBUG_PORT_SECONDS_MAX = 10.0
"""How long a debugger's port may take to become free after its worker has ended: our choice."""
FUNCTION_TIMEOUT_SECONDS_DEFAULT = 1_800.0
"""host: ScriptJobHostOptionsSetup.DefaultFunctionTimeout, of every plan but Consumption."""
FUNCTION_TIMEOUT_SECONDS_MIN = 1.0
"""host: ScriptJobHostOptionsSetup.MinFunctionTimeout."""

EVENT_GRID_EVENTS_MAX = 5_000
"""Elements of one Event Grid delivery: the service's own maxEventsPerBatch."""
STORAGE_SECONDS_MAX = 10.0
"""One attempt to read or write a blob of AzureWebJobsStorage: our choice."""
STORAGE_TRIES = 3
"""Attempts of a binding's request to storage: our choice; what the host does for itself has a wait of its own."""
LISTENER_RETRY_SECONDS_MIN = 2.0
LISTENER_RETRY_SECONDS_MAX = 120.0
"""webjobs-sdk: FunctionListener, the wait before a listener that could not start is started again, doubling."""
SCHEDULE_YEARS_MAX = 5
"""How far ahead an occurrence of a schedule is searched: our choice; a schedule rarer than that is refused."""
RETRIES_MAX = 1_000_000
"""What `max_retry_count=-1` (for ever) is bounded by: our choice."""
ROUTE_SEGMENTS_MAX = 64
"""Segments of a request path that are matched against routes: our choice."""
KEY_BYTES = 40
"""Randomness of a generated key: host SecretManager makes 40 bytes."""
KEY_WRITES_MAX = 20
"""Attempts to change a document of keys that other processes change too: our choice."""
KEYS_RELOAD_SECONDS_MIN = 60.0
"""host: SecretManager, how often keys are read again because a caller's key was not among them."""
LOCK_LEASE_SECONDS = 15
"""webjobs-sdk: ListenerLockPeriod as WebJobsServiceCollectionExtensions sets it."""
LOCK_POLL_SECONDS = 60.0
"""webjobs-sdk: ListenerLockRecoveryPollingInterval, how often a lock that another host holds is asked for."""
LOCK_RENEW_SECONDS_MIN = 1.0
"""webjobs-sdk: SingletonManager, the shortest wait before a renewal that failed is tried again."""
STREAMED_PARTS_MAX = 2
"""Parts of a streamed answer that wait for a slow client: our choice."""
SOURCE_FILES_MAX = 2_000
"""Python files of an app that the doctor reads: our choice."""
SOURCE_BYTES_MAX = 1_000_000
"""The longest of them: our choice, what is longer was not written by hand."""

COSMOS_SECONDS_MAX = 65.0
"""One request to a Cosmos DB account: azure-cosmos-dotnet-v3 RequestTimeout of the change feed processor."""
COSMOS_THROTTLED_ATTEMPTS_MAX = 10
COSMOS_THROTTLED_SECONDS_MAX = 30.0
"""Tries of a throttled request and their waits in all: azure-cosmos-dotnet-v3 CosmosClientOptions (9 retries, 30 s)."""
COSMOS_PAGES_MAX = 10_000
"""Pages of one query: our choice."""
LEASE_CONFLICTS_MAX = 6
"""Tries to write a lease that others write meanwhile: azure-cosmos-dotnet-v3 DocumentServiceLeaseUpdaterCosmos."""
LEASE_LOCK_SECONDS = 30
LEASE_LOCK_WAIT_SECONDS = 15.0
"""For how long a host that creates the leases keeps others from it, and how long they wait: BootstrapperCore."""
COSMOS_RESULTS_MAX = 100_000
"""Items that one Cosmos DB input binding reads: our choice."""
EXPRESSION_CHARACTERS_MAX = 262_144
"""Length of a text with binding expressions: our choice, half of Cosmos DB's longest query."""
PUBLISH_SECONDS_MAX = 60.0
"""One publish of an Event Grid output: our choice; azure-core's own network timeout is 100 s."""
TABLE_ENTITIES_MAX = 50_000
"""Entities that one table input binding reads: our choice, fifty pages of the service's 1,000."""
BLOB_BYTES_MAX = 104_857_600
"""A blob that is handed over by value: our choice, the host's own limit on a request body."""
QUEUE_BATCH_DEFAULT, QUEUE_BATCH_MAX = 16, 32
QUEUE_DEQUEUES_DEFAULT = 5
"""Messages got at once, and tries of one before it is poison: QueuesOptions of the storage extension."""
QUEUE_POLL_SECONDS_MIN = 0.1
QUEUE_POLL_SECONDS_MAX = 2.0
"""How long an idle queue is left alone, growing: QueuePollingIntervals; the slowest is 2 s in Development (1 min on
Azure, which host.json's maxPollingInterval can say)."""
QUEUE_VISIBILITY_SECONDS = 600
"""For how long a message that is being handled is hidden, renewed at half of it: QueueListener."""
BLOBS_AT_ONCE_PER_CPU = 8
"""BlobsOptions of the storage extension: maxDegreeOfParallelism by default, for each processor."""
BLOB_SCAN_SECONDS = 10.0
BLOB_SCAN_BLOBS_MAX = 10_000
"""How often a container is listed, and how far: ScanBlobScanLogHybridPollingStrategy of the storage extension."""
TEST_WAIT_SECONDS_MAX = 30.0
"""How long the test host waits for functions: our choice, so that a test fails before its runner's limit."""
