"""The order flow as bare SDK calls, on whichever rung of guarantees `RUNG` names: what each costs, by itself.

`naive` is the source article's flow: upsert, publish, upsert. `commit` keeps events and orders together under an ETag,
so that no command is doubled or lost. `relay` marks what is published, so that none is forgotten. `gate` lets the read
side advance only, and `history` keeps every step there: then the calls are those of the order service, and nothing else
is. No validation, no errors, no retries but where the flow itself needs one: a reference to measure against, never to
copy.
"""

from __future__ import annotations

import json
import logging
import os
import uuid
from datetime import UTC, datetime
from typing import Any

import azure.functions as func
from azure.core.credentials import AzureKeyCredential
from azure.core.pipeline.transport import AioHttpTransport
from azure.cosmos.aio import CosmosClient
from azure.cosmos.exceptions import CosmosBatchOperationError, CosmosResourceNotFoundError
from azure.eventgrid.aio import EventGridPublisherClient

RUNGS = ("naive", "commit", "relay", "gate", "history")
_RUNG = RUNGS.index(os.environ.get("RUNG", "naive"))
HAS_COMMIT, HAS_RELAY, HAS_GATE, HAS_HISTORY = (rung <= _RUNG for rung in (1, 2, 3, 4))
LOOKS_MAX = 5
"""At a view that others are changing."""

logging.getLogger("azure").setLevel(logging.WARNING)
app = func.FunctionApp()
_clients: dict[str, Any] = {}


async def _containers() -> tuple[Any, Any, EventGridPublisherClient]:
    if not _clients:
        store = CosmosClient.from_connection_string(
            os.environ["CosmosDBConnection"], transport=AioHttpTransport(use_env_settings=False)
        )
        await store.__aenter__()
        database = store.get_database_client(os.environ["OrdersDatabase"])
        _clients["write"] = database.get_container_client("orders-write")
        _clients["read"] = database.get_container_client("orders-read-1")
        _clients["topic"] = EventGridPublisherClient(
            os.environ["EventGridTopicEndpoint"],
            AzureKeyCredential(os.environ["EventGridTopicKey"]),
            transport=AioHttpTransport(use_env_settings=False),
        )
    return _clients["write"], _clients["read"], _clients["topic"]


async def _get(container: Any, order: str) -> dict[str, Any] | None:
    try:
        document: dict[str, Any] = await container.read_item(order, partition_key=order)
    except CosmosResourceNotFoundError:
        return None
    return document


@app.function_name("UpdateOrderStatus")
@app.route("UpdateOrderStatus", methods=[func.HttpMethod.POST], auth_level=func.AuthLevel.FUNCTION)
async def update_order_status(req: func.HttpRequest) -> func.HttpResponse:
    """Write, publish, mark."""
    write, _, topic = await _containers()
    asked = req.get_json()
    order, event_id = asked["orderId"], f"event:{uuid.uuid4()}"
    state = {"orderId": order, "status": asked["status"], "updatedAt": datetime.now(UTC).isoformat(), "version": 1}
    if HAS_COMMIT:
        # The batch that creates an order is itself the question whether there is one.
        before = None if asked["status"] == "created" else await _get(write, order)
        state["version"] = before["version"] + 1 if before else 1
        event = {"id": event_id, "type": "event", **state, **({"pending": state["updatedAt"]} if HAS_RELAY else {})}
        document = {"id": order, "type": "order", **state}
        if before is None:
            await write.execute_item_batch([("create", (event,)), ("create", (document,))], partition_key=order)
        else:
            replace = ("replace", (order, document), {"if_match_etag": before["_etag"]})
            await write.execute_item_batch([("create", (event,)), replace], partition_key=order)
    else:
        await write.upsert_item({"id": order, "type": "order", **state})
    envelope = {"id": event_id, "eventType": "OrderStatusUpdated", "subject": "orders/update", "dataVersion": "1.0"}
    await topic.send([{**envelope, "eventTime": state["updatedAt"], "data": state}])
    if HAS_RELAY:
        await write.patch_item(event_id, order, [{"op": "remove", "path": "/pending"}])
    return func.HttpResponse(json.dumps(state), mimetype="application/json", status_code=200)


@app.function_name("UpdateOrderStatusReadModel")
@app.event_grid_trigger(arg_name="event")
async def update_order_status_read_model(event: func.EventGridEvent) -> None:
    """Project."""
    _, read, _ = await _containers()
    state: dict[str, Any] = event.get_json()
    if HAS_GATE:
        await _advance(read, state)
    else:
        await read.upsert_item({"id": state["orderId"], "type": "view", **state})


async def _advance(read: Any, state: dict[str, Any]) -> None:
    """Write the view unless it is newer, and the step beside it whatever the view is."""
    order, version = state["orderId"], state["version"]
    view = {"id": order, "type": "view", **state}
    changes = [{"op": "set", "path": f"/{name}", "value": state[name]} for name in ("status", "updatedAt", "version")]
    older = {"filter_predicate": f"FROM c WHERE c.version < {version}"}
    gate: tuple[Any, ...] = ("create", (view,)) if version == 1 else ("patch", (order, changes), older)
    entry = {**view, "id": f"history:{version}", "type": "history"}
    for _ in range(LOOKS_MAX):
        try:
            steps = [gate, *([("upsert", (entry,))] if HAS_HISTORY else [])]
            await read.execute_item_batch(steps, partition_key=order)
        except CosmosBatchOperationError:  # a newer event was faster, or an older one is still to come
            before = await _get(read, order)
        else:
            return
        if before is None:
            gate = ("create", (view,))
        elif before["version"] < version:
            gate = ("replace", (order, view), {"if_match_etag": before["_etag"]})
        elif HAS_HISTORY:
            gate = ("patch", (order, [{"op": "set", "path": "/type", "value": "view"}]))
        else:
            return
    raise RuntimeError(f"version {version} of {order} was overtaken {LOOKS_MAX} times")
