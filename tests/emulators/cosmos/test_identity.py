"""Clients that hold no key: the endpoint at which azure-identity finds a managed identity's tokens."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from azure.cosmos import CosmosClient, PartitionKey
from azure.cosmos.aio import CosmosClient as AsyncCosmosClient
from azure.identity import DefaultAzureCredential
from azure.identity.aio import DefaultAzureCredential as AsyncDefaultAzureCredential

from emulators.base.serving import Bind
from emulators.base.tls import server_context
from emulators.cosmos.account import WELL_KNOWN_KEY
from emulators.cosmos.application import create
from tests.serving import served

APP_SERVICE = "learn.microsoft.com/azure/app-service/overview-managed-identity#rest-endpoint-reference"
# azure-cosmos verifies no certificate of an address on this machine, and urllib3 says so.
pytestmark = pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
OWN_KEY = base64.b64encode(b"a key of its own").decode()


@pytest.fixture
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An emulator over https, and its tokens' endpoint in the environment.

    At another emulator without https: aiohttp looks for whom to trust when it is imported, long before.
    """
    with served(create, Bind(tls=server_context(tmp_path))) as url, served(create) as other:
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"{other}/_emulator/identity")
        monkeypatch.setenv("IDENTITY_HEADER", "any")
        with CosmosClient(url, WELL_KNOWN_KEY) as owner:  # an identity may not make containers
            owner.create_database("d").create_container("c", PartitionKey("/pk"))
        yield url


@pytest.mark.read_in_sdk("azure-identity _credentials/app_service.py")
def test_the_default_credential_finds_the_account(trusted: str) -> None:
    """The quickstarts' client, which names no key, reads and writes items."""
    with DefaultAzureCredential() as credential, CosmosClient(trusted, credential) as client:
        container = client.get_database_client("d").get_container_client("c")
        container.upsert_item({"id": "a", "pk": "x"})
        assert [item["id"] for item in container.query_items("SELECT * FROM c", partition_key="x")] == ["a"]


@pytest.mark.read_in_sdk("azure-identity aio/_credentials/app_service.py")
async def test_the_async_default_credential_finds_it_too(trusted: str) -> None:
    """The same of the async client."""
    async with AsyncDefaultAzureCredential() as credential, AsyncCosmosClient(trusted, credential) as client:
        container = client.get_database_client("d").get_container_client("c")
        await container.upsert_item({"id": "a", "pk": "x"})
        assert (await container.read_item("a", "x"))["id"] == "a"


@pytest.mark.documented(APP_SERVICE)
def test_a_token_is_given_to_who_may_have_it() -> None:
    """400 without the header or a resource, 405 for another verb, 401 where an account's own key is not the header."""
    with served(lambda: create(key=OWN_KEY)) as url:
        endpoint = f"{url}/_emulator/identity"

        def status(method: str = "GET", header: str | None = OWN_KEY, query: str = "?resource=https://x") -> int:
            headers = {} if header is None else {"x-identity-header": header}
            return requests.request(method, endpoint + query, headers=headers, timeout=5).status_code

        assert status() == 200
        refused = [status(header=None), status(query=""), status("POST"), status(header="other"), status(header="é")]
        assert refused == [400, 400, 405, 401, 401]
