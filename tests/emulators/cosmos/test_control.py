"""What only the emulator has: health, reset, faults, snapshots, request log, metrics, its command line."""

from __future__ import annotations

import base64
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from azure.cosmos import CosmosClient, PartitionKey, exceptions

from emulators.cosmos.__main__ import main
from emulators.cosmos.account import WELL_KNOWN_KEY
from emulators.cosmos.application import create
from tests.serving import served

OURS = "control endpoints are the emulator's own"
HEADERS = {"x-emulator-control": "1"}


@pytest.fixture(params=["memory", "directory"])
def own(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An emulator of this test alone, in memory and on disk."""
    path = tmp_path / "data" if request.param == "directory" else None
    with served(lambda: create(path)) as url:
        yield url


def control(url: str, method: str, path: str, body: object = None) -> requests.Response:
    return requests.request(method, f"{url}/_emulator/{path}", json=body, headers=HEADERS, timeout=10)


def filled(url: str) -> Any:
    container = CosmosClient(url, WELL_KNOWN_KEY).create_database("d").create_container("c", PartitionKey("/pk"))
    container.create_item({"id": "a", "pk": "x", "n": 1})
    return container


@pytest.mark.our_choice(OURS)
def test_a_reset_forgets_everything_at_once(own: str) -> None:
    """No database is left, and one of the same name is another one."""
    container = filled(own)
    old = container.read()["_rid"]
    assert control(own, "POST", "reset").status_code == 204
    assert control(own, "GET", "health").json()["databases"] == 0
    assert filled(own).read()["_rid"] != old


@pytest.mark.our_choice(OURS)
def test_a_snapshot_brings_everything_back(own: str) -> None:
    """Changes since are undone, the deleted is there again; unknown names and odd ones are refused."""
    container = filled(own)
    assert control(own, "POST", "snapshots", {"name": "before"}).status_code == 201
    container.upsert_item({"id": "a", "pk": "x", "n": 2})
    container.create_item({"id": "b", "pk": "x"})
    assert control(own, "POST", "restore", {"name": "before"}).status_code == 204
    assert [(item["id"], item["n"]) for item in container.read_all_items()] == [("a", 1)]
    control(own, "POST", "reset")
    assert control(own, "POST", "restore", {"name": "before"}).status_code == 204
    assert container.read_item("a", "x")["n"] == 1
    container.create_item({"id": "c", "pk": "x"})
    assert control(own, "GET", "snapshots").json() == {"snapshots": ["before"]}
    assert control(own, "DELETE", "snapshots", {"name": "before"}).status_code == 204
    for method, path, name, status in (
        ("POST", "restore", "before", 400),
        ("POST", "snapshots", "../evil", 400),
        ("DELETE", "snapshots", "before", 404),
        ("POST", "snapshots", None, 400),
    ):
        assert control(own, method, path, {"name": name}).status_code == status


@pytest.mark.our_choice(OURS)
def test_requests_and_their_cost_can_be_looked_at(url: str) -> None:
    """The log has the newest first with status and charge; the counters add up."""
    with served(create) as own:
        container = filled(own)
        with pytest.raises(exceptions.CosmosResourceNotFoundError):
            container.read_item("none", "x")
        newest, *_, oldest = control(own, "GET", "requests").json()["requests"]
        assert (newest["operation"], newest["status"], oldest["operation"]) == ("docs.read", 404, "account.read")
        text = control(own, "GET", "metrics").text
        assert 'cosmos_requests_total{operation="docs.create",status="201"} 1' in text
        assert 'cosmos_request_units_total{operation="docs.create"}' in text
        requests.get(f"{own}/made%0Aup%22", timeout=10)
        assert 'operation="unknown.list",status="401"' in control(own, "GET", "metrics").text
        shown = control(own, "GET", "resources").json()["databases"][0]["containers"][0]
        assert (shown["id"], shown["documents"], shown["throughput"]) == ("c", 1, 400)


@pytest.mark.our_choice(OURS)
def test_fault_rules_fail_requests_as_the_cloud_does() -> None:
    """A rule gives its status and sub-status; a dropped answer leaves the write done, a dropped request does not."""
    with served(create) as own:
        container = filled(own)
        client = CosmosClient(own, WELL_KNOWN_KEY, retry_total=0, retry_connect=0, retry_read=0, retry_status=0)
        container = client.get_database_client("d").get_container_client("c")
        container.read()
        rule = {"match": {"operation": "docs.upsert"}, "act": {"status": 503, "substatus": 21008}, "times": 1}
        assert control(own, "POST", "faults", {**rule, "act": {"status": 449}}).status_code == 201
        with pytest.raises(exceptions.CosmosHttpResponseError) as refused:
            container.upsert_item({"id": "a", "pk": "x", "n": 2})
        assert refused.value.status_code == 449
        lost = {"match": {"operation": "docs.create", "container": "c"}, "act": {"drop": "after"}, "times": 1}
        control(own, "POST", "faults", lost)
        with pytest.raises(Exception, match=r"Connection|Remote"):
            container.create_item({"id": "lost", "pk": "x"})
        assert container.read_item("lost", "x")["id"] == "lost"


@pytest.mark.our_choice(OURS)
@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ({"match": {"operation": "doc.create"}, "act": {"status": 503}}, "docs.create"),
        ({"match": {"topic": "x"}, "act": {"status": 503}}, "match.topic"),
        ({"act": {"duplicate": 2}}, "delaySeconds"),
        ({"act": {"status": 503, "holdSeconds": 2}}, "act.holdSeconds"),
    ],
)
def test_a_fault_rule_that_could_never_strike_is_refused(url: str, rule: dict[str, Any], told: str) -> None:
    """400 that names what this emulator knows; the operations can be asked for."""
    refused = control(url, "POST", "faults", rule)
    assert (refused.status_code, told in refused.text) == (400, True)
    known = control(url, "GET", "faults").json()["operations"]
    assert {"account.read", "docs.batch", "docs.changes", "colls.replace", "pkranges.list", "sprocs.execute"} <= {
        *known
    }


@pytest.mark.our_choice("the command line is ours; port and key are those of Microsoft's emulator")
def test_the_command_line_serves_and_refuses(tmp_path: Path) -> None:
    """It says `ready <url>`, keeps data over a restart, exits 0 on SIGTERM and 1 with a line on a bad key."""
    command = [sys.executable, "-m", "emulators.cosmos", "--port", "0", "--data", str(tmp_path)]
    for start in range(2):
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            ready = process.stdout.readline()
            assert ready.startswith("ready http://127.0.0.1:")
            with CosmosClient(ready.split()[1], WELL_KNOWN_KEY) as client:
                assert [each["id"] for each in client.list_databases()] == ["kept"] * start
                client.create_database_if_not_exists("kept")
            process.terminate()
            assert process.wait(timeout=10) == 0
    refused = subprocess.run([*command, "--key", "no base64!"], capture_output=True, text=True, timeout=20, check=False)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "base64" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.our_choice(OURS)
def test_an_explorer_uses_the_whole_surface_without_signing() -> None:
    """Below rest/ are items, queries, change feeds and writes; they are logged like others."""
    with served(create) as url:
        container = filled(url)
        feed = control(url, "GET", "rest/dbs/d/colls/c/docs")
        assert [item["id"] for item in feed.json()["Documents"]] == ["a"]
        asked = {**HEADERS, "content-type": "application/query+json", "x-ms-documentdb-partitionkey": '["x"]'}
        path = f"{url}/_emulator/rest/dbs/d/colls/c/docs"
        query = requests.post(path, data='{"query": "SELECT VALUE c.n FROM c"}', headers=asked, timeout=10)
        assert query.json()["Documents"] == [1]
        changes = requests.get(path, headers={**HEADERS, "a-im": "Incremental Feed"}, timeout=10)
        assert [item["_lsn"] for item in changes.json()["Documents"]] == [1]
        assert requests.delete(f"{path}/a", headers=asked, timeout=10).status_code == 204
        assert list(container.read_all_items()) == []
        logged = next(each for each in control(url, "GET", "requests").json()["requests"] if each["status"] == 204)
        assert (logged["operation"], logged["path"]) == ("docs.delete", "/dbs/d/colls/c/docs/a")
        assert requests.get(path, timeout=10).status_code == 403
        foreign = {**HEADERS, "origin": "http://elsewhere.example"}
        assert requests.get(path, headers=foreign, timeout=10).status_code == 403


@pytest.mark.our_choice("who chose a key wants it asked for")
def test_an_explorer_of_an_account_with_its_own_key_has_to_know_it() -> None:
    """Without the key, or with another, the surface below rest/ is closed."""
    key = base64.b64encode(b"k" * 64).decode()
    with served(lambda: create(key=key)) as url:
        path = f"{url}/_emulator/rest/dbs"
        for given, status in (("", 401), (WELL_KNOWN_KEY, 401), (key, 200)):
            assert requests.get(path, headers={**HEADERS, "x-emulator-key": given}, timeout=10).status_code == status


@pytest.mark.our_choice("the service tells accounts apart by host name; locally a name need not resolve")
def test_several_accounts_live_on_one_server(tmp_path: Path) -> None:
    """By their keys or their host names, with data of their own."""
    keys = {name: base64.b64encode(name.encode() * 16).decode() for name in ("orders", "stock")}
    accounts = [part for name, key in keys.items() for part in ("--account", f"{name}={key}")]
    command = [sys.executable, "-m", "emulators.cosmos", "--port", "0", "--data", str(tmp_path), *accounts]
    with subprocess.Popen(
        [*command, "--exit-when-stdin-closes"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin
        assert process.stdout
        url = process.stdout.readline().removeprefix("ready ").strip()
        for name, key in keys.items():
            CosmosClient(url, key).create_database(f"of-{name}")
        for name, key in keys.items():
            assert [each["id"] for each in CosmosClient(url, key).list_databases()] == [f"of-{name}"]
            host = {**HEADERS, "host": f"{name}.localhost:8081", "x-emulator-key": key}
            told = requests.get(f"{url}/_emulator/rest/dbs", headers=host, timeout=10).json()
            assert [each["id"] for each in told["Databases"]] == [f"of-{name}"]
            assert requests.get(f"{url}/_emulator/rest/", headers=host, timeout=10).json()["id"] == name
        with pytest.raises(exceptions.CosmosHttpResponseError):
            CosmosClient(url, WELL_KNOWN_KEY)
        other = {**HEADERS, "x-emulator-account": "nobody"}
        unknown = requests.post(f"{url}/_emulator/reset", headers=other, timeout=10)
        assert (unknown.status_code, "orders, stock" in unknown.text) == (404, True)
        process.stdin.close()
        assert process.wait(timeout=20) == 0
    assert sorted(each.name for each in tmp_path.iterdir()) == ["orders", "stock"]


@pytest.mark.our_choice("the command line is ours")
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--account", "orders=a2V5", "--account", "orders=a2V5"], "each name once"),
        (["--account", "Orders=a2V5"], "3 to 44"),
        (["--account", "orders"], "NAME=KEY"),
        (["--account", "orders=a2V5", "--key", "a2V5"], "not both"),
    ],
)
def test_accounts_that_cannot_be_told_apart_are_refused(
    capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    """Nothing is served, and one line says what to give."""
    with pytest.raises(SystemExit) as refused:
        main([*arguments, "--port", "0"])
    assert refused.value.code == 2
    assert told in capsys.readouterr().err
