"""Access keys: the master key, host keys, function keys, system keys; who may call what, and how keys are changed.

Kept in the real host's JSON form:

    host.json            {"masterKey": KEY, "functionKeys": [KEY …], "systemKeys": [KEY …]}
    <function name>.json {"keys": [KEY …]}
    with KEY = {"name": "default", "value": "…", "encrypted": false}

The host key for all functions is called `default`, the key of an extension's webhook `<extension>_extension`.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any
from urllib.parse import quote

from emulators.base.clock import Clock
from emulators.base.ids import Ids
from emulators.base.serving import Request
from emulators.functions_host.limits import KEY_BYTES, KEY_WRITES_MAX, KEYS_RELOAD_SECONDS_MIN
from emulators.functions_host.secrets import SecretStore
from emulators.functions_host.storage import Outdated, StorageUnavailable

SYSTEM_KEYS = {"eventgrid": "eventgrid_extension", "blobs": "blobs_extension"}
"""The system key that opens each extension's webhook."""
MASTER = "_master"
"""What the keys API calls the master key, among the system keys."""
HEADER = "x-functions-key"
HOST = "host"

Change = Callable[[dict[str, Any]], None]


class Level(IntEnum):
    """What a caller has proved; each function and endpoint demands one."""

    ANONYMOUS = 0
    FUNCTION = 1
    SYSTEM = 2
    ADMIN = 3


@dataclass
class Keys:
    """All keys in force, by name; none before `load` has ended."""

    store: SecretStore
    ids: Ids
    master: str = ""
    host: dict[str, str] = field(default_factory=dict)
    system: dict[str, str] = field(default_factory=dict)
    functions: dict[str, dict[str, str]] = field(default_factory=dict)

    async def load(self, functions: Iterable[str]) -> None:
        """Read all keys, making and keeping those that are missing. What it raises leaves no key in force."""
        document = await self._change(HOST, self._complete_host)
        own = {name.lower(): await self._load_function(name) for name in functions}
        self.master = document["masterKey"]["value"]
        self.host, self.system = by_name(document["functionKeys"]), by_name(document["systemKeys"])
        self.functions = own

    async def set_master(self, value: str | None) -> tuple[str, bool]:
        """(the master key, whether it was made here). Like `put`."""
        made = value is None
        chosen = value or self._new_key()

        def change(document: dict[str, Any]) -> None:
            document["masterKey"] = _key("master", chosen)

        await self._change(HOST, change)
        self.master = chosen
        return chosen, made

    async def put(self, scope: str, function: str | None, name: str, value: str | None) -> tuple[str, bool]:
        """Set a key of `functionKeys`, `systemKeys`, or of a function; (its value, whether it is new)."""
        chosen = value or self._new_key()
        is_new = True

        def change(document: dict[str, Any]) -> None:
            nonlocal is_new
            kept = by_name(document.get(scope))
            is_new = name not in kept
            document[scope] = _as_list({**kept, name: chosen})

        self._take(scope, function, await self._change(_document(function), change))
        return chosen, is_new

    async def delete(self, scope: str, function: str | None, name: str) -> bool:
        """Remove a key; False when there is none of that name."""
        found = False

        def change(document: dict[str, Any]) -> None:
            nonlocal found
            kept = by_name(document.get(scope))
            found = kept.pop(name, None) is not None
            document[scope] = _as_list(kept)

        self._take(scope, function, await self._change(_document(function), change))
        return found

    def level(self, request: Request, function: str | None = None) -> tuple[Level, str]:
        """What the request's key proves (for `function`), and the key's name."""
        given = given_key(request)
        if not given:
            return Level.ANONYMOUS, ""
        found = (Level.ANONYMOUS, "")
        candidates = [(Level.ADMIN, "master", self.master)]
        candidates += [(Level.SYSTEM, name, value) for name, value in self.system.items()]
        if function is not None:
            candidates += [(Level.FUNCTION, name, value) for name, value in self.host.items()]
            candidates += [
                (Level.FUNCTION, name, value) for name, value in self.functions.get(function.lower(), {}).items()
            ]
        for level, name, value in candidates:  # all are compared, so that time tells nothing
            if hmac.compare_digest(value.encode(), given.encode()) and found[0] is Level.ANONYMOUS:
                found = (level, name)
        return found

    def _complete_host(self, document: dict[str, Any]) -> None:
        master = (document.get("masterKey") or {}).get("value") or self._new_key()
        document["masterKey"] = _key("master", master)
        document["functionKeys"] = _as_list(by_name(document.get("functionKeys")) or {"default": self._new_key()})
        system = by_name(document.get("systemKeys"))
        for name in SYSTEM_KEYS.values():
            system[name] = system.get(name) or self._new_key()
        document["systemKeys"] = _as_list(system)

    async def _load_function(self, name: str) -> dict[str, str]:
        def complete(document: dict[str, Any]) -> None:
            document.setdefault("keys", _as_list({"default": self._new_key()}))

        return by_name((await self._change(_document(name), complete))["keys"])

    async def _change(self, name: str, change: Change) -> dict[str, Any]:
        """Read a document, change it, keep it; from the start again when another process was faster."""
        for _ in range(KEY_WRITES_MAX):
            kept, version = await self.store.read(name)
            document = dict(kept or {"source": "runtime"})
            change(document)
            if document == kept:
                return document
            try:
                await self.store.write(name, document, version)
            except Outdated:
                continue
            return document
        raise StorageUnavailable(f"the keys '{name}' are changed by others all the time")

    def _take(self, scope: str, function: str | None, document: Mapping[str, Any]) -> None:
        named = by_name(document.get(scope))
        if function is not None:
            self.functions[function.lower()] = named
        elif scope == "systemKeys":
            self.system = named
        else:
            self.host = named

    def _new_key(self) -> str:
        return base64.urlsafe_b64encode(self.ids.token(KEY_BYTES)).decode()


class KeyRing:
    """The keys as a worker uses them: read when first asked for, and again when a caller's key is not among them."""

    def __init__(self, find_store: Callable[[], SecretStore], ids: Ids, clock: Clock, functions: Sequence[str]) -> None:
        """`find_store` may raise StartError, which then whoever asks for keys gets."""
        self._find_store = find_store
        self._ids = ids
        self._clock = clock
        self._functions = functions
        self._keys: Keys | None = None
        self._read_at = 0.0
        self._lock = asyncio.Lock()

    def find_store(self) -> Keys:
        """The keys, in force or not. Raises StartError."""
        if self._keys is None:
            self._keys = Keys(self._find_store(), self._ids)
        return self._keys

    async def load(self) -> Keys:
        """All keys, in force. Raises StartError, StorageUnavailable."""
        keys = self.find_store()
        async with self._lock:
            if not keys.master:
                await keys.load(self._functions)
                self._read_at = self._clock.now()
        return keys

    def forget(self) -> None:
        """Read the keys again when they are next asked for."""
        if self._keys is not None:
            self._keys.master = ""

    async def level(self, request: Request, function: str | None) -> tuple[Level, str]:
        """What the request's key proves, and the key's name; another host may have made it meanwhile."""
        keys = await self.load()
        proved, name = keys.level(request, function)
        is_old = self._clock.now() - self._read_at > KEYS_RELOAD_SECONDS_MIN
        if proved is Level.ANONYMOUS and given_key(request) and is_old:
            self.forget()
            keys = await self.load()
            proved, name = keys.level(request, function)
        return proved, name


def given_key(request: Request) -> str:
    """The key that a caller sends: in the header first, else in the query."""
    return request.headers.get(HEADER) or next((value for name, value in request.query if name == "code"), "")


def satisfies(proved: Level, demanded: Level) -> bool:
    """Whether a key opens a function: a system key opens no function."""
    return demanded is Level.ANONYMOUS or proved is Level.ADMIN or (proved is demanded)


def by_name(keys: Any) -> dict[str, str]:
    """A list of keys as the values by their names."""
    return {each["name"]: each["value"] for each in keys or []}


def _document(function: str | None) -> str:
    """The document of a function's keys: one that is in error for its name has keys too, so no path in it."""
    return HOST if function is None else quote(function, safe="")


def _key(name: str, value: str) -> dict[str, Any]:
    return {"name": name, "value": value, "encrypted": False}


def _as_list(keys: Mapping[str, str]) -> list[dict[str, Any]]:
    return [_key(name, value) for name, value in keys.items()]
