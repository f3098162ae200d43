"""Databases, containers, offers, users and scripts: made, read, found, changed, deleted, and refused."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import pytest
from azure.cosmos import ContainerProxy, CosmosClient, DatabaseProxy, PartitionKey, ThroughputProperties, exceptions

from emulators.base.ids import Ids
from emulators.cosmos import limits
from emulators.cosmos.account import WELL_KNOWN_KEY
from emulators.cosmos.application import create
from emulators.cosmos.store.files import FILE_NAME
from tests.emulators.cosmos.http import Door
from tests.serving import served

REST = "learn.microsoft.com/rest/api/cosmos-db"


@pytest.mark.documented(f"{REST}/databases")
def test_a_database_is_made_found_and_deleted(client: CosmosClient) -> None:
    """It is listed, found by a query, refused a second time, and gone after its deletion."""
    name = f"db-{Ids().guid()}"
    client.create_database(name)
    assert name in [each["id"] for each in client.list_databases()]
    named: list[dict[str, Any]] = [{"name": "@id", "value": name}]
    found = client.query_databases("SELECT * FROM root r WHERE r.id = @id", parameters=named)
    assert [each["id"] for each in found] == [name]
    with pytest.raises(exceptions.CosmosResourceExistsError):
        client.create_database(name)
    client.delete_database(name)
    with pytest.raises(exceptions.CosmosResourceNotFoundError):
        client.get_database_client(name).read()


@pytest.mark.documented(f"{REST}/create-a-database")
@pytest.mark.parametrize("name", ["a/b", "a\\b", "a?b", "a#b", "ends ", "", "x" * 256])
def test_a_name_that_is_not_allowed_is_refused(door: Door, name: str) -> None:
    """400, for databases as for containers."""
    assert door.call("POST", "dbs", {"id": name}).status_code == 400


@pytest.mark.documented(f"{REST}/create-a-collection")
def test_a_container_keeps_its_policies(database: DatabaseProxy) -> None:
    """Indexing policy, unique keys and time to live come back, with the defaults of what was left out."""
    policy = {
        "indexingMode": "consistent",
        "includedPaths": [{"path": "/status/?"}],
        "excludedPaths": [{"path": "/*"}],
        "compositeIndexes": [[{"path": "/a", "order": "descending"}, {"path": "/b", "order": "descending"}]],
    }
    absent = {"spatialIndexes": None, "automatic": None}  # clients write so what they leave out
    made = database.create_container("kept", PartitionKey("/pk"), indexing_policy={**policy, **absent}, default_ttl=5)
    read = made.read()
    assert read["indexingPolicy"] == {
        **policy,
        "automatic": True,
        "excludedPaths": [{"path": "/*"}, {"path": '/"_etag"/?'}],
    }
    assert (read["defaultTtl"], read["partitionKey"]) == (5, {"paths": ["/pk"], "kind": "Hash", "version": 2})
    plain = database.create_container("plain", PartitionKey("/pk")).read()
    assert plain["indexingPolicy"] == {
        "indexingMode": "consistent",
        "automatic": True,
        "includedPaths": [{"path": "/*"}],
        "excludedPaths": [{"path": '/"_etag"/?'}],
    }
    assert plain["conflictResolutionPolicy"]["mode"] == "LastWriterWins"


@pytest.mark.documented("learn.microsoft.com/azure/cosmos-db/index-policy")
@pytest.mark.parametrize(
    "body",
    [
        {"partitionKey": {"paths": []}},
        {"partitionKey": {"paths": ["pk"]}},
        {"partitionKey": {"paths": ["/a", "/b"], "kind": "Hash"}},
        {"partitionKey": {"paths": ["/a[0]"], "kind": "Hash"}},
        {"partitionKey": {"paths": ["/a"], "kind": "Range"}},
        {"indexingPolicy": {"indexingMode": "lazy"}},
        {"indexingPolicy": {"fullTextIndexes": 1}},
        {"indexingPolicy": {"indexingMode": "none"}, "defaultTtl": 0},
        {"indexingPolicy": {"includedPaths": [{"path": "/a/?"}]}},
        {"indexingPolicy": {"compositeIndexes": [[{"path": "/a"}]]}},
        {"indexingPolicy": {"spatialIndexes": [{"path": "/a"}]}},
        {"defaultTtl": 0},
        {"uniqueKeyPolicy": {"uniqueKeys": [{"paths": []}]}},
        {"uniqueKeyPolicy": {"uniqueKeys": [{"paths": [f"/p{n}" for n in range(17)]}]}},
    ],
)
def test_a_container_that_cannot_be_is_refused(door: Door, database: DatabaseProxy, body: dict[str, Any]) -> None:
    """400 and no container."""
    whole = {"id": "refused", "partitionKey": {"paths": ["/pk"], "kind": "Hash", "version": 2}, **body}
    assert door.call("POST", f"dbs/{database.id}/colls", whole).status_code == 400
    assert list(database.list_containers()) == []


EMBEDDING = {"path": "/v", "dataType": "float32", "dimensions": 3, "distanceFunction": "cosine"}


@pytest.mark.read_in_sdk(
    "azure-cosmos tests/test_vector_policy.py, test_full_text_policy.py, test_computed_properties.py"
)
@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"vectorEmbeddingPolicy": {"vectorEmbeddings": [{**EMBEDDING, "dataType": "float33"}]}}, "invalid DataType"),
        ({"vectorEmbeddingPolicy": {"vectorEmbeddings": [{**EMBEDDING, "dimensions": 8000}]}}, "Dimensions:8000"),
        ({"vectorEmbeddingPolicy": {"vectorEmbeddings": [{**EMBEDDING, "dimensions": -1}]}}, "Dimensions:-1"),
        ({"indexingPolicy": {"vectorIndexes": [{"path": "/v", "type": "flat"}]}}, "not matching in Embedding's path"),
        ({"fullTextPolicy": {"fullTextPaths": [{"path": "text"}]}}, "contains an invalid Path"),
        ({"fullTextPolicy": {"defaultLanguage": "xx-XX"}}, "not supported"),
        ({"indexingPolicy": {"fullTextIndexes": [{"path": "/text"}]}}, "not in the full text policy"),
        ({"computedProperties": [{"name": "id", "query": "SELECT VALUE 1 FROM c"}]}, "is taken"),
        ({"computedProperties": [{"name": "x", "query": "SELECT c.a FROM c"}]}, "one VALUE"),
        ({"computedProperties": [{"name": "x", "query": "SELEC"}]}, "syntax error"),
    ],
)
def test_a_search_policy_that_cannot_be_is_refused(
    door: Door, database: DatabaseProxy, body: dict[str, Any], told: str
) -> None:
    """400 with a text that names what is wrong."""
    whole = {"id": "refused", "partitionKey": {"paths": ["/pk"], "kind": "Hash", "version": 2}, **body}
    answer = door.call("POST", f"dbs/{database.id}/colls", whole)
    assert answer.status_code == 400
    assert told in answer.text


@pytest.mark.documented(f"{REST}/replace-a-collection")
def test_a_containers_policies_may_change_and_its_key_may_not(database: DatabaseProxy) -> None:
    """The indexing policy is replaced; another partition key is 400."""
    container = database.create_container("changing", PartitionKey("/pk"))
    policy = {"indexingMode": "consistent", "includedPaths": [{"path": "/*"}], "excludedPaths": [{"path": "/x/*"}]}
    changed = database.replace_container(container, PartitionKey("/pk"), indexing_policy=policy, default_ttl=10)
    assert {"path": "/x/*"} in changed.read()["indexingPolicy"]["excludedPaths"]
    with pytest.raises(exceptions.CosmosHttpResponseError) as refused:
        database.replace_container(container, PartitionKey("/other"))
    assert refused.value.status_code == 400


@pytest.mark.seen_on_azure("the .NET SDK's CosmosNotFoundTests, which runs against the service")
def test_what_is_missing_says_which_level(door: Door, container: ContainerProxy) -> None:
    """An item or a container that is not there is 404/0, an item in a missing database 404/1003."""
    database = door.database_of(container)
    key = {"x-ms-documentdb-partitionkey": '["x"]'}
    for path, substatus in (
        (f"{container.container_link}/docs/none", None),
        (f"dbs/{database}/colls/none/docs/none", None),
        (f"dbs/{database}/colls/none", None),
        ("dbs/none/colls/none/docs/none", "1003"),
    ):
        answer = door.call("GET", path, headers=key)
        assert (answer.status_code, answer.headers.get("x-ms-substatus")) == (404, substatus), path


@pytest.mark.read_in_sdk("azure-cosmos _container_recreate_retry_policy.py")
def test_a_container_made_again_is_another_one(database: DatabaseProxy) -> None:
    """Under its old name it has another rid and no items, and a client that held the old one goes on."""
    container = database.create_container("again", PartitionKey("/pk"))
    container.create_item({"id": "a", "pk": "x"})
    first = container.read()["_rid"]
    database.delete_container("again")
    database.create_container("again", PartitionKey("/other"))
    container.create_item({"id": "a", "other": "y"})
    assert container.read()["_rid"] != first
    assert [item["id"] for item in container.read_all_items()] == ["a"]


@pytest.mark.documented(f"{REST}/offers")
def test_throughput_is_read_and_changed(database: DatabaseProxy) -> None:
    """Fixed throughput is 400 by default and may be replaced; autoscale keeps its maximum."""
    fixed = database.create_container("fixed", PartitionKey("/pk"))
    assert fixed.get_throughput().offer_throughput == 400
    assert fixed.replace_throughput(1000).offer_throughput == 1000
    assert fixed.get_throughput().offer_throughput == 1000
    scaled = database.create_container(
        "scaled", PartitionKey("/pk"), offer_throughput=ThroughputProperties(auto_scale_max_throughput=4000)
    )
    assert scaled.get_throughput().auto_scale_max_throughput == 4000
    for wrong in (399, 450, 1_000_100):
        with pytest.raises(exceptions.CosmosHttpResponseError) as refused:
            fixed.replace_throughput(wrong)
        assert refused.value.status_code == 400


@pytest.mark.our_choice("bad input gets a clear error: what is manual cannot be migrated to manual")
def test_a_fixed_throughput_is_not_migrated_to_fixed(door: Door, database: DatabaseProxy) -> None:
    """The migration header on a fixed offer is refused."""
    rid = database.create_container("fixed", PartitionKey("/pk")).read()["_rid"]
    offers = door.call("GET", "offers", headers={"x-ms-max-item-count": "1000"}).json()["Offers"]
    offer = next(each for each in offers if each["offerResourceId"] == rid)
    migrate = {"x-ms-cosmos-migrate-offer-to-manual-throughput": "true"}
    answer = door.call("PUT", f"offers/{offer['_rid']}", offer, migrate)
    assert answer.status_code == 400, answer.text


@pytest.mark.documented(f"{REST}/users")
def test_users_and_permissions_are_kept(database: DatabaseProxy, container: ContainerProxy) -> None:
    """They are made, listed, found, replaced, upserted and deleted; one permission per user and resource."""
    user = database.create_user({"id": "ann"})
    permission = {"id": "p", "permissionMode": "Read", "resource": container.container_link}
    assert user.create_permission(permission).properties["_token"].startswith("type=resource&ver=1&sig=")
    with pytest.raises(exceptions.CosmosResourceExistsError):
        user.create_permission({**permission, "id": "q"})
    assert user.upsert_permission({**permission, "permissionMode": "All"}).permission_mode == "All"
    assert [each["id"] for each in user.list_permissions()] == ["p"]
    database.replace_user("ann", {"id": "beth"})
    assert [each["id"] for each in database.query_users("SELECT * FROM u WHERE u.id = 'beth'")] == ["beth"]
    database.delete_user("beth")
    assert list(database.list_users()) == []


@pytest.mark.documented(f"{REST}/stored-procedures")
def test_scripts_are_kept(door: Door, container: ContainerProxy) -> None:
    """Stored procedures, triggers and functions keep their text; malformed ones are 400."""
    scripts = container.scripts
    scripts.create_stored_procedure({"id": "p", "body": "function () {}"})
    scripts.create_trigger({"id": "t", "body": "function () {}", "triggerType": "Pre", "triggerOperation": "All"})
    scripts.create_user_defined_function({"id": "f", "body": "function () {}"})
    scripts.replace_stored_procedure("p", {"id": "p", "body": "function () { return 1; }"})
    assert scripts.get_stored_procedure("p")["body"] == "function () { return 1; }"
    assert [each["triggerType"] for each in scripts.list_triggers()] == ["Pre"]
    scripts.delete_user_defined_function("f")
    assert list(scripts.list_user_defined_functions()) == []
    trigger = {"id": "x", "body": "", "triggerType": "Late", "triggerOperation": "All"}
    for kind, body in (("sprocs", {"id": "x", "body": 1}), ("udfs", {"id": "x"}), ("triggers", trigger)):
        assert door.call("POST", f"{container.container_link}/{kind}", body).status_code == 400


@pytest.mark.documented(f"{REST}/get-database-account")
def test_the_account_advertises_the_endpoint_that_was_called(door: Door) -> None:
    """Whatever host name the client used comes back, but localhost as 127.0.0.1, which some clients need."""
    port = door.url.rpartition(":")[2]
    for host, told in (("localhost", "127.0.0.1"), ("cosmos.test", "cosmos.test")):
        answer = door.call("GET", "", headers={"host": f"{host}:{port}"}).json()
        assert answer["writableLocations"][0]["databaseAccountEndpoint"] == f"http://{told}:{port}/"
        assert answer["userConsistencyPolicy"]["defaultConsistencyLevel"] == "Session"


@pytest.mark.our_choice("what is not built says so by name")
@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "dbs/d/colls/c/docs/i/attachments", 501),
        ("PUT", "dbs/d", 405),
        ("GET", "nonsense", 400),
        ("GET", "dbs/d/nonsense/x", 400),
    ],
)
def test_what_is_not_there_is_never_a_success(door: Door, method: str, path: str, status: int) -> None:
    """Known resources that are not built are 501, wrong verbs 405, unknown paths 400."""
    assert door.call(method, path).status_code == status


@pytest.mark.documented("learn.microsoft.com/rest/api/cosmos-db/common-cosmosdb-rest-request-headers (If-Match)")
def test_if_match_guards_every_resource(door: Door, database: DatabaseProxy, container: ContainerProxy) -> None:
    """A replace or delete under another ETag is 412 and changes nothing; under the right one it is done."""
    user, script = database.create_user({"id": "ann"}), {"id": "s", "body": "function () {}"}
    container.scripts.create_stored_procedure(script)
    stale = {"if-match": '"another"'}
    procedure = f"{container.container_link}/sprocs/s"
    for path in (
        database.database_link,
        container.container_link,
        f"{database.database_link}/users/{user.id}",
        procedure,
    ):
        assert door.call("DELETE", path, headers=stale).status_code == 412
    assert door.call("PUT", procedure, script, stale).status_code == 412
    upsert = {**stale, "x-ms-documentdb-is-upsert": "true"}
    assert door.call("POST", f"{container.container_link}/sprocs", script, upsert).status_code == 412
    etag = door.call("GET", procedure).headers["etag"]
    assert door.call("DELETE", procedure, headers={"if-match": etag}).status_code == 204


@pytest.mark.our_choice("a document's position has bits for so many containers and no more")
def test_a_data_directory_is_full_when_its_numbers_are(tmp_path: Path) -> None:
    """A container whose number no position can hold is refused with what to do, not broken at its first item."""
    with served(lambda: create(tmp_path)) as url:
        CosmosClient(url, WELL_KNOWN_KEY).create_database("d")
    with closing(apsw.Connection(str(tmp_path / FILE_NAME))) as file:
        file.execute("UPDATE sqlite_sequence SET seq=? WHERE name='resource'", (limits.RESOURCES_MAX - 2,))
    with served(lambda: create(tmp_path)) as url:
        database = CosmosClient(url, WELL_KNOWN_KEY).get_database_client("d")
        last = database.create_container("last", PartitionKey("/pk"))
        assert last.create_item({"id": "a", "pk": "x"})["id"] == "a"
        with pytest.raises(exceptions.CosmosHttpResponseError, match="data directory") as refused:
            database.create_container("over", PartitionKey("/pk"))
        assert refused.value.status_code == 403
        database.delete_container(last)
