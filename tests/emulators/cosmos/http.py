"""Plain HTTP to the account, signed as the REST reference says, for what the SDK will not send."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from email.utils import formatdate
from urllib.parse import quote, unquote

import requests
from azure.cosmos import ContainerProxy

from emulators.cosmos.account import WELL_KNOWN_KEY
from tests.target.settings import token


class Door:
    """Sends requests to one account with its key, or as an identity."""

    def __init__(self, url: str, key: str | None = WELL_KNOWN_KEY) -> None:
        self.url, self._key = url, key

    @staticmethod
    def database_of(container: ContainerProxy) -> str:
        """The name of the database that a container is in."""
        return container.container_link.split("/")[1]

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        *,
        date: str | None = None,
    ) -> requests.Response:
        """Send one request; `path` is percent-encoded where it has to be."""
        date = formatdate(usegmt=True) if date is None else date
        signed = {
            "x-ms-date": date,
            "x-ms-version": "2020-07-15",
            "authorization": authorization(method, path, date, self._key) if self._key else self._identity(),
        }
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        return requests.request(
            method, f"{self.url}/{path}", data=data, headers={**signed, **(headers or {})}, timeout=20
        )

    def _identity(self) -> str:
        return quote(f"type=aad&ver=1.0&sig={token(f'{self.url}/.default')}", safe="")


def authorization(method: str, path: str, date: str, key: str = WELL_KNOWN_KEY) -> str:
    """The master-key header for a name-based path, or an offer's, which is signed by its rid alone."""
    segments = [unquote(segment) for segment in path.split("/")] if path else []
    kind = segments[-1] if len(segments) % 2 else (segments[-2] if segments else "")
    link = "/".join(segments[:-1] if len(segments) % 2 else segments)
    link = segments[1].lower() if kind == "offers" and len(segments) == 2 else link
    payload = f"{method.lower()}\n{kind}\n{link}\n{date.lower()}\n\n"
    digest = hmac.new(base64.b64decode(key), payload.encode(), hashlib.sha256).digest()
    return quote(f"type=master&ver=1.0&sig={base64.b64encode(digest).decode()}", safe="")
