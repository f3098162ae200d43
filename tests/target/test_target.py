"""`--target=azure` against emulators that stand where Azure would: https, tokens or an account key, settings alone."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from azure.cosmos import CosmosClient, PartitionKey

from emulators.base.tls import certificate_file
from emulators.cosmos.account import WELL_KNOWN_KEY
from tests.identity import emulator, identity_endpoint
from tests.served_app import FUNCTION_KEY, served_app

ROOT = Path(__file__).parent.parent.parent
RUN_SECONDS_MAX = 110
QUIETLY = ("-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:schemathesis", "-W", "ignore:Unverified HTTPS request")
"""The Cosmos DB SDK never verifies this machine."""
TESTS = ("tests/emulators/cosmos/test_items.py", "tests/emulators/eventgrid/test_publishing.py")
WHICH = (
    "stale_etag or upsert or created_item or expire or async_client or success or topic_property or too_large "
    "or cloud_events_by or the_sdk or what_routes"
)
"""Some that are asked, and one of each kind that is not."""
pytestmark = [
    pytest.mark.filterwarnings("ignore:Unverified HTTPS request"),
    pytest.mark.timeout(300),  # runs of pytest within a run
]


@dataclass(frozen=True)
class Account:
    """What stands for Azure, and the environment that leads there."""

    environment: dict[str, str]
    cosmos: str
    trust: str

    def run(self, *arguments: str, **environment: str) -> tuple[int, str]:
        """A run of pytest; its exit code and what it printed."""
        line = [sys.executable, "-m", "pytest", "--target=azure", "-q", "-rs", *QUIETLY]
        outcome = subprocess.run(
            [*line, *arguments],
            cwd=ROOT,
            env={**os.environ, **self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS_MAX,
            check=False,
        )
        return outcome.returncode, outcome.stdout + outcome.stderr

    def fault(self, **rule: object) -> None:
        """Let the Cosmos DB account behave in another way than its tests say."""
        answer = requests.post(
            f"{self.cosmos}/_emulator/faults",
            json=rule,
            headers={"x-emulator-control": "1"},
            verify=self.trust,
            timeout=30,
        )
        assert answer.status_code == 201, answer.text

    def clear_faults(self) -> None:
        """Agree with the tests again."""
        requests.delete(
            f"{self.cosmos}/_emulator/faults", headers={"x-emulator-control": "1"}, verify=self.trust, timeout=30
        )


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """An account of Cosmos DB and a resource group for topics, and an identity."""
    authority = tmp_path_factory.mktemp("target") / "authority"
    with ExitStack() as stack:
        cosmos = stack.enter_context(emulator("cosmos", authority))
        eventgrid = stack.enter_context(emulator("eventgrid", authority, "--accept-bearer"))
        identity = stack.enter_context(identity_endpoint())
        with CosmosClient(cosmos, WELL_KNOWN_KEY) as client:
            client.create_database("given").create_container("items", PartitionKey("/pk"))
        trust = str(certificate_file(authority))
        environment = {
            "AZURE_COSMOS_ENDPOINT": cosmos,
            "AZURE_RESOURCE_MANAGER": eventgrid,
            "AZURE_SUBSCRIPTION_ID": "s1",
            "AZURE_RESOURCE_GROUP": "g1",
            "AZURE_LOCATION": "here",
            "IDENTITY_ENDPOINT": identity,
            "IDENTITY_HEADER": "secret",
            "SSL_CERT_FILE": trust,
            "REQUESTS_CA_BUNDLE": trust,
        }
        yield Account(environment, cosmos, trust)


def counted(told: str, what: str) -> int:
    """How many tests ended so."""
    found = re.search(rf"(\d+) {what}", told.rpartition("\n=")[2] if "\n=" in told else told[-300:])
    return int(found[1]) if found else 0


def test_tests_are_asked_of_an_account_with_a_key(azure: Account) -> None:
    """Databases are made and deleted, topics come from the control plane and have keys of their own. What only the
    emulator has is skipped by that name, and so is what is no question for Azure."""
    code, told = azure.run(*TESTS, "tests/test_compatibility.py", "-k", WHICH, AZURE_COSMOS_KEY=WELL_KNOWN_KEY)
    assert code == 0, told
    assert counted(told, "passed") >= 12, told
    for reason in ("turns the emulator's clock", "a webhook that Azure can reach", "not a test of Azure's services"):
        assert reason in told
    with CosmosClient(azure.cosmos, WELL_KNOWN_KEY) as client:
        assert [each["id"] for each in client.list_databases()] == ["given"]


def test_tests_are_asked_as_an_identity(azure: Account) -> None:
    """In the container that is given, emptied for each. What is opened with a key says that there is none; what has no
    setting says which."""
    given = {"AZURE_COSMOS_DATABASE": "given", "AZURE_COSMOS_CONTAINER": "items", "AZURE_RESOURCE_GROUP": ""}
    code, told = azure.run(*TESTS, "-k", WHICH, **given)
    assert code == 0, told
    assert counted(told, "passed") >= 5, told
    assert "AZURE_COSMOS_KEY is not set" in told
    assert "AZURE_RESOURCE_GROUP is not set" in told


def test_differences_are_recorded_and_then_expected(azure: Account, tmp_path: Path) -> None:
    """Unlisted it fails the run; recorded it is an expected failure; once it is gone it is told and taken out."""
    file = tmp_path / "differences.json"
    line = (TESTS[0], "-k", "created_item_is_read_back", "--differences", str(file))
    azure.fault(match={"operation": "docs.create"}, act={"status": 500})
    try:
        assert azure.run(*line, AZURE_COSMOS_KEY=WELL_KNOWN_KEY)[0] == 1
        assert not file.exists()
        assert azure.run(*line, "--record-differences", AZURE_COSMOS_KEY=WELL_KNOWN_KEY)[0] == 0
        listed = json.loads(file.read_text(encoding="utf-8"))
        assert listed
        assert all("seen" in each and each["answered"] for each in listed.values())
    finally:
        azure.clear_faults()
    code, told = azure.run(*line, "--record-differences", AZURE_COSMOS_KEY=WELL_KNOWN_KEY)
    assert (code, "no longer differs" in told) == (0, True), told
    assert json.loads(file.read_text(encoding="utf-8")) == {}


def test_journeys_go_to_a_service_elsewhere(azure: Account, tmp_path: Path) -> None:
    """The same journeys through an app that this run has not started."""
    with served_app(tmp_path) as app:
        code, told = azure.run("tests/journeys", SERVICE_ORDERS_URI=app.host.url, ORDERS_FUNCTION_KEY=FUNCTION_KEY)
    assert code == 0, told
    assert counted(told, "passed") >= 9, told
