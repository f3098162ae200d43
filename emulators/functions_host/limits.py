"""Every number of the host, with its unit and where it is known from (host = azure-functions-host, 4.1037)."""

from __future__ import annotations

PORT_DEFAULT = 7071
"""Core Tools, StartHostAction."""
BODY_BYTES_MAX = 104_857_600
"""host: HttpRequestBodySizeMiddleware; the setting FUNCTIONS_REQUEST_BODY_SIZE_LIMIT overrides it."""
SETTINGS_BYTES_MAX = 4 * 1024 * 1024
"""host.json and local.settings.json: our choice."""
START_ORDER_BYTES_MAX = 8 * 1024 * 1024
"""What a worker process reads on stdin when it starts: our choice, settings and then some."""
CONTROL_LINE_BYTES_MAX = 2 * 1024 * 1024
"""One message between supervisor and worker: our choice, twice a control request's body."""

WORKER_PROCESSES_MAX = 10
"""host: WorkerProcessCountOptions."""
WORKER_START_SECONDS_MAX = 60.0
"""host: WorkerProcessCountOptions.ProcessStartupTimeout; loading the app included."""
WORKER_DEATHS_MAX = 3
"""host: RpcFunctionInvocationDispatcher, deaths per configured process before the host gives up."""
WORKER_DEATHS_WINDOW_SECONDS = 10.0
"""Our choice (DESIGN: three deaths in ten seconds stop it): the real host counts over half an hour."""
DRAIN_SECONDS_MAX = 10.0
"""host: WebJobsScriptHostService, what a host stop grants to invocations in flight."""
RELOAD_QUIET_MILLISECONDS = 300
"""host: GrpcWorkerChannel, changes to *.py are collected until this long nothing happens."""

EVENT_GRID_EVENTS_MAX = 5_000
"""Elements of one Event Grid delivery: the service's own maxEventsPerBatch."""
STORAGE_SECONDS_MAX = 10.0
"""One attempt to read or write a blob of AzureWebJobsStorage: our choice."""
LISTENER_RETRY_SECONDS_MIN = 2.0
LISTENER_RETRY_SECONDS_MAX = 120.0
"""webjobs-sdk: FunctionListener, the wait before a listener that could not start is started again, doubling."""
SCHEDULE_YEARS_MAX = 5
"""How far ahead an occurrence of a schedule is searched: our choice (29 February on a Monday needs 28; none is)."""
RETRIES_MAX = 1_000_000
"""What `max_retry_count=-1` (for ever) is bounded by: our choice."""
ROUTE_SEGMENTS_MAX = 64
"""Segments of a request path that are matched against routes: our choice."""
FUNCTION_TIMEOUT_SECONDS_DEFAULT = 1800.0
"""host: ScriptJobHostOptionsSetup, outside the Consumption plan."""
KEY_BYTES = 40
"""Randomness of a generated key: host SecretManager makes 40 bytes."""
