"""The counter itself: optimistic concurrency, a bounded number of tries."""

import os

from azure.core import MatchConditions
from azure.cosmos.aio import ContainerProxy, CosmosClient
from azure.cosmos.exceptions import CosmosAccessConditionFailedError, CosmosResourceNotFoundError

TRIES_MAX = 5


class Busy(Exception):
    """Somebody else was faster each time."""


async def increment(name: str) -> int:
    """Add one to a counter and return it. Raises Busy."""
    async with CosmosClient.from_connection_string(os.environ["Counters"]) as client:
        counters = client.get_database_client("counters").get_container_client("counters")
        for _ in range(TRIES_MAX):
            try:
                return await _add_one(counters, name)
            except CosmosAccessConditionFailedError:
                continue
        raise Busy


async def _add_one(counters: ContainerProxy, name: str) -> int:
    try:
        counter = await counters.read_item(name, name)
    except CosmosResourceNotFoundError:
        await counters.create_item({"id": name, "count": 1})
        return 1
    counter["count"] += 1
    await counters.replace_item(name, counter, etag=counter["_etag"], match_condition=MatchConditions.IfNotModified)
    return int(counter["count"])
