"""The rules for a container's vector, full text and computed property policies. Pure; raises Refused.

Texts of vector policies as the azure-cosmos suite expects them of the service (tests/test_vector_policy.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from emulators.cosmos import errors, limits
from emulators.cosmos.errors import Refused
from emulators.cosmos.sql.errors import QueryRefused, QueryUnbuilt
from emulators.cosmos.sql.statement import prepare

DATA_TYPES = ("float32", "float16", "int8", "uint8")
DISTANCE_FUNCTIONS = ("euclidean", "cosine", "dotproduct")
INDEX_TYPES = ("flat", "quantizedFlat", "diskANN")
LANGUAGES = ("en-US", "de-DE", "es-ES", "fr-FR", "it-IT", "pt-BR", "pt-PT")
SYSTEM_NAMES = ("id", "_rid", "_self", "_etag", "_attachments", "_ts")


def check_search_policies(body: Mapping[str, Any], old: Mapping[str, Any] | None = None) -> None:
    """Raises Refused unless the policies of a container's body are allowed, and unchanged where they must be."""
    embeddings = _embeddings(body)
    indexes = body.get("indexingPolicy", {}).get("vectorIndexes") or []
    _check_vector_indexes(indexes, [each["path"] for each in embeddings])
    if old is not None:
        if indexes != (old["indexingPolicy"].get("vectorIndexes") or []):
            raise _bad("Paths in existing vector indexing policy cannot be modified in Collection Replace")
        if embeddings != (old.get("vectorEmbeddingPolicy") or {}).get("vectorEmbeddings", []):
            raise _bad("Paths in existing embedding policy cannot be modified in Collection Replace")
    _check_full_text(body)
    _check_computed(body.get("computedProperties", []))


def _embeddings(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    policy = body.get("vectorEmbeddingPolicy")
    if policy is None:
        return []
    embeddings = policy.get("vectorEmbeddings") if isinstance(policy, dict) else None
    if not isinstance(embeddings, list) or not all(isinstance(each, dict) for each in embeddings):
        raise _bad("The Vector Embedding Policy needs an array of vectorEmbeddings.")
    for each in embeddings:
        path, dimensions = each.get("path"), each.get("dimensions")
        if not isinstance(path, str) or not path.startswith("/"):
            raise _bad(f"The Vector Embedding Policy has an invalid Path:{path}.")
        if each.get("dataType") not in DATA_TYPES:
            raise _bad(f"The Vector Embedding Policy has an invalid DataType:{each.get('dataType')}.")
        if each.get("distanceFunction") not in DISTANCE_FUNCTIONS:
            raise _bad(f"The Vector Embedding Policy has an invalid DistanceFunction:{each.get('distanceFunction')}.")
        if isinstance(dimensions, bool) or not isinstance(dimensions, int) or dimensions < 1:
            raise _bad(f"The Vector Embedding Policy has Dimensions:{dimensions} which is not a positive number.")
        if dimensions > limits.VECTOR_DIMENSIONS_MAX:
            raise _bad(
                f"The Vector Embedding Policy has Dimensions:{dimensions} which is more than the maximum supported "
                f"value {limits.VECTOR_DIMENSIONS_MAX}."
            )
        if each.get("embeddingSource") is not None:
            raise Refused(errors.NOT_BUILT, "Embeddings that the service makes are not implemented in this emulator.")
    return embeddings


def _check_vector_indexes(indexes: object, paths: list[str]) -> None:
    if not isinstance(indexes, list) or not all(isinstance(each, dict) for each in indexes):
        raise _bad("vectorIndexes takes an array of indexes.")
    for index in indexes:
        if index.get("path") not in paths:
            raise _bad(f"The Vector Indexing Policy's path::{index.get('path')} not matching in Embedding's path.")
        if index.get("type") not in INDEX_TYPES:
            raise _bad(f"The Vector Indexing Policy's Index Type::{index.get('type')} is invalid.")
        _check_within(index, "quantizationByteSize", limits.VECTOR_QUANTIZATION_BYTES)
        _check_within(index, "indexingSearchListSize", limits.VECTOR_SEARCH_LIST)
        shards = index.get("vectorIndexShardKey", [])
        if not isinstance(shards, list):
            raise _bad("vectorIndexShardKey takes an array of paths.")
        if len(shards) > limits.VECTOR_SHARD_PATHS_MAX:
            raise _bad(
                f"The number of shard paths defined in the Vector Indexing Policy: {len(shards)} exceeds the maximum: "
                f"{limits.VECTOR_SHARD_PATHS_MAX}."
            )
        for shard in shards:
            if not isinstance(shard, str) or not shard.startswith("/"):
                raise _bad(f"The Vector Indexing Policy has an invalid Shard Path: {shard}.")


def _check_within(index: Mapping[str, Any], name: str, allowed: tuple[int, int]) -> None:
    value = index.get(name)
    low, high = allowed
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high):
        title = name[0].upper() + name[1:]
        raise _bad(
            f"The Vector Indexing Policy parameter {title} value :: {value} is out of range. The allowed range is "
            f"between {low} and {high}."
        )


def _check_full_text(body: Mapping[str, Any]) -> None:
    policy = body.get("fullTextPolicy") or {}
    entries = policy.get("fullTextPaths", []) if isinstance(policy, dict) else None
    if not isinstance(entries, list) or not all(isinstance(each, dict) for each in entries):
        raise _bad("The full text policy needs an array of fullTextPaths.")
    for entry in entries:
        path = entry.get("path")
        if not isinstance(path, str) or not path.startswith("/"):
            raise _bad(f"The Full Text Policy contains an invalid Path: {path}")
    for language in [policy.get("defaultLanguage"), *(entry.get("language") for entry in entries)]:
        if language is not None and language not in LANGUAGES:
            raise _bad(f"The full text policy's language '{language}' is not supported: use {', '.join(LANGUAGES)}.")
    indexes = body.get("indexingPolicy", {}).get("fullTextIndexes") or []
    if not isinstance(indexes, list):
        raise _bad("fullTextIndexes takes an array.")
    for index in indexes:
        path = index.get("path") if isinstance(index, dict) else None
        if path not in [entry["path"] for entry in entries]:
            raise _bad(f"The full text index path '{path}' is not in the full text policy.")


def _check_computed(properties: object) -> None:
    if not isinstance(properties, list) or len(properties) > limits.COMPUTED_PROPERTIES_MAX:
        raise _bad(f"computedProperties takes an array of up to {limits.COMPUTED_PROPERTIES_MAX} entries.")
    names: set[str] = set()
    for each in properties:
        name, text = (each.get("name"), each.get("query")) if isinstance(each, dict) else (None, None)
        if not isinstance(name, str) or not name or not isinstance(text, str):
            raise _bad("A computed property has a name and a query.")
        if name in names or name in SYSTEM_NAMES:
            raise _bad(f"The computed property name '{name}' is taken.")
        names.add(name)
        try:
            query = prepare(text).query
        except (QueryRefused, QueryUnbuilt):
            raise _bad(f"The query of computed property '{name}' has a syntax error.") from None
        plain = len(query.sources) == 1 and query.where is None and not query.group_by and not query.order_by
        if query.select.kind != "VALUE" or not plain:
            raise _bad(f"Computed property '{name}' takes a query of one VALUE over the container and nothing more.")


def _bad(text: str) -> Refused:
    return Refused(errors.BAD_REQUEST, errors.wrapped("One of the specified inputs is invalid", text))
