"""The Functions host in the test's own process: call an app's functions, look at what they did, without a network.

    with FunctionsTestHost(app) as host:
        assert host.request("GET", "/api/orders/1").status_code == 404

Any FunctionApp object, or a Blueprint, runs here as the host runs it: indexing, triggers, converters, retries, logs.
Listeners stay off unless asked for, so nothing else has to run; outputs can be captured instead of written.
`AsyncFunctionsTestHost` is the same with `async with` and `await`.
"""

from emulators.functions_host.testing.blocking import FunctionsTestHost
from emulators.functions_host.testing.host import AsyncFunctionsTestHost
from emulators.functions_host.testing.records import Answer, Invocation, Log

__all__ = ["Answer", "AsyncFunctionsTestHost", "FunctionsTestHost", "Invocation", "Log"]
