"""A small Cosmos DB client over HTTP: what the trigger and the bindings need, for any account, emulated or real.

Signs as the REST API documents (master key, or an Entra token). Must not know triggers, leases or bindings.
"""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from email.utils import formatdate
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from emulators.base.clock import Clock
from emulators.functions_host.connections import CosmosConnection
from emulators.functions_host.limits import (
    COSMOS_PAGES_MAX,
    COSMOS_SECONDS_MAX,
    COSMOS_THROTTLED_ATTEMPTS_MAX,
    COSMOS_THROTTLED_SECONDS_MAX,
)

if TYPE_CHECKING:  # it takes longer to import than the rest of a host; an app of HTTP functions never needs it
    import aiohttp

API_VERSION = "2018-12-31"
NOT_FOUND, CONFLICT, GONE, PRECONDITION_FAILED, THROTTLED = 404, 409, 410, 412, 429
NOT_MODIFIED = 304

Document = dict[str, Any]


class CosmosUnavailable(Exception):
    """The account did not answer. The text names it."""


class CosmosRefused(Exception):
    """The account answered with an error."""

    def __init__(self, status: int, substatus: int, message: str) -> None:
        super().__init__(f"Response status code does not indicate success: {status} ({substatus}). {message}")
        self.status = status
        self.substatus = substatus


@dataclass(frozen=True)
class Answer:
    """A successful answer; `document` is None when it has no body."""

    status: int
    headers: Mapping[str, str]
    document: Any


@dataclass(frozen=True)
class ContainerDescription:
    """What clients know of a container: its resource id and where partition keys are in its items."""

    rid: str
    partition_key_paths: tuple[str, ...]

    def key_of(self, document: Document) -> list[Any]:
        """The partition key of an item; a value that is not there is `{}` as the REST API writes it."""
        return [_at(document, path) for path in self.partition_key_paths]


class CosmosAccount:
    """One account. `session` is shared and closed by whoever made it."""

    def __init__(self, connection: CosmosConnection, session: aiohttp.ClientSession, clock: Clock) -> None:
        self._connection = connection
        self._session = session
        self._clock = clock
        self._credential: Any = None
        self._described: dict[str, ContainerDescription] = {}

    @property
    def host(self) -> str:
        """The host name of the account, which lease ids begin with."""
        return urlsplit(self._connection.endpoint).hostname or ""

    @property
    def endpoint(self) -> str:
        """The account's URL."""
        return self._connection.endpoint

    def container(self, database: str, container: str) -> CosmosContainer:
        """A container by name, which may not exist."""
        return CosmosContainer(self, database, container)

    async def create_container(
        self, database: str, container: str, partition_key: str, *, throughput: int = 0, expires: bool = False
    ) -> None:
        """Create database and container where they do not exist. `expires` lets items carry a time to live.

        Both are looked for first: an identity may read them where it may not create them.
        """
        await self._ensure(f"dbs/{database}", {"id": database}, {})
        description: Document = {
            "id": container,
            "partitionKey": {"paths": [partition_key], "kind": "Hash", "version": 2},
        }
        if expires:
            description["defaultTtl"] = -1
        headers = {"x-ms-offer-throughput": str(throughput)} if throughput else {}
        await self._ensure(f"dbs/{database}/colls/{container}", description, headers)

    async def _ensure(self, link: str, description: Document, headers: Mapping[str, str]) -> None:
        """Create the database or container at `link` unless it is there."""
        feed = link.rpartition("/")[0]
        owner, _, kind = feed.rpartition("/")
        try:
            await self.send("GET", link, kind, link)
        except CosmosRefused as missing:
            if missing.status != NOT_FOUND:
                raise
            try:
                await self.send("POST", feed, kind, owner, description, headers)
            except CosmosRefused as refused:
                if refused.status != CONFLICT:  # another host was faster
                    raise

    async def describe(self, link: str) -> ContainerDescription:
        """The container at `link`, read once."""
        if link not in self._described:
            document = (await self.send("GET", link, "colls", link)).document
            paths = tuple(document.get("partitionKey", {}).get("paths", ()))
            self._described[link] = ContainerDescription(document["_rid"], paths)
        return self._described[link]

    def forget(self, link: str) -> None:
        """Describe the container anew next time: it may have been replaced by another of its name."""
        self._described.pop(link, None)

    async def send(
        self,
        method: str,
        path: str,
        resource_type: str,
        resource_link: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One operation, again while the account throttles. Raises CosmosRefused or CosmosUnavailable."""
        waited = 0.0
        for attempt in range(COSMOS_THROTTLED_ATTEMPTS_MAX):
            signed = {**(headers or {}), **await self._signature(method, resource_type, resource_link)}
            answer = await self._once(method, path, signed, body)
            if answer.status != THROTTLED:
                break
            seconds = int(answer.headers.get("x-ms-retry-after-ms", "1000")) / 1000
            waited += seconds
            if attempt + 1 == COSMOS_THROTTLED_ATTEMPTS_MAX or waited > COSMOS_THROTTLED_SECONDS_MAX:
                break
            await self._clock.sleep(seconds)
        if answer.status >= 400:
            message = answer.document.get("message", "") if isinstance(answer.document, dict) else ""
            substatus = answer.headers.get("x-ms-substatus", "0")
            raise CosmosRefused(answer.status, int(substatus) if substatus.isdecimal() else 0, message)
        return answer

    async def close(self) -> None:
        """Give back what the identity holds."""
        if self._credential is not None:
            await self._credential.close()

    async def _once(self, method: str, path: str, headers: Mapping[str, str], body: Any) -> Answer:
        from aiohttp import ClientError, ClientTimeout

        url = f"{self._connection.endpoint}/{quote(path)}"
        data = None if body is None else json.dumps(body).encode()
        try:
            async with self._session.request(
                method,
                url,
                data=data,
                headers={"content-type": "application/json", "x-ms-version": API_VERSION, **headers},
                ssl=self._connection.verify_certificate,
                timeout=ClientTimeout(total=COSMOS_SECONDS_MAX),
            ) as response:
                text = await response.read()
                document = json.loads(text) if text else None
                return Answer(
                    response.status, {name.lower(): text for name, text in response.headers.items()}, document
                )
        except (ClientError, TimeoutError, ValueError) as failure:
            raise CosmosUnavailable(
                f"The Cosmos DB account at {self._connection.endpoint} did not answer {method} {path}: "
                f"{type(failure).__name__}: {failure}"
            ) from failure

    async def _signature(self, method: str, resource_type: str, resource_link: str) -> dict[str, str]:
        real_now = self._clock.now() - self._clock.offset_seconds  # the account does not know of our turned clock
        date = formatdate(real_now, usegmt=True)
        if self._connection.key is None:
            token = f"type=aad&ver=1.0&sig={await self._token()}"
        else:
            payload = f"{method.lower()}\n{resource_type}\n{resource_link}\n{date.lower()}\n\n"
            digest = hmac.digest(base64.b64decode(self._connection.key), payload.encode(), "sha256")
            token = f"type=master&ver=1.0&sig={base64.b64encode(digest).decode()}"
        return {"x-ms-date": date, "authorization": quote(token, safe="")}

    async def _token(self) -> str:
        if self._credential is None:
            self._credential = self._connection.identity.credential()
        from azure.core.exceptions import AzureError

        location = urlsplit(self._connection.endpoint)
        try:
            token = await self._credential.get_token(f"{location.scheme}://{location.hostname}/.default")
        except AzureError as failure:
            raise CosmosUnavailable(f"There is no token for {self._connection.endpoint}: {failure}") from failure
        return str(token.token)


class CosmosContainer:
    """A container's items, queries, ranges and change feed."""

    def __init__(self, account: CosmosAccount, database: str, name: str) -> None:
        self.account = account
        self.database = database
        self.name = name
        self.link = f"dbs/{database}/colls/{name}"

    async def describe(self) -> ContainerDescription:
        """Its resource id and partition key. Raises CosmosRefused 404 when it does not exist."""
        return await self.account.describe(self.link)

    async def create(self, document: Document) -> Document:
        """Create an item. Raises CosmosRefused 409 when there is one of its id."""
        return await self._write(document, {})

    async def upsert(self, document: Document) -> Document:
        """Create or replace an item."""
        return await self._write(document, {"x-ms-documentdb-is-upsert": "True"})

    async def read(self, item_id: str, key: list[Any]) -> Document:
        """One item. Raises CosmosRefused 404."""
        path = f"{self.link}/docs/{item_id}"
        return dict((await self.account.send("GET", path, "docs", path, headers=_key_header(key))).document)

    async def replace(self, document: Document) -> Document:
        """Replace an item that is still as `document`'s _etag says. Raises CosmosRefused 412 when it is not."""
        path = f"{self.link}/docs/{document['id']}"
        headers = {**_key_header((await self.describe()).key_of(document)), "if-match": document["_etag"]}
        return dict((await self.account.send("PUT", path, "docs", path, document, headers)).document)

    async def delete(self, document: Document) -> None:
        """Delete an item; one that is gone already is as good."""
        path = f"{self.link}/docs/{document['id']}"
        try:
            headers = _key_header((await self.describe()).key_of(document))
            await self.account.send("DELETE", path, "docs", path, headers=headers)
        except CosmosRefused as refused:
            if refused.status != NOT_FOUND:
                raise

    async def ranges(self) -> list[Document]:
        """The physical partitions' key ranges."""
        answer = await self.account.send("GET", f"{self.link}/pkranges", "pkranges", self.link)
        return list(answer.document["PartitionKeyRanges"])

    async def query(
        self,
        text: str,
        parameters: list[Document],
        headers: Mapping[str, str],
    ) -> AsyncIterator[Any]:
        """The results of a query, page after page. `headers` say where: a partition key, a range, or everywhere."""
        given = {
            "x-ms-documentdb-isquery": "True",
            "content-type": "application/query+json",
            **headers,
        }
        body = {"query": text, "parameters": parameters}
        for _ in range(COSMOS_PAGES_MAX):
            answer = await self.account.send("POST", f"{self.link}/docs", "docs", self.link, body, given)
            for each in answer.document["Documents"]:
                yield each
            continuation = answer.headers.get("x-ms-continuation")
            if not continuation:
                return
            given["x-ms-continuation"] = continuation
        raise CosmosUnavailable(f"A query of {self.link} went on for more than {COSMOS_PAGES_MAX} pages.")

    async def plan(self, text: str, parameters: list[Document]) -> Document:
        """How a query is to be run over several ranges, as the gateway plans it."""
        headers = {
            "content-type": "application/query+json",
            "x-ms-cosmos-is-query-plan-request": "True",
            "x-ms-cosmos-supported-query-features": "OrderBy, MultipleOrderBy, Top, OffsetAndLimit, Distinct",
            "x-ms-cosmos-query-version": "1.4",
            "x-ms-documentdb-query-enablecrosspartition": "True",
        }
        body = {"query": text, "parameters": parameters}
        return dict((await self.account.send("POST", f"{self.link}/docs", "docs", self.link, body, headers)).document)

    async def changes(self, range_id: str, headers: Mapping[str, str], page_items: int) -> Answer:
        """A page of a range's change feed; status 304 when there is nothing new. Raises CosmosRefused 410."""
        given = {
            "a-im": "Incremental Feed",
            "x-ms-documentdb-partitionkeyrangeid": range_id,
            **({"x-ms-max-item-count": str(page_items)} if page_items > 0 else {}),
            **headers,
        }
        return await self.account.send("GET", f"{self.link}/docs", "docs", self.link, headers=given)

    async def _write(self, document: Document, headers: Mapping[str, str]) -> Document:
        key = _key_header((await self.describe()).key_of(document))
        try:
            answer = await self.account.send(
                "POST", f"{self.link}/docs", "docs", self.link, document, {**key, **headers}
            )
        except CosmosRefused:
            self.account.forget(self.link)
            raise
        return dict(answer.document)


def _key_header(key: list[Any]) -> dict[str, str]:
    return {"x-ms-documentdb-partitionkey": json.dumps(key)}


def _at(document: Document, path: str) -> Any:
    value: Any = document
    for part in path.strip("/").split("/"):
        if not isinstance(value, dict) or part not in value:
            return {}
        value = value[part]
    return value
