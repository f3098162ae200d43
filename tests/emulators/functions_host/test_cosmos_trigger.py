"""The Cosmos DB trigger: changes reach the function once each, in order, through restarts, splits and lost hosts."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
from azure.cosmos import ContainerProxy, DatabaseProxy, PartitionKey
from azure.cosmos.exceptions import CosmosResourceNotFoundError

from tests.emulators.functions_host.conftest import Cosmos
from tests.emulators.functions_host.running import RunningHost, running_host, write_app

LISTENER = "azure-webjobs-sdk-extensions CosmosDBTriggerListener.cs"
PROCESSOR = "azure-cosmos-dotnet-v3 ChangeFeedProcessor"

APP = """
import logging, os
import azure.functions as func
app = func.FunctionApp()
print("worker", os.getpid())

@app.cosmos_db_trigger(arg_name="documents", connection="Shop", database_name="%Database%", container_name="items",
                       create_lease_container_if_not_exists=True, feed_poll_delay=20, MORE)
RETRY
async def Changed(documents: func.DocumentList, context: func.Context):
    retry = context.retry_context.retry_count
    for each in documents:
        logging.info("changed %s/%s n=%s retry=%s", each["pk"], each["id"], each.get("n"), retry)
    logging.info("batch of %s", len(documents))
    if any(each.get("bad") for each in documents) and retry < 2:
        raise RuntimeError("cannot take it")
"""


def write(root: Path, cosmos: Cosmos, database: DatabaseProxy, more: str = "", retry: str = "") -> Path:
    """An app with one function on the database's container `items`."""
    source = APP.replace("MORE", more).replace("RETRY", retry)
    return write_app(root, source, values={"Shop": cosmos.connection_string, "Database": database.id})


def changed(host: RunningHost) -> list[str]:
    """What the function has seen, as "pk/id n=…"."""
    return [line.partition("changed ")[2].partition(" retry=")[0] for line in host.lines if "changed " in line]


def leases(database: DatabaseProxy) -> list[dict[str, Any]]:
    """The lease documents."""
    query = "SELECT * FROM c WHERE IS_DEFINED(c.LeaseToken)"
    container = database.get_container_client("leases")
    return list(container.query_items(query, enable_cross_partition_query=True))


@pytest.mark.read_in_sdk(f"{LISTENER}; CosmosDBTriggerAttribute: where it starts")
def test_what_is_written_after_the_start_arrives_once(
    tmp_path: Path, cosmos: Cosmos, database: DatabaseProxy, items: ContainerProxy
) -> None:
    """Items from before the first start are not seen; later ones are, an item that changes again comes again."""
    items.create_item({"id": "old", "pk": "a"})
    with running_host(write(tmp_path, cosmos, database)) as host:
        host.until_listening("Changed")
        items.create_item({"id": "1", "pk": "a", "n": 1})
        host.until("changed a/1 n=1")
        items.upsert_item({"id": "1", "pk": "a", "n": 2})
        host.until("changed a/1 n=2")
        assert "New changes on container items at 20" in host.until("Executing 'Functions.Changed'")
        host.until("Executed 'Functions.Changed' (Succeeded", times=2)
    assert changed(host) == ["a/1 n=1", "a/1 n=2"]


@pytest.mark.read_in_sdk(f"{PROCESSOR}/LeaseManagement: DocumentServiceLeaseCore, DocumentServiceLeaseStoreCosmos")
def test_a_restart_resumes_from_leases_in_the_processors_own_form(
    tmp_path: Path, cosmos: Cosmos, database: DatabaseProxy, items: ContainerProxy
) -> None:
    """What was written while no host ran arrives after the next start; leases are those of Microsoft's processor."""
    root = write(tmp_path, cosmos, database, "start_from_beginning=True, lease_container_prefix='mine'")
    items.create_item({"id": "1", "pk": "a"})
    with running_host(root) as host:
        host.until("changed a/1")
        host.until("Executed 'Functions.Changed' (Succeeded")
    items.create_item({"id": "2", "pk": "a"})
    [lease] = leases(database)
    properties = items.read()
    prefix = f"mine127.0.0.1_{database.read()['_rid']}_{properties['_rid']}"
    assert {name: lease[name] for name in ("id", "version", "LeaseToken", "FeedRange", "Owner", "Mode")} == {
        "id": f"{prefix}..0",
        "version": 0,
        "LeaseToken": "0",
        "FeedRange": {"Range": {"min": "", "max": "FF"}},
        "Owner": None,
        "Mode": "Incremental Feed",
    }
    assert lease["ContinuationToken"].startswith('"')
    assert lease["properties"] == {}
    container = database.get_container_client("leases")
    assert container.read()["defaultTtl"] == -1
    assert container.read()["partitionKey"]["paths"] == ["/id"]
    assert container.read_item(f"{prefix}.info", f"{prefix}.info")
    with running_host(root) as host:
        host.until("changed a/2")
    assert changed(host) == ["a/2 n=None"]


@pytest.mark.read_in_sdk(f"{LISTENER}: ProcessChangesAsync")
def test_a_failed_batch_is_lost_without_a_retry_policy(
    tmp_path: Path, cosmos: Cosmos, database: DatabaseProxy, items: ContainerProxy
) -> None:
    """The failure is a warning, the batch is checkpointed, the next one comes; nothing comes again after a restart."""
    root = write(tmp_path, cosmos, database)
    with running_host(root) as host:
        host.until_listening("Changed")
        items.create_item({"id": "1", "pk": "a", "bad": True})
        host.until("Lease 0 encountered an unhandled user exception during processing.")
        items.create_item({"id": "2", "pk": "a"})
        host.until("changed a/2")
        host.until("Executed 'Functions.Changed' (Succeeded")
    assert changed(host) == ["a/1 n=None", "a/2 n=None"]
    with running_host(root) as host:
        host.until_listening("Changed")
        items.create_item({"id": "3", "pk": "a"})
        host.until("changed a/3")
    assert changed(host) == ["a/3 n=None"]


@pytest.mark.parametrize(
    "retry",
    [
        '@app.retry(strategy="fixed_delay", max_retry_count="5", delay_interval="00:01:00")',
        (
            '@app.retry(strategy="exponential_backoff", max_retry_count="-1", minimum_interval="00:01:00", '
            'maximum_interval="01:00:00")'
        ),
    ],
)
@pytest.mark.documented("learn.microsoft.com azure-functions functions-bindings-error-pages: retry policies")
def test_a_retry_policy_keeps_the_batch_until_it_is_taken(
    tmp_path: Path, cosmos: Cosmos, database: DatabaseProxy, items: ContainerProxy, retry: str
) -> None:
    """The same batch is tried again after each wait of the host's clock, before anything later of its range."""
    with running_host(write(tmp_path, cosmos, database, retry=retry)) as host:
        host.until_listening("Changed")
        items.create_item({"id": "1", "pk": "a", "bad": True})
        host.until("Executed 'Functions.Changed' (Failed")
        items.create_item({"id": "2", "pk": "a"})
        for attempt in (1, 2):
            host.turn_clock(3600)
            host.until(f"changed a/1 n=None retry={attempt}")
        host.until("changed a/2")
    assert changed(host) == ["a/1 n=None"] * 3 + ["a/2 n=None"]


@pytest.mark.read_in_sdk(f"{LISTENER}: no checkpoint when the host stops while the function runs or waits to retry")
def test_a_host_that_stops_while_it_retries_leaves_the_batch_to_the_next(
    tmp_path: Path, cosmos: Cosmos, database: DatabaseProxy, items: ContainerProxy
) -> None:
    """The lease is given back without a checkpoint, and the batch comes to the next host."""
    retry = '@app.retry(strategy="fixed_delay", max_retry_count="-1", delay_interval="01:00:00")'
    root = write(tmp_path, cosmos, database, "start_from_beginning=True", retry)
    items.create_item({"id": "1", "pk": "a", "bad": True})
    with running_host(root) as host:
        host.until("Executed 'Functions.Changed' (Failed")
    assert [(each["Owner"], each["ContinuationToken"]) for each in leases(database)] == [(None, None)]
    with running_host(root) as host:
        host.until("changed a/1 n=None retry=0")


@pytest.mark.our_choice(
    "func stops its host before it starts the next; here the old worker gives back its leases first"
)
def test_a_saved_change_gets_the_batch_that_the_old_code_could_not_take(
    tmp_path: Path, cosmos: Cosmos, database: DatabaseProxy, items: ContainerProxy
) -> None:
    """A reload ends the wait for a retry without a checkpoint, and the new code goes on at once."""
    retry = '@app.retry(strategy="fixed_delay", max_retry_count="-1", delay_interval="01:00:00")'
    root = write(tmp_path, cosmos, database, "start_from_beginning=True", retry)
    items.create_item({"id": "1", "pk": "a", "bad": True})
    with running_host(root) as host:
        host.until("Executed 'Functions.Changed' (Failed")
        script = root / "function_app.py"
        script.write_text(script.read_text().replace('raise RuntimeError("cannot take it")', "pass"))
        host.until("Executed 'Functions.Changed' (Succeeded")
        items.create_item({"id": "2", "pk": "a"})
        host.until("changed a/2")
    assert changed(host) == ["a/1 n=None", "a/1 n=None", "a/2 n=None"]


@pytest.mark.our_choice("the spec has preferredLocations; one region is all there is here")
def test_preferred_locations_are_ignored_by_name(tmp_path: Path, cosmos: Cosmos, database: DatabaseProxy) -> None:
    """The console says that they are not heeded, and the trigger works."""
    with running_host(write(tmp_path, cosmos, database, 'preferred_locations="West Europe"')) as host:
        host.until("'Changed': preferredLocations 'West Europe' of 'documents' is not heeded by this host.")


@pytest.mark.documented("learn.microsoft.com azure-functions functions-host: drain mode; admin/host/drain and resume")
def test_a_drained_host_leaves_the_feed_alone_until_it_resumes(
    tmp_path: Path, cosmos: Cosmos, database: DatabaseProxy, items: ContainerProxy
) -> None:
    """What is written meanwhile arrives after the resumption."""
    with running_host(write(tmp_path, cosmos, database, "start_from_beginning=True")) as host:
        items.create_item({"id": "1", "pk": "a"})
        host.until("changed a/1")
        assert host.call("POST", "/admin/host/drain").status_code == 202
        until_owned(database, [])
        items.create_item({"id": "2", "pk": "a"})
        assert host.call("POST", "/admin/host/resume").ok
        host.until("changed a/2")
    assert changed(host) == ["a/1 n=None", "a/2 n=None"]


@pytest.mark.read_in_sdk(f"{PROCESSOR}/FeedProcessing/FeedProcessorCore.cs; maxItemsPerInvocation")
def test_batches_are_no_larger_than_asked_and_in_order(
    tmp_path: Path, cosmos: Cosmos, database: DatabaseProxy, items: ContainerProxy
) -> None:
    """Ten items in batches of at most four, each range's in the order of their writing."""
    for number in range(10):
        items.create_item({"id": str(number), "pk": f"p{number % 3}"})
    more = "start_from_beginning=True, max_items_per_invocation=4"
    with running_host(write(tmp_path, cosmos, database, more)) as host:
        host.until("batch of 2")
    assert changed(host) == [f"p{number % 3}/{number} n=None" for number in range(10)]
    assert len([line for line in host.lines if "batch of 4" in line]) == 2


@pytest.mark.documented("learn.microsoft.com azure-functions functions-bindings-cosmosdb-v2-trigger: startFromTime")
def test_a_feed_may_start_at_a_time(
    tmp_path: Path, cosmos: Cosmos, database: DatabaseProxy, items: ContainerProxy
) -> None:
    """Only what changed at or after startFromTime arrives."""
    items.create_item({"id": "old", "pk": "a"})
    cosmos.clock.advance(60)
    moment = cosmos.clock.utc().strftime("%Y-%m-%dT%H:%M:%SZ")
    items.create_item({"id": "new", "pk": "a"})
    with running_host(write(tmp_path, cosmos, database, f"start_from_time='{moment}'")) as host:
        host.until("changed a/new")
    assert changed(host) == ["a/new n=None"]


@pytest.mark.read_in_sdk(f"{PROCESSOR}/Bootstrapping/PartitionSynchronizerCore.cs: SplitPartitionAsync")
def test_a_split_loses_and_repeats_nothing(
    tmp_path: Path, cosmos: Cosmos, database: DatabaseProxy, items: ContainerProxy
) -> None:
    """The children's leases go on where the parent's was; the parent's is gone."""
    with running_host(write(tmp_path, cosmos, database)) as host:
        host.until_listening("Changed")
        for number in range(10):
            items.create_item({"id": str(number), "pk": f"p{number}"})
        host.until("changed ", times=10)
        cosmos.control("/split", {"database": database.id, "container": "items", "range": "0"})
        for number in range(10, 20):
            items.create_item({"id": str(number), "pk": f"p{number}"})
        host.until("changed ", times=20)
    assert sorted(changed(host)) == sorted(f"p{number}/{number} n=None" for number in range(20))
    assert sorted(each["LeaseToken"] for each in leases(database)) == ["1", "2"]


@pytest.mark.read_in_sdk(f"{PROCESSOR}/FeedManagement/EqualPartitionsBalancingStrategy.cs")
def test_hosts_share_the_ranges_and_one_takes_over_from_a_killed_one(
    tmp_path: Path, cosmos: Cosmos, database: DatabaseProxy
) -> None:
    """Two hosts share three ranges; when one is killed, its leases expire and the other has all."""
    many = database.create_container("items", PartitionKey("/pk"), offer_throughput=18_000)
    more = "lease_acquire_interval=50, start_from_beginning=True, lease_renew_interval=100"
    first_root = write(tmp_path / "first", cosmos, database, more)
    second_root = write(tmp_path / "second", cosmos, database, more)
    with running_host(first_root) as first:
        until_owned(database, [3])
        second = RunningHost(second_root).until_ready()
        try:
            until_owned(database, [1, 2])
            for number in range(20):
                many.create_item({"id": str(number), "pk": f"p{number}"})
            until_changed({f"p{number}/{number} n=None" for number in range(20)}, first, second)
            assert changed(first)
            assert changed(second)
        finally:
            kill(second)
        first.turn_clock(61)
        until_owned(database, [3])
        before = len(changed(first))
        for number in range(20, 40):
            many.create_item({"id": str(number), "pk": f"p{number}"})
        first.until("changed ", times=before + 20)


def kill(host: RunningHost) -> None:
    """End supervisor and worker at once, as a machine that loses power: nothing is given back."""
    worker = int(host.until("worker ").rpartition(" ")[2])
    host.process.send_signal(signal.SIGSTOP)  # or it would start another worker
    os.kill(worker, signal.SIGKILL)
    host.process.kill()
    host.until_ended()


def until_owned(database: DatabaseProxy, shares: list[int]) -> None:
    """Wait until the owned leases are shared like that."""
    owned: list[int] = []
    for _ in range(400):
        try:
            owners = [each["Owner"] for each in leases(database)]
        except CosmosResourceNotFoundError:  # the container is not there yet
            owners = []
        owned = sorted(owners.count(each) for each in {*owners} - {None})
        if owned == shares and (None not in owners or not shares):
            return
    raise AssertionError(owned)


def until_changed(expected: set[str], *hosts: RunningHost) -> None:
    """Wait until the hosts together have seen all of that."""
    for _ in range(400):
        if expected <= {each for host in hosts for each in changed(host)}:
            return
        hosts[0].call("GET", "/admin/host/ping")
    raise AssertionError([changed(host) for host in hosts])


@pytest.mark.read_in_sdk(f"{LISTENER}: the text of the error; webjobs-sdk FunctionListener retries it")
def test_missing_containers_are_named_and_waited_for(tmp_path: Path, cosmos: Cosmos, database: DatabaseProxy) -> None:
    """The listener says which containers it needs, and starts once they exist."""
    with running_host(write(tmp_path, cosmos, database)) as host:
        host.until("Either the source container 'items' (in database")
        items = database.create_container("items", PartitionKey("/pk"))
        host.turn_clock(3)
        host.until_listening("Changed")
        items.create_item({"id": "1", "pk": "a"})
        host.until("changed a/1")


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ("lease_container_name='items'", "The monitored container cannot be the same as the container storing"),
        ("start_from_beginning=True, start_from_time='2026-01-01T00:00:00Z'", "Only one of StartFromBeginning"),
        ("start_from_time='soon'", "The specified StartFromTime parameter is not in the correct format."),
        ("lease_connection='None'", "Cosmos DB connection configuration 'None' does not exist."),
    ],
)
@pytest.mark.read_in_sdk(
    "azure-webjobs-sdk-extensions CosmosDBTriggerAttributeBindingProvider.cs, DefaultCosmosDBServiceFactory.cs"
)
def test_a_binding_that_cannot_work_puts_its_function_in_error(
    tmp_path: Path, cosmos: Cosmos, database: DatabaseProxy, more: str, reason: str
) -> None:
    """The reason is named; the host runs on."""
    with running_host(write(tmp_path, cosmos, database, more)) as host:
        assert reason in host.until("The 'Changed' function is in error:")


@pytest.mark.read_in_sdk("azure-functions-host FunctionsController.cs; CosmosDBTriggerValueBinder.cs")
def test_a_function_can_be_run_by_hand(
    tmp_path: Path, cosmos: Cosmos, database: DatabaseProxy, items: ContainerProxy
) -> None:
    """POST /admin/functions takes the documents as JSON text."""
    with running_host(write(tmp_path, cosmos, database)) as host:
        body = {"input": '[{"id": "x", "pk": "hand", "n": 7}]'}
        assert host.call("POST", "/admin/functions/Changed", json=body).status_code == 202
        host.until("changed hand/x n=7")
