"""What the counter does when Cosmos DB is slow, full or gone: each failure is made on purpose."""

from collections.abc import Callable

import pytest
from azure.cosmos import CosmosClient, PartitionKey
from emulators.functions_host.testing import FunctionsTestHost
from emulators.pytest_plugin.servers import CosmosEmulator
from function_app import app

REPLACE = {"operation": "docs.replace"}


@pytest.fixture
def host(cosmos_emulator: CosmosEmulator, functions_test_host: Callable[..., FunctionsTestHost]) -> FunctionsTestHost:
    """The app on an account with an empty container of counters."""
    with CosmosClient(cosmos_emulator.url, cosmos_emulator.key) as client:
        client.create_database("counters").create_container("counters", PartitionKey("/id"))
    return functions_test_host(app, settings={"Counters": cosmos_emulator.connection_string})


def test_it_counts(host: FunctionsTestHost) -> None:
    """One, two."""
    assert [host.request("POST", "/api/counters/a").text for _ in range(2)] == ["1", "2"]


def test_a_throttled_replace_is_tried_again(host: FunctionsTestHost, cosmos_emulator: CosmosEmulator) -> None:
    """429 twice: the SDK waits as it is told, and the caller does not notice."""
    host.request("POST", "/api/counters/a")
    act = {"status": 429, "substatus": 3200, "retryAfterSeconds": 0.01}
    with cosmos_emulator.fault(match=REPLACE, act=act, times=2) as fault:
        assert host.request("POST", "/api/counters/a").text == "2"
        assert fault.fired == 2


def test_a_lost_race_is_run_again(host: FunctionsTestHost, cosmos_emulator: CosmosEmulator) -> None:
    """412 once: the counter is read anew."""
    host.request("POST", "/api/counters/a")
    with cosmos_emulator.fault(match=REPLACE, act={"status": 412}, times=1) as fault:
        assert host.request("POST", "/api/counters/a").text == "2"
        assert fault.fired == 1


def test_a_race_that_is_always_lost_is_given_up(host: FunctionsTestHost, cosmos_emulator: CosmosEmulator) -> None:
    """412 for ever: five tries, then 503, and nothing was counted."""
    host.request("POST", "/api/counters/a")
    with cosmos_emulator.fault(match=REPLACE, act={"status": 412}) as fault:
        assert host.request("POST", "/api/counters/a").status_code == 503
        assert fault.fired == 5
    assert host.request("POST", "/api/counters/a").text == "2"
