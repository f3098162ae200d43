"""What pytest loads beside the suite: runs the chosen tests only, writes each outcome at once, sets the suite up.

Stands in for the suite's own conftest.py, which dies when any of its containers cannot be made; here each step that
fails is told and the tests that do without it still run.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

MARKS = (
    "cosmosEmulator cosmosLong cosmosQuery cosmosSplit cosmosMultiRegion cosmosCircuitBreaker cosmosSearchQuery "
    "cosmosGSI semanticReranker unittest timeout cosmosAADCircuitBreaker cosmosAADCircuitBreakerMultiRegion "
    "cosmosAADLong cosmosAADMultiRegion cosmosAADPerPartitionAutomaticFailover cosmosAADQuery cosmosAADSplit "
    "cosmosCircuitBreakerMultiRegion cosmosPerPartitionAutomaticFailover"
)
SET_UP = (
    "get_account_info",
    "create_database_if_not_exist",
    "create_single_partition_container_if_not_exist",
    "create_multi_partition_container_if_not_exist",
    "create_single_partition_prefix_pk_container_if_not_exist",
    "create_multi_partition_prefix_pk_container_if_not_exist",
)
_ENDPOINT = re.compile(r"https?://(?:localhost|127\.0\.0\.1|\[::1\])(-[a-z0-9]+)?(?::\d+)?/?")
_GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")

phases: dict[str, dict[str, str]] = {}
complaints: dict[str, str] = {}
client: Any = None


def stable(node_id: str) -> str:
    """A test's id without the endpoint and the fresh ids that some carry."""
    return _ENDPOINT.sub(lambda found: "EP" + (found.group(1) or ""), _GUID.sub("UUID", node_id))


def tell(event: dict[str, Any]) -> None:
    """Append to the outcomes file, so that a process that is killed loses nothing."""
    with Path(os.environ["CONFORMANCE_OUTCOMES"]).open("a", encoding="utf-8") as file:
        file.write(json.dumps(event) + "\n")


def pytest_configure(config: pytest.Config) -> None:
    """Register the suite's marks."""
    for mark in MARKS.split():
        config.addinivalue_line("markers", f"{mark}: the suite's own mark")


def pytest_sessionstart(session: pytest.Session) -> None:
    """Make the database and containers that the tests share."""
    global client
    import test_config  # type: ignore[import-not-found]
    from azure.cosmos import CosmosClient

    config = test_config.TestConfig
    client = CosmosClient(config.host, config.masterKey)
    for step in SET_UP:
        try:
            getattr(config, step)(client)
        except Exception as failure:  # noqa: BLE001 - told, and the tests that need it will fail
            tell({"setup": step, "error": str(failure)[:500]})


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Drop the shared database."""
    import test_config

    test_config.TestConfig.try_delete_database(client)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the chosen tests that have no outcome yet."""
    chosen = set(Path(os.environ["CONFORMANCE_TESTS"]).read_text(encoding="utf-8").splitlines())
    items[:] = [item for item in items if stable(item.nodeid) in chosen]


def pytest_runtest_logstart(nodeid: str) -> None:
    """Say which test runs, in case it never ends."""
    tell({"start": stable(nodeid)})


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Put the phases of a test together; a failed subtest fails its test."""
    mine = phases.setdefault(report.nodeid, {})
    if report.failed or mine.get(report.when or "") != "failed":
        mine[report.when or ""] = report.outcome
    if report.failed:
        lines = [line for line in report.longreprtext.splitlines() if line.startswith("E ")]
        complaints.setdefault(report.nodeid, " ".join(lines[:4])[:600] or report.longreprtext[-600:])
    if report.when != "teardown" or getattr(report, "context", None) is not None:
        return
    failed = "failed" in mine.values()
    outcome = "failed" if failed else ("skipped" if "skipped" in mine.values() else "passed")
    tell({"test": stable(report.nodeid), "outcome": outcome, "error": complaints.get(report.nodeid, "")})


@pytest.fixture(autouse=True)
def fresh_routing_caches() -> Iterator[None]:
    """The SDK shares routing maps between clients of a process; each test of the suite starts without."""
    yield
    from azure.cosmos._routing import routing_map_provider
    from azure.cosmos._routing.aio import routing_map_provider as async_provider

    for provider in (routing_map_provider, async_provider):
        with provider._shared_cache_lock:
            for cache in provider._shared_routing_map_cache.values():
                cache.clear()
            for locks in provider._shared_collection_locks.values():
                locks.clear()
