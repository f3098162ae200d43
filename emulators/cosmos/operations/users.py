"""Users: names that permissions are given to. They have no passwords; a permission's token is what is used."""

from __future__ import annotations

from typing import Any

from emulators.cosmos.crud import Crud
from emulators.cosmos.store.catalog import Resource
from emulators.cosmos.wire import Call


def _check(_: Call, owner: Resource, sent: dict[str, Any], old: Resource | None) -> dict[str, Any]:
    return {"id": sent["id"]}


users = Crud("users", _check)
