"""A container's description: what is allowed in it, what is filled in, what may change later. Pure.

Raises Refused with the service's 400 for everything that it refuses.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from emulators.cosmos import errors, limits
from emulators.cosmos.errors import Refused
from emulators.cosmos.partitioning import PartitionKeyError, parse_definition, parse_path
from emulators.cosmos.search_policies import check_search_policies

ETAG_PATH = '/"_etag"/?'
_MODES = ("consistent", "none")
_KNOWN = (
    "id",
    "partitionKey",
    "indexingPolicy",
    "defaultTtl",
    "uniqueKeyPolicy",
    "conflictResolutionPolicy",
    "geospatialConfig",
    "analyticalStorageTtl",
    "changeFeedPolicy",
    "computedProperties",
    "vectorEmbeddingPolicy",
    "fullTextPolicy",
    "clientEncryptionPolicy",
)
_ENCRYPTED_PATH = ("path", "clientEncryptionKeyId", "encryptionType", "encryptionAlgorithm")
_UNBUILT = ("materializedViewDefinition", "encryptionScopeId", "createMode")


def new_container(asked: Mapping[str, Any]) -> dict[str, Any]:
    """The stored body of a new container, defaults filled in. Raises Refused."""
    body = _known_members(asked)
    if asked.get("partitionKey") is None:
        body["partitionKey"] = {"paths": ["/_partitionKey"], "kind": "Hash", "version": 2, "systemKey": True}
    try:
        definition = parse_definition(body["partitionKey"])
    except PartitionKeyError as refusal:
        raise Refused(errors.BAD_REQUEST, errors.wrapped(str(refusal))) from None
    body["partitionKey"] = {**body["partitionKey"], "kind": "MultiHash" if definition.hierarchical else "Hash"}
    body["partitionKey"].setdefault("version", 1)
    body["indexingPolicy"] = indexing_policy(body.get("indexingPolicy"))
    body["conflictResolutionPolicy"] = _conflict_resolution(body.get("conflictResolutionPolicy"))
    body.setdefault("geospatialConfig", {"type": "Geography"})
    _check_rest(body)
    check_search_policies(body)
    return body


def changed_container(old: Mapping[str, Any], asked: Mapping[str, Any]) -> dict[str, Any]:
    """The body of a container after a replace. Raises Refused when it changes what is fixed."""
    body = _known_members(asked)
    if "partitionKey" in body:
        same = {**old["partitionKey"], "version": old["partitionKey"].get("version", 1)}
        asked_key = body["partitionKey"]
        given = {"kind": "Hash", "version": 1, **(asked_key if isinstance(asked_key, dict) else {})}
        if given.get("paths") != same["paths"] or given["kind"] != same["kind"] or given["version"] != same["version"]:
            raise Refused(errors.BAD_REQUEST, errors.wrapped("Document collection partition key cannot be changed."))
    body["partitionKey"] = old["partitionKey"]
    if body.get("uniqueKeyPolicy", {}) != old.get("uniqueKeyPolicy", {}) and body.get("uniqueKeyPolicy"):
        raise Refused(errors.BAD_REQUEST, errors.wrapped("The unique keys of a collection cannot be changed."))
    if "uniqueKeyPolicy" in old:
        body["uniqueKeyPolicy"] = old["uniqueKeyPolicy"]
    if body.get("clientEncryptionPolicy") != old.get("clientEncryptionPolicy"):
        text = "'clientEncryptionPolicy' cannot be changed as part of collection replace operation."
        raise Refused(errors.BAD_REQUEST, errors.wrapped(text))
    body["indexingPolicy"] = indexing_policy(body.get("indexingPolicy"))
    body["conflictResolutionPolicy"] = old["conflictResolutionPolicy"]
    body.setdefault("geospatialConfig", old["geospatialConfig"])
    _check_rest(body)
    check_search_policies(body, old)
    return body


def indexing_policy(asked: object) -> dict[str, Any]:
    """An indexing policy with its defaults filled in. Raises Refused."""
    if asked is None:
        asked = {}
    if not isinstance(asked, dict):
        raise _bad("The indexing policy must be an object.")
    asked = {name: value for name, value in asked.items() if value is not None}
    mode = str(asked.get("indexingMode", "consistent")).lower()
    if mode not in _MODES:
        raise _bad(f"The indexing mode '{mode}' is not supported: use consistent or none.")
    automatic = asked.get("automatic", mode != "none")
    if not isinstance(automatic, bool):
        raise _bad("automatic takes true or false.")
    included = _paths(asked, "includedPaths")
    excluded = _paths(asked, "excludedPaths")
    policy = {**asked, "indexingMode": mode, "automatic": automatic}
    if mode == "none":
        if automatic or included or excluded:
            raise _bad("An indexing mode of none takes automatic false and no paths.")
        return {**policy, "includedPaths": [], "excludedPaths": []}
    listed = [each["path"] for each in included + excluded]
    if not listed or (set(listed) == {ETAG_PATH}):
        included = [{"path": "/*"}]
    elif not {"/*", "/"} & set(listed):
        raise _bad("The special mandatory indexing path '/*' is not provided in any of the path type sets.")
    if ETAG_PATH not in listed:
        excluded = [*excluded, {"path": ETAG_PATH}]
    _check_composite(asked.get("compositeIndexes"))
    _check_spatial(asked.get("spatialIndexes"))
    return {**policy, "includedPaths": included, "excludedPaths": excluded}


def _known_members(asked: Mapping[str, Any]) -> dict[str, Any]:
    for name in _UNBUILT:
        if asked.get(name) is not None:
            raise Refused(errors.NOT_BUILT, f"A container's {name} is not implemented in this emulator.")
    return {name: asked[name] for name in _KNOWN if asked.get(name) is not None}


def _paths(policy: Mapping[str, Any], member: str) -> list[dict[str, Any]]:
    entries = policy.get(member) or []
    if not isinstance(entries, list):
        raise _bad(f"{member} takes an array.")
    for entry in entries:
        path = entry.get("path") if isinstance(entry, dict) else None
        if not isinstance(path, str) or not path.startswith("/"):
            raise _bad(f"An entry of {member} must have a path that starts with '/'.")
    # The kinds of index that old clients list for a path have had no meaning for years; the service drops them.
    return [{name: value for name, value in entry.items() if name != "indexes"} for entry in entries]


def _check_composite(indexes: object) -> None:
    if indexes is None:
        return
    if not isinstance(indexes, list) or len(indexes) > limits.COMPOSITE_INDEXES_MAX:
        raise _bad(f"compositeIndexes takes an array of up to {limits.COMPOSITE_INDEXES_MAX} indexes.")
    for index in indexes:
        if not isinstance(index, list) or not 2 <= len(index) <= limits.COMPOSITE_PATHS_MAX:
            raise _bad(f"A composite index has 2 to {limits.COMPOSITE_PATHS_MAX} paths.")
        for entry in index:
            if not isinstance(entry, dict) or not str(entry.get("path", "")).startswith("/"):
                raise _bad("An entry of a composite index must have a path that starts with '/'.")
            if entry.get("order", "ascending") not in ("ascending", "descending"):
                raise _bad("The order of a composite index path is ascending or descending.")


def _check_spatial(indexes: object) -> None:
    if indexes is None:
        return
    if not isinstance(indexes, list):
        raise _bad("spatialIndexes takes an array.")
    for index in indexes:
        if not isinstance(index, dict) or not str(index.get("path", "")).startswith("/") or not index.get("types"):
            raise _bad("A spatial index has a path that starts with '/' and a non-empty array of types.")


def _conflict_resolution(asked: object) -> dict[str, Any]:
    policy = asked if isinstance(asked, dict) else {}
    mode = policy.get("mode", "LastWriterWins")
    if mode not in ("LastWriterWins", "Custom"):
        raise _bad(f"The conflict resolution mode '{mode}' is not supported.")
    path = policy.get("conflictResolutionPath") or ("/_ts" if mode == "LastWriterWins" else "")
    return {
        "mode": mode,
        "conflictResolutionPath": path,
        "conflictResolutionProcedure": policy.get("conflictResolutionProcedure") or "",
    }


def _check_rest(body: dict[str, Any]) -> None:
    for name in ("defaultTtl", "analyticalStorageTtl"):
        ttl = body.get(name)
        if ttl is not None and (
            isinstance(ttl, bool) or not isinstance(ttl, int) or not (ttl == -1 or 0 < ttl < 1 << 31)
        ):
            raise _bad(f"The value of {name} must be -1 or a positive integer, not {ttl}.")
    unique = body.get("uniqueKeyPolicy")
    if unique is not None:
        body["uniqueKeyPolicy"] = {"uniqueKeys": _unique_keys(unique)}
    _check_change_feed(body.get("changeFeedPolicy"))
    _check_encryption(body.get("clientEncryptionPolicy"))


def _check_encryption(policy: object) -> None:
    """Clients encrypt and decrypt by it; here it only has to be of its form."""
    if policy is None:
        return
    included = policy.get("includedPaths") if isinstance(policy, dict) else None
    if not isinstance(included, list) or not all(isinstance(entry, dict) for entry in included):
        raise _bad("A clientEncryptionPolicy has an array of includedPaths.")
    for entry in included:
        missing = [name for name in _ENCRYPTED_PATH if not isinstance(entry.get(name), str) or not entry[name]]
        if missing:
            raise _bad(f"An entry of clientEncryptionPolicy.includedPaths lacks {', '.join(missing)}.")
        if not entry["path"].startswith("/"):
            raise _bad("A path of a clientEncryptionPolicy starts with '/'.")


def _check_change_feed(policy: object) -> None:
    if policy is None:
        return
    minutes = policy.get("retentionDuration") if isinstance(policy, dict) else None
    if isinstance(minutes, bool) or not isinstance(minutes, int) or not 0 <= minutes < 1 << 31:
        raise _bad("A changeFeedPolicy has a retentionDuration in minutes.")


def _unique_keys(policy: object) -> list[dict[str, Any]]:
    keys = policy.get("uniqueKeys", []) if isinstance(policy, dict) else None
    if not isinstance(keys, list) or len(keys) > limits.UNIQUE_KEYS_MAX:
        raise _bad(f"uniqueKeys takes an array of up to {limits.UNIQUE_KEYS_MAX} keys.")
    total = 0
    for key in keys:
        paths = key.get("paths") if isinstance(key, dict) else None
        if not isinstance(paths, list) or not paths or not all(isinstance(path, str) for path in paths):
            raise _bad("A unique key has a non-empty array of paths.")
        total += len(paths)
        try:
            for path in paths:
                parse_path(path)
        except PartitionKeyError as refusal:
            raise _bad(str(refusal)) from None
    if total > limits.UNIQUE_KEY_PATHS_MAX:
        raise _bad(f"The unique keys of a collection have up to {limits.UNIQUE_KEY_PATHS_MAX} paths.")
    return keys


def _bad(text: str) -> Refused:
    return Refused(errors.BAD_REQUEST, errors.wrapped("One of the specified inputs is invalid", text))
