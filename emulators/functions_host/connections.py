"""Connections by name, as bindings give them: a setting with a connection string, or a group of settings (identity).

`X`, `ConnectionStrings:X` and the older `AzureWebJobsX` are looked up in that order; `X__accountEndpoint`,
`X__serviceUri` and the like mean an identity. Reads settings only: nothing here opens a connection.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from emulators.functions_host.errors import FunctionInError
from emulators.functions_host.settings import Settings

COSMOS_DEFAULT = "CosmosDB"
STORAGE_DEFAULT = "AzureWebJobsStorage"
AZURITE_ACCOUNT = "devstoreaccount1"
AZURITE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""The well-known development account and its key (learn.microsoft.com, use Azurite)."""
STORAGE_PARTS = frozenset({"accountname", "blobendpoint", "queueendpoint", "tableendpoint"})
"""One of these is in every storage connection string."""
AZURITE_PORTS = {"blob": 10000, "queue": 10001, "table": 10002}


@dataclass(frozen=True)
class Identity:
    """Which Entra identity a connection uses: the members beside its endpoint, lower-case."""

    members: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    def credential(self) -> Any:
        """An async credential of azure-identity. Raises FunctionInError when that is not installed."""
        try:
            from azure.identity import aio as identity
        except ImportError:
            raise FunctionInError(
                "A connection by identity needs the package azure-identity: add it to requirements.txt and install it, "
                "or give a connection string."
            ) from None
        members = dict(self.members)
        client = members.get("clientid")
        if members.get("credential", "").lower() in ("managedidentity", "managedidentitycredential"):
            return identity.ManagedIdentityCredential(client_id=client)
        tenant, secret = members.get("tenantid"), members.get("clientsecret")
        if client and tenant and secret:
            return identity.ClientSecretCredential(tenant, client, secret)
        return identity.DefaultAzureCredential(managed_identity_client_id=client)


@dataclass(frozen=True)
class CosmosConnection:
    """A Cosmos DB account: endpoint, and a key or an identity."""

    endpoint: str
    key: str | None = field(default=None, repr=False)
    identity: Identity = field(default_factory=Identity)
    verify_certificate: bool = True


@dataclass(frozen=True)
class StorageConnection:
    """A storage account: a connection string, or a service's URL and an identity."""

    text: str | None = field(default=None, repr=False)
    urls: tuple[tuple[str, str], ...] = ()
    identity: Identity = field(default_factory=Identity)


@dataclass(frozen=True)
class TopicConnection:
    """An Event Grid topic: endpoint, and a key or an identity."""

    endpoint: str
    key: str | None = field(default=None, repr=False)
    identity: Identity = field(default_factory=Identity)


def cosmos_connection(settings: Settings, name: str) -> CosmosConnection:
    """The account called `name` (default CosmosDB). Raises FunctionInError."""
    name = name or COSMOS_DEFAULT
    text = _text(settings, name)
    if text is None:
        section = _section(settings, name)
        if "accountendpoint" in section:
            return CosmosConnection(section["accountendpoint"].rstrip("/"), identity=_identity(section))
        if section:
            raise FunctionInError(
                "Connection should have an 'accountEndpoint' property or be a string representing a connection string."
            )
        raise FunctionInError(
            f"Cosmos DB connection configuration '{name}' does not exist. Make sure that it is a defined App Setting."
        )
    parts = connection_parts(text)
    if "accountendpoint" not in parts or not _is_base64(parts.get("accountkey", "")):
        raise FunctionInError(
            f"The setting {name} is not a Cosmos DB connection string: "
            "please use AccountEndpoint=XXXXXX;AccountKey=XXXXXX;."
        )
    verify = parts.get("disableservercertificatevalidation", "").lower() != "true"
    return CosmosConnection(parts["accountendpoint"].rstrip("/"), parts["accountkey"], verify_certificate=verify)


def storage_connection(settings: Settings, name: str) -> StorageConnection:
    """The storage account called `name` (default AzureWebJobsStorage). Raises FunctionInError."""
    name = name or STORAGE_DEFAULT
    text = _text(settings, name)
    if text is not None:
        whole = _development(text) or text
        if not STORAGE_PARTS & connection_parts(whole).keys():
            raise FunctionInError(
                f"The setting {name} is not a storage connection string: "
                "please use DefaultEndpointsProtocol=https;AccountName=XXXXXX;AccountKey=XXXXXX;."
            )
        return StorageConnection(whole)
    section = _section(settings, name)
    urls = {}
    for service in AZURITE_PORTS:
        account = section.get("accountname")
        url = section.get(f"{service}serviceuri") or section.get("serviceuri")
        if url or account:
            urls[service] = (url or f"https://{account}.{service}.core.windows.net").rstrip("/")
    if urls:
        return StorageConnection(urls=tuple(urls.items()), identity=_identity(section))
    raise FunctionInError(
        f"Storage account connection string '{name}' does not exist. Make sure that it is a defined App Setting."
    )


def topic_connection(settings: Settings, properties: Mapping[str, Any]) -> TopicConnection:
    """The topic of an eventGrid output: `topicEndpointUri` with `topicKeySetting`, or `connection`. FunctionInError."""
    connection = str(properties.get("connection") or "")
    uri_setting = str(properties.get("topicEndpointUri") or "")
    key_setting = str(properties.get("topicKeySetting") or "")
    if connection and (uri_setting or key_setting):
        raise FunctionInError(
            f"Conflicting topic endpoints have been set in '{connection}' and 'topicEndpointUri': give one of them."
        )
    if connection:
        section = _section(settings, connection)
        endpoint = section.get("topicendpointuri")
        if not endpoint:
            raise FunctionInError(f"The 'topicEndpointUri' was not specified in '{connection}'.")
        return TopicConnection(_absolute(endpoint), identity=_identity(section))
    endpoint, key = settings.get(uri_setting), settings.get(key_setting)
    if not uri_setting or not key_setting or not endpoint or not key:
        raise FunctionInError(
            "The 'connection' property, or 'topicEndpointUri' and 'topicKeySetting' together, must name settings that "
            "exist: an Event Grid topic's endpoint and key."
        )
    return TopicConnection(_absolute(endpoint), key)


def connection_parts(text: str) -> dict[str, str]:
    """The `Name=value;` parts of a connection string by lower-case name."""
    pairs = (part.partition("=") for part in text.split(";") if part.strip())
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def _identity(section: Mapping[str, str]) -> Identity:
    return Identity(tuple(sorted(section.items())))


def _text(settings: Settings, name: str) -> str | None:
    return settings.connection(name) or settings.connection(f"AzureWebJobs{name}")


def _section(settings: Settings, name: str) -> dict[str, str]:
    return settings.section(name) or settings.section(f"AzureWebJobs{name}")


def _is_base64(text: str) -> bool:
    try:
        return bool(base64.b64decode(text, validate=True))
    except ValueError:
        return False


def _development(text: str) -> str | None:
    """`UseDevelopmentStorage=true` spelt out, since not every storage SDK of Python knows it."""
    if connection_parts(text).get("usedevelopmentstorage", "").lower() != "true":
        return None
    endpoints = "".join(
        f"{service.title()}Endpoint=http://127.0.0.1:{port}/{AZURITE_ACCOUNT};"
        for service, port in AZURITE_PORTS.items()
    )
    return f"DefaultEndpointsProtocol=http;AccountName={AZURITE_ACCOUNT};AccountKey={AZURITE_KEY};{endpoints}"


def _absolute(endpoint: str) -> str:
    if not endpoint.startswith(("http://", "https://")):
        raise FunctionInError(f"The 'topicEndpointUri' property must be a valid absolute Uri, got '{endpoint}'.")
    return endpoint
