"""The keys API: /admin/host/{keys|functionkeys|systemkeys} and /admin/functions/NAME/keys, as KeysController answers.

Who may call is decided before (application). Every change is kept in storage first and told to the other workers.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from emulators.base.control import json_response
from emulators.base.serving import Request, Response
from emulators.functions_host.errors import StartError
from emulators.functions_host.http import text_response
from emulators.functions_host.keys import MASTER, Keys
from emulators.functions_host.storage import StorageUnavailable

HOST_SCOPES = {"keys": "functionKeys", "functionkeys": "functionKeys", "systemkeys": "systemKeys"}
FUNCTION_SCOPE = "keys"


class KeysApi:
    """Answers for the keys of the host (`function` None) or of one function."""

    def __init__(self, load: Callable[[], Awaitable[Keys]], changed: Callable[[], Awaitable[None]]) -> None:
        self._load = load
        self._changed = changed

    async def answer(self, request: Request, scope: str, function: str | None, name: str | None) -> Response:
        """The answer to a request for the keys of a scope, or for the one called `name`."""
        try:
            keys = await self._load()
            if request.method == "GET":
                return self._tell(request, keys, scope, function, name)
            return await self._change(request, keys, scope, function, name or "")
        except (StorageUnavailable, StartError) as failure:
            return text_response(503, f"The keys are not at hand: {failure}")

    def _tell(self, request: Request, keys: Keys, scope: str, function: str | None, name: str | None) -> Response:
        if function is not None:
            kept = keys.functions.get(function.lower(), {})
        else:
            kept = keys.system if scope == "systemKeys" else keys.host
        if name is None:
            return _resource(request, 200, {"keys": [{"name": key, "value": kept[key]} for key in kept]})
        if scope == "systemKeys":
            kept = {**kept, MASTER: keys.master}
        if name not in kept:
            return Response(404)
        return _resource(request, 200, {"name": name, "value": kept[name]})

    async def _change(self, request: Request, keys: Keys, scope: str, function: str | None, name: str) -> Response:
        is_master = name.lower() == MASTER
        if request.method == "DELETE":
            if is_master:
                return text_response(400, "Cannot delete System Key.")
            if not await keys.delete(scope, function, name):
                return Response(404)
            await self._changed()
            return Response(204)
        value = None
        if request.method == "PUT":
            value = _value(request.body)
            if value is None:
                return text_response(400, "Invalid key value")
        if is_master and function is None:
            chosen, is_new = await keys.set_master(value)
        else:
            chosen, is_new = await keys.put(scope, function, name, value)
        await self._changed()
        return _resource(request, 201 if is_new else 200, {"name": name, "value": chosen})


def _value(body: bytes) -> str | None:
    try:
        document = json.loads(body)
    except ValueError:
        return None
    value = document.get("value") if isinstance(document, dict) else None
    return value if isinstance(value, str) else None


def _resource(request: Request, status: int, document: dict[str, Any]) -> Response:
    """A resource with a link to itself, as ApiModelUtility makes it."""
    address = f"{request.scheme}://{request.host}{request.raw_path}"
    response = json_response(status, {**document, "links": [{"rel": "self", "href": address}]})
    headers = {"content-type": "application/json; charset=utf-8"}
    response.headers = {**headers, "location": address} if status == 201 else headers
    return response
