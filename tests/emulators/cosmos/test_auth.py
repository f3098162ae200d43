"""Who may do what: keys, dates, resource tokens, identity tokens."""

from __future__ import annotations

import base64
import json
from email.utils import formatdate
from typing import Any

import pytest
import requests
from azure.cosmos import ContainerProxy, CosmosClient, DatabaseProxy, exceptions

from emulators.base.clock import Clock
from emulators.cosmos.account import WELL_KNOWN_KEY
from emulators.cosmos.application import create
from tests.emulators.cosmos.http import Door, authorization
from tests.serving import served

TOKENS = "learn.microsoft.com/rest/api/cosmos-db/access-control-on-cosmosdb-resources"


@pytest.mark.documented(TOKENS)
def test_a_wrong_key_is_unauthorized(url: str) -> None:
    """Another key's signature is 401 and the answer tells the payload that was expected."""
    other = base64.b64encode(b"another key").decode()
    with pytest.raises(exceptions.CosmosHttpResponseError) as refused:
        CosmosClient(url, other)
    assert refused.value.status_code == 401
    assert "get\\n\\n\\n" in str(refused.value)


@pytest.mark.documented(TOKENS)
@pytest.mark.parametrize(
    "header", ["", "type=master", "type=magic&ver=1.0&sig=x", "type=master&ver=1.0&sig=%00", "&&&"]
)
def test_a_malformed_authorization_is_unauthorized(door: Door, header: str) -> None:
    """Missing, incomplete and unknown authorizations are 401."""
    assert door.call("GET", "dbs", headers={"authorization": header}).status_code == 401


@pytest.mark.our_choice("what is not built says so by name")
def test_a_sas_token_is_refused_by_name(door: Door) -> None:
    """501: the JavaScript SDK makes such tokens for a private feature of the service."""
    refused = door.call("GET", "dbs", headers={"authorization": "type=sas&ver=1.0&sig=x"})
    assert (refused.status_code, "SAS token" in refused.text) == (501, True)


@pytest.mark.documented(TOKENS)
@pytest.mark.needs_emulator("signs with the development key")
def test_a_signature_serves_one_verb_path_and_date(door: Door) -> None:
    """The same signature under another verb, path or date is 401."""
    date = formatdate(usegmt=True)
    headers = {"authorization": authorization("GET", "dbs", date), "x-ms-date": date}
    assert requests.get(f"{door.url}/dbs", headers=headers, timeout=5).status_code == 200
    assert requests.post(f"{door.url}/dbs", headers=headers, timeout=5).status_code == 401
    assert requests.get(f"{door.url}/offers", headers=headers, timeout=5).status_code == 401
    assert requests.get(f"{door.url}/dbs", headers={**headers, "x-ms-date": "x"}, timeout=5).status_code == 401


@pytest.mark.documented("learn.microsoft.com/rest/api/cosmos-db/http-status-codes-for-cosmosdb")
def test_a_date_too_far_off_is_forbidden() -> None:
    """Sixteen minutes either way are 403; where the emulator's clock was turned, its own time is good as well."""
    clock = Clock()
    with served(lambda: create(clock=clock)) as own:

        def status(minutes: float) -> int:
            return Door(own).call("GET", "dbs", date=formatdate(Clock().now() + 60 * minutes, usegmt=True)).status_code

        assert [status(minutes) for minutes in (-16, -14, 14, 16)] == [403, 200, 200, 403]
        clock.advance(3600)
        assert [status(minutes) for minutes in (0, 30, 60)] == [200, 403, 200]


@pytest.fixture
def permitted(database: DatabaseProxy, container: ContainerProxy) -> Any:
    """Makes a container client that holds a permission's token and no key."""

    def make(mode: str, url: str, **options: Any) -> tuple[ContainerProxy, str]:
        user = database.create_user({"id": f"user-{mode}"})
        permission = user.create_permission(
            {"id": "p", "permissionMode": mode, "resource": container.container_link}, **options
        )
        token = permission.properties["_token"]
        client = CosmosClient(url, {container.container_link: token})
        return client.get_database_client(database.id).get_container_client(container.id), token

    return make


@pytest.mark.documented(TOKENS)
def test_a_read_permission_reads_its_container_only(
    url: str, permitted: Any, database: DatabaseProxy, container: ContainerProxy
) -> None:
    """Items can be read, not written; another container is closed."""
    container.create_item({"id": "a", "pk": "x"})
    reader, token = permitted("Read", url)
    assert reader.read_item("a", "x")["id"] == "a"
    with pytest.raises(exceptions.CosmosHttpResponseError) as refused:
        reader.create_item({"id": "b", "pk": "x"})
    assert refused.value.status_code == 403
    other = requests.get(f"{url}/dbs/{database.id}", headers={"authorization": token}, timeout=5)
    assert other.status_code == 403


@pytest.mark.documented(TOKENS)
def test_an_all_permission_writes_items_and_keeps_the_container(
    url: str, permitted: Any, container: ContainerProxy
) -> None:
    """Items can be written; the container itself cannot be deleted with it."""
    writer, token = permitted("All", url)
    writer.create_item({"id": "b", "pk": "x"})
    writer.delete_item("b", "x")
    gone = requests.delete(f"{url}/{container.container_link}", headers={"authorization": token}, timeout=5)
    assert gone.status_code == 403


@pytest.mark.read_in_sdk("azure-cosmos samples/access_cosmos_with_resource_token.py: a permission on an item's _self")
def test_a_permission_on_an_item_serves_it_under_both_its_names(
    url: str, database: DatabaseProxy, container: ContainerProxy
) -> None:
    """Granted by its rid it is read and written by its id, and the other way round; its neighbours stay closed."""
    made = container.create_item({"id": "a", "pk": "x"})
    for pk, name in (("x", "b"), ("y", "a")):
        container.create_item({"id": name, "pk": pk})
    base = f"{url}/{container.container_link}"

    def statuses(resource: str, asked: list[tuple[str, str]]) -> list[int]:
        user = database.create_user({"id": f"user-{len(list(database.list_users()))}"})
        permission = user.create_permission({"id": "p", "permissionMode": "All", "resource": resource})
        token = permission.properties["_token"]
        key = "x-ms-documentdb-partitionkey"
        return [
            requests.get(path, headers={"authorization": token, key: f'["{pk}"]'}, timeout=5).status_code
            for path, pk in asked
        ]

    by_rid, by_id = f"{url}/{made['_self'].rstrip('/')}", f"{base}/docs/a"
    neighbours = [(f"{base}/docs/b", "x"), (by_id, "y"), (f"{base}/docs", "x"), (f"{base}/docs/none", "x")]
    assert statuses(made["_self"], [(base, "x"), (by_rid, "x"), (by_id, "x"), *neighbours]) == [200] * 3 + [403] * 4
    assert statuses(f"{container.container_link}/docs/a", [(by_id, "x"), (by_rid, "x"), neighbours[0]]) == [
        200,
        200,
        403,
    ]


@pytest.mark.our_choice("bad input gets a clear error; the service's text is not known")
@pytest.mark.parametrize("key", [{"a": 1}, "x", 7, [[]], [{"a": 1}]])
def test_a_permission_for_no_partition_key_is_refused(
    database: DatabaseProxy, container: ContainerProxy, key: object
) -> None:
    """400: its resourcePartitionKey is an array of values, as in the header."""
    user = database.create_user({"id": "u"})
    permission = {"id": "p", "permissionMode": "All", "resource": container.container_link}
    with pytest.raises(exceptions.CosmosHttpResponseError) as refused:
        user.create_permission({**permission, "resourcePartitionKey": key})
    assert refused.value.status_code == 400


@pytest.mark.our_choice("tokens are ours to sign; the service's are opaque")
def test_a_token_expires_and_cannot_be_forged(
    url: str, permitted: Any, container: ContainerProxy, clock: Clock
) -> None:
    """After its hour it is 403; with a changed payload it is 401."""
    _, token = permitted("Read", url)
    head, payload, _ = token.split(";")
    grant = json.loads(base64.b64decode(payload))
    grant[1] = "All"
    forged = f"{head};{base64.b64encode(json.dumps(grant).encode()).decode()};"
    path = f"{url}/{container.container_link}"
    assert requests.get(path, headers={"authorization": token}, timeout=5).status_code == 200
    assert requests.get(path, headers={"authorization": forged}, timeout=5).status_code == 401
    clock.advance(3601)
    assert requests.get(path, headers={"authorization": token}, timeout=5).status_code == 403


@pytest.mark.read_in_sdk("azure-cosmos tests/test_aad.py: the emulator's credential is a token that ends in the key")
@pytest.mark.needs_emulator("its tokens are the emulator's")
def test_an_identity_token_works_on_items_and_not_on_descriptions(door: Door, container: ContainerProxy) -> None:
    """Data calls pass, metadata writes are 403/5300, a token with another key is 401, an old one 403."""

    def bearer(key: str, expires: float) -> dict[str, str]:
        parts = (b'{"alg":"RS256"}', json.dumps({"exp": expires}).encode(), key.encode())
        token = ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)
        return {"authorization": f"type=aad&ver=1.0&sig={token}", "x-ms-documentdb-partitionkey": '["x"]'}

    later = Clock().now() + 600
    path = f"{container.container_link}/docs"
    assert door.call("POST", path, {"id": "a", "pk": "x"}, bearer(WELL_KNOWN_KEY, later)).status_code == 201
    refused = door.call("POST", "dbs", {"id": "x"}, bearer(WELL_KNOWN_KEY, later))
    assert (refused.status_code, refused.headers["x-ms-substatus"]) == (403, "5300")
    assert door.call("GET", path, headers=bearer("bm90IGl0", later)).status_code == 401
    assert door.call("GET", path, headers=bearer(WELL_KNOWN_KEY, 1.0)).status_code == 403


@pytest.mark.read_in_sdk("azure-cosmos-js test/functional/offer.spec.ts: an offer replaced under a link of its link")
def test_a_path_that_is_none_is_refused_before_its_signature_is_judged(door: Door) -> None:
    """400: nobody can tell what such a request had to sign."""
    assert door.call("PUT", "offers/offers/abc=", {"id": "x"}).status_code == 400
    assert door.call("GET", "offers/offers/abc=", headers={"authorization": ""}).status_code == 401
