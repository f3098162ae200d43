"""The credentials that the suite asks for when it thinks that it runs live."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Any

from azure.core.credentials import AccessToken


class Credential:
    """A credential that gives a token nobody checks."""

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        """A token that is good for an hour."""
        return AccessToken("none", int(time.time()) + 3600)  # noqa: TID251 - a client's credential, not the emulator

    def close(self) -> None:
        """Nothing to close."""


class AsyncCredential:
    """The same for async clients."""

    async def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        """A token that is good for an hour."""
        return AccessToken("none", int(time.time()) + 3600)  # noqa: TID251 - as above

    async def close(self) -> None:
        """Nothing to close."""

    async def __aenter__(self) -> AsyncCredential:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None


def get_credential(*, is_async: bool = False, **options: Any) -> Credential | AsyncCredential:
    """The credential for live accounts."""
    return AsyncCredential() if is_async else Credential()
