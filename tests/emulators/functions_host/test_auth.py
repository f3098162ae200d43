"""Keys: who may call what with --enableAuth, and where keys are kept."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from azure.storage.blob import BlobServiceClient
from hypothesis import given
from hypothesis import strategies as st

from emulators.base.ids import Ids
from emulators.functions_host.keys import Keys
from emulators.functions_host.storage import Outdated, StorageUnavailable
from local.azurite import StorageAddress
from tests.azurite import running_azurite
from tests.emulators.functions_host.running import RunningHost, failed_start, free_ports, running_host, write_app

APP = """
import os
import azure.functions as func
app = func.FunctionApp()
LEVELS = func.AuthLevel

@app.route("open", auth_level=LEVELS.ANONYMOUS)
def Open(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("ok")

@app.route("keyed")
def Keyed(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("ok", headers={"x-process": str(os.getpid())})

@app.route("masters", auth_level=LEVELS.ADMIN)
def Masters(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("ok")

@app.function_name("../escape/from")
@app.route("escape")
def Escape(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("ok")

@app.event_grid_trigger(arg_name="event")
def OnEvent(event: func.EventGridEvent):
    pass
"""
MARKED = pytest.mark.read_in_sdk("azure-functions-host AuthenticationLevelHandler.cs")
PATHS = ("/api/open", "/api/keyed", "/api/masters", "/admin/host/status")


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the keys are kept."""
    return tmp_path_factory.mktemp("secrets")


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory, secrets: Path) -> Iterator[RunningHost]:
    """A host with keys in files."""
    values = {"AzureWebJobsSecretStorageType": "files", "FUNCTIONS_SECRETS_PATH": str(secrets)}
    with running_host(write_app(tmp_path_factory.mktemp("auth"), APP, values=values), "--enableAuth") as started:
        yield started


def keys(secrets: Path) -> dict[str, str]:
    """The keys in force, read from the files."""
    document = json.loads((secrets / "host.json").read_text())
    function = json.loads((secrets / "keyed.json").read_text())
    other = json.loads((secrets / "open.json").read_text())
    return {
        "none": "",
        "wrong": "nonsense",
        "master": document["masterKey"]["value"],
        "host": document["functionKeys"][0]["value"],
        "system": next(each["value"] for each in document["systemKeys"] if each["name"] == "eventgrid_extension"),
        "function": function["keys"][0]["value"],
        "other function": other["keys"][0]["value"],
    }


@pytest.mark.parametrize(
    ("name", "statuses"),
    [
        ("none", [200, 401, 401, 401]),
        ("wrong", [200, 401, 401, 401]),
        ("master", [200, 200, 200, 200]),
        ("host", [200, 200, 401, 401]),
        ("function", [200, 200, 401, 401]),
        ("other function", [200, 401, 401, 401]),
        ("system", [200, 401, 401, 401]),
    ],
)
@MARKED
def test_who_may_call_what(host: RunningHost, secrets: Path, name: str, statuses: list[int]) -> None:
    """Each key opens its own level, master all; in the header and in the query alike."""
    key = keys(secrets)[name]
    assert [host.call("GET", path, headers={"x-functions-key": key}).status_code for path in PATHS] == statuses
    assert [host.call("GET", path, params={"code": key}).status_code for path in PATHS] == statuses


@pytest.mark.parametrize(
    ("name", "status"), [("none", 401), ("host", 401), ("function", 401), ("system", 202), ("master", 202)]
)
@MARKED
def test_the_event_grid_webhook_takes_its_system_key(host: RunningHost, secrets: Path, name: str, status: int) -> None:
    """eventgrid_extension or master in `code`."""
    query = {"functionName": "OnEvent", "code": keys(secrets)[name]}
    answer = host.call(
        "POST", "/runtime/webhooks/eventgrid", params=query, data="[]", headers={"aeg-event-type": "Notification"}
    )
    assert answer.status_code == status


@pytest.mark.our_choice("a name that the host refuses does not stop it, and keys stay in their folder")
def test_a_function_with_an_impossible_name_is_in_error_only(host: RunningHost, secrets: Path) -> None:
    """Every file of keys is in the folder."""
    host.until("The '../escape/from' function is in error")
    assert (secrets / "..%2fescape%2ffrom.json").exists()


@pytest.mark.read_in_sdk("azure-functions-host SecretManager.cs, BlobStorageSecretsRepository.cs")
def test_keys_are_kept_in_storage_by_default(tmp_path: Path, azurite: StorageAddress) -> None:
    """The blob of azure-webjobs-secrets holds them, and a second start uses the same."""
    values = {"AzureWebJobsStorage": azurite.connection_string, "AzureFunctionsWebHost__hostid": "keys-in-blobs"}
    root = write_app(tmp_path, APP, values=values)
    for _ in range(2):
        with (
            running_host(root, "--enableAuth") as host,
            BlobServiceClient.from_connection_string(azurite.connection_string) as client,
        ):
            blob = client.get_blob_client("azure-webjobs-secrets", "keys-in-blobs/host.json")
            master = json.loads(blob.download_blob().readall())["masterKey"]["value"]
            answer = host.call("GET", "/api/masters", headers={"x-functions-key": master})
            assert answer.status_code == 200


class FailingStore:
    """Keeps documents in memory; the first writes are refused, in one way or the other."""

    def __init__(self, *refusals: Exception) -> None:
        self.documents: dict[str, tuple[Mapping[str, Any], str]] = {}
        self.refusals = list(refusals)

    async def read(self, name: str) -> tuple[dict[str, Any] | None, str]:
        """The document, or None."""
        document, version = self.documents.get(name, (None, ""))
        return (None if document is None else dict(document)), version

    async def write(self, name: str, document: Mapping[str, Any], version: str) -> None:
        """Keep the document of that version."""
        if self.refusals:
            raise self.refusals.pop(0)
        if self.documents.get(name, (None, ""))[1] != version:
            raise Outdated(name)
        self.documents[name] = (document, version + "+")

    async def close(self) -> None:
        """Nothing is open."""


@pytest.mark.our_choice("keys are in force when they are kept, all of them or none")
async def test_keys_that_could_not_be_kept_are_not_in_force() -> None:
    """A load that fails half-way leaves no key behind; the next one makes them all."""
    store = FailingStore(StorageUnavailable("gone for a moment"))
    keys = Keys(store, Ids(seed=1))
    with pytest.raises(StorageUnavailable):
        await keys.load(["Keyed"])
    assert not keys.master
    await keys.load(["Keyed"])
    assert keys.master == store.documents["host"][0]["masterKey"]["value"]
    assert keys.functions["keyed"]["default"] == store.documents["Keyed"][0]["keys"][0]["value"]


@pytest.mark.our_choice("hosts and workers that make keys at the same time end with the same ones")
@given(st.lists(st.sampled_from([Outdated("x"), StorageUnavailable("y")]), max_size=6), st.integers(2, 4))
async def test_keys_made_by_several_at_once_agree(refusals: list[Exception], count: int) -> None:
    """Whoever is told that another was faster takes that one's keys; whoever finds storage down asks again."""
    store = FailingStore(*refusals)
    makers = [Keys(store, Ids(seed=number)) for number in range(count)]

    async def make(keys: Keys) -> None:
        while not keys.master:
            with contextlib.suppress(StorageUnavailable):
                await keys.load(["Keyed"])

    async with asyncio.timeout(10):
        await asyncio.gather(*(make(keys) for keys in makers))
    assert len({(each.master, str(each.host), str(each.system), str(each.functions)) for each in makers}) == 1


@pytest.mark.our_choice("several workers whose storage comes up after them end with the same keys")
def test_workers_that_start_before_their_storage_agree(tmp_path: Path) -> None:
    """Two workers start while Azurite is not there; when it is, one key opens both."""
    with free_ports(3) as ports:
        address = StorageAddress(*ports)
    values = {
        "AzureWebJobsStorage": address.connection_string,
        "AzureFunctionsWebHost__hostid": "late",
        "FUNCTIONS_WORKER_PROCESS_COUNT": "2",
    }
    with running_host(write_app(tmp_path / "app", APP, values=values), "--enableAuth") as host:
        host.until("Keys cannot be read yet", times=2)
        with running_azurite(tmp_path / "azurite", address):
            assert host.call("GET", "/api/keyed").status_code == 401
            with BlobServiceClient.from_connection_string(address.connection_string) as client:
                blob = client.get_blob_client("azure-webjobs-secrets", "late/host.json")
                key = json.loads(blob.download_blob().readall())["functionKeys"][0]["value"]
            answers = [host.call("GET", "/api/keyed", headers={"x-functions-key": key}) for _ in range(30)]
            assert {each.status_code for each in answers} == {200}
            assert len({each.headers["x-process"] for each in answers}) == 2


@pytest.mark.our_choice("a file of keys that cannot be read is never replaced: the keys in it may be in use")
def test_a_broken_file_of_keys_stops_the_start(tmp_path: Path) -> None:
    """The file is named, and stays as it is."""
    (tmp_path / "host.json").write_text("{")
    values = {"AzureWebJobsSecretStorageType": "files", "FUNCTIONS_SECRETS_PATH": str(tmp_path)}
    code, printed = failed_start(write_app(tmp_path / "app", APP, values=values), "--enableAuth")
    assert code == 1
    assert f"{tmp_path / 'host.json'} is not a JSON object" in printed
    assert (tmp_path / "host.json").read_text() == "{"


@pytest.mark.read_in_sdk("azure-functions-core-tools CliAuthenticationHandler.cs")
def test_without_the_flag_nobody_is_asked(tmp_path: Path) -> None:
    """Every level is open, the admin endpoints too."""
    with running_host(write_app(tmp_path, APP)) as host:
        assert [host.call("GET", path).status_code for path in PATHS] == [200, 200, 200, 200]
