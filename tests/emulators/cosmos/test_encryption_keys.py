"""Client encryption keys and policies: kept for clients, which alone can encrypt and decrypt."""

from __future__ import annotations

import pytest
from azure.cosmos import DatabaseProxy

from tests.emulators.cosmos.http import Door

JS = "@azure/cosmos src/client/Database/Database.ts: createClientEncryptionKey, rewrapClientEncryptionKey"
KEY = {
    "id": "cek",
    "encryptionAlgorithm": "AEAD_AES_256_CBC_HMAC_SHA256",
    "wrappedDataEncryptionKey": "AAEC/w==",
    "keyWrapMetadata": {"type": "V", "name": "kek", "value": "v1", "algorithm": "RSA-OAEP"},
}
POLICY = {
    "includedPaths": [
        {
            "path": "/secret",
            "clientEncryptionKeyId": "cek",
            "encryptionType": "Deterministic",
            "encryptionAlgorithm": "AEAD_AES_256_CBC_HMAC_SHA256",
        }
    ],
    "policyFormatVersion": 2,
}


@pytest.mark.read_in_sdk(JS)
def test_a_wrapped_key_is_kept_found_and_wrapped_anew(door: Door, database: DatabaseProxy) -> None:
    """Create, read, list, query, and a replace under the ETag that was read; a second of the same id is 409."""
    feed = f"{database.database_link}/clientencryptionkeys"
    made = door.call("POST", feed, KEY)
    assert made.status_code == 201
    assert {name: made.json()[name] for name in KEY} == KEY
    assert door.call("POST", feed, KEY).status_code == 409
    read = door.call("GET", f"{feed}/cek")
    assert read.json() == made.json()
    assert door.call("GET", feed).json()["ClientEncryptionKeys"] == [made.json()]
    headers = {"x-ms-documentdb-isquery": "true", "content-type": "application/query+json"}
    found = door.call("POST", feed, {"query": "SELECT VALUE c.id FROM c WHERE c.id = 'cek'"}, headers)
    assert found.json()["ClientEncryptionKeys"] == ["cek"]
    again = {**KEY, "wrappedDataEncryptionKey": "BAUG"}
    assert door.call("PUT", f"{feed}/cek", again, {"if-match": '"other"'}).status_code == 412
    changed = door.call("PUT", f"{feed}/cek", again, {"if-match": read.headers["etag"]})
    assert (changed.status_code, changed.json()["wrappedDataEncryptionKey"]) == (200, "BAUG")
    assert changed.headers["etag"] != read.headers["etag"]


@pytest.mark.our_choice("a malformed key would fail every client that reads it")
@pytest.mark.parametrize(
    "wrong",
    [
        {"wrappedDataEncryptionKey": "no base64"},
        {"wrappedDataEncryptionKey": "é"},
        {"keyWrapMetadata": "text"},
        {"encryptionAlgorithm": None},
    ],
)
def test_a_key_that_clients_could_not_use_is_refused(
    door: Door, database: DatabaseProxy, wrong: dict[str, object]
) -> None:
    """400, and nothing is kept."""
    feed = f"{database.database_link}/clientencryptionkeys"
    assert door.call("POST", feed, {**KEY, **wrong}).status_code == 400
    assert door.call("GET", feed).json()["_count"] == 0


@pytest.mark.seen_on_azure("the .NET SDK's CosmosContainerTests.ClientEncryptionPolicyTest: the refusal and its words")
def test_a_containers_encryption_policy_stays_as_it_was_made(door: Door, database: DatabaseProxy) -> None:
    """It is told on every read; a replace keeps it or is 400."""
    body = {"id": "c", "partitionKey": {"paths": ["/pk"], "version": 2}, "clientEncryptionPolicy": POLICY}
    assert door.call("POST", f"{database.database_link}/colls", body).status_code == 201
    path = f"{database.database_link}/colls/c"
    read = door.call("GET", path).json()
    assert read["clientEncryptionPolicy"] == POLICY
    assert door.call("PUT", path, {**read, "defaultTtl": 60}).status_code == 200
    refused = door.call("PUT", path, {name: read[name] for name in read if name != "clientEncryptionPolicy"})
    assert refused.status_code == 400
    assert "'clientEncryptionPolicy' cannot be changed as part of collection replace operation." in refused.text


@pytest.mark.our_choice("a malformed policy gets a clear error")
@pytest.mark.parametrize(
    "policy",
    [{}, {"includedPaths": [{"path": "/a"}]}, {"includedPaths": [{**POLICY["includedPaths"][0], "path": "a"}]}, 7],  # type: ignore[index]
)
def test_a_malformed_encryption_policy_is_refused(door: Door, database: DatabaseProxy, policy: object) -> None:
    """400 that says what is missing."""
    body = {"id": "c", "partitionKey": {"paths": ["/pk"], "version": 2}, "clientEncryptionPolicy": policy}
    refused = door.call("POST", f"{database.database_link}/colls", body)
    assert (refused.status_code, "clientEncryptionPolicy" in refused.text) == (400, True)
