"""Client encryption keys: data keys that clients have wrapped with a key of their own. Only clients can unwrap them."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from emulators.cosmos import errors
from emulators.cosmos.crud import Crud
from emulators.cosmos.errors import Refused
from emulators.cosmos.store.catalog import Resource
from emulators.cosmos.wire import Call

_MEMBERS: Mapping[str, type] = {"encryptionAlgorithm": str, "wrappedDataEncryptionKey": str, "keyWrapMetadata": dict}


def _check(_: Call, owner: Resource, sent: dict[str, Any], old: Resource | None) -> dict[str, Any]:
    for name, kind in _MEMBERS.items():
        if not isinstance(sent.get(name), kind):
            raise _bad(f"A client encryption key has {', '.join(_MEMBERS)}; {name} is missing or of another type.")
    try:
        base64.b64decode(sent["wrappedDataEncryptionKey"], validate=True)
    except ValueError:
        raise _bad("wrappedDataEncryptionKey takes base64.") from None
    return {"id": sent["id"], **{name: sent[name] for name in _MEMBERS}}


def _bad(text: str) -> Refused:
    return Refused(errors.BAD_REQUEST, errors.wrapped("One of the specified inputs is invalid", text))


encryption_keys = Crud("clientencryptionkeys", _check)
