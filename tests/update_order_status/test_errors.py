"""The SDK's errors become the service's own: what is transient stays transient, whatever the SDK makes of it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from azure.cosmos._session import SessionContainer
from azure.cosmos.exceptions import CosmosHttpResponseError

from update_order_status import errors as commands
from update_order_status_read_model import errors as queries

SIDES = [
    (commands.translated_store_errors, commands.StoreUnavailable),
    (queries.translated_store_errors, queries.StoreUnavailable),
]
Translated = Callable[[], AbstractContextManager[None]]


def forget_while_handling(status: int, sub_status: int) -> None:
    """What azure-cosmos does with a session that it knows by name and has no token of."""
    sessions: Any = SessionContainer()  # type: ignore[no-untyped-call]
    sessions.collection_name_to_rid["dbs/orders/colls/orders-write"] = "rid"
    try:
        raise CosmosHttpResponseError(status_code=status, sub_status=sub_status, message="")  # type: ignore[no-untyped-call]
    except CosmosHttpResponseError:
        sessions.clear_session_token({"x-ms-alt-content-path": "dbs/orders/colls/orders-write"})
        raise


@pytest.mark.parametrize(("translated", "unavailable"), SIDES, ids=("write", "read"))
def test_a_stumble_over_a_session_is_what_it_stumbled_at(translated: Translated, unavailable: type[Exception]) -> None:
    """A KeyError of azure-cosmos while it handles a replica that is behind means that replica, no mistake of ours."""
    with pytest.raises(KeyError):
        forget_while_handling(404, 1002)
    with pytest.raises(unavailable), translated():
        forget_while_handling(404, 1002)


@pytest.mark.parametrize(("translated", "_"), SIDES, ids=("write", "read"))
def test_any_other_key_error_is_a_mistake(translated: Translated, _: type[Exception]) -> None:
    """A KeyError that no answer of the store led to flies on."""
    with pytest.raises(KeyError), translated():
        raise KeyError("missing")
