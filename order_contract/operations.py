"""The HTTP functions one by one. What a model, a problem or a limit says already is taken from there."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from order_contract.vocabulary import Answer, Header, Link, Operation, Parameter
from order_events import OrderId
from update_order_status import errors as commands
from update_order_status.models import (
    BatchKey,
    BatchResults,
    EventDelivery,
    IdempotencyKey,
    IfMatch,
    OrderBody,
    UpdateOrderStatusBody,
    UpdateOrderStatusesBody,
)
from update_order_status_read_model import errors as queries
from update_order_status_read_model.models import OrderBody as OrderView
from update_order_status_read_model.models import OrderHistory, OrderPage, OrderSummary
from update_order_status_read_model.requests import GetOrderParameters, ListOrdersParameters, PageParameters

Truth = Literal["true", "false"]
Seconds = Annotated[int, Field(ge=1)]
EntityTag = Annotated[str, Field(pattern=r'^"\d+"$')]

ORDER_EXAMPLE = {
    "orderId": "order-1",
    "status": "approved",
    "previousStatus": "created",
    "version": 2,
    "updatedAt": "2026-01-02T03:04:05.600000Z",
}

ETAG = Header("ETag", EntityTag, "The order's version, for If-Match and If-None-Match; alike on both sides.")
KEY = Header(
    "Idempotency-Key", IdempotencyKey, "The key of this command, given or made; sending again with it is safe."
)
REPLAYED = Header("Idempotency-Replayed", Truth, "Whether this is the answer of an earlier sending.")
LOCATION = Header("Location", Annotated[str, Field(min_length=1)], "Where the order can be read.")
TOKEN = Header(
    "X-Consistency-Token", Annotated[str, Field(pattern=r"^.+:\d+$")], "`orderId:version`, for `minVersion`."
)
DELIVERY = Header(
    "X-Event-Delivery",
    EventDelivery,
    "Whether the event is on its way, or will be sent later. Absent when nothing changed.",
    always=False,
)
SOURCE = Header("X-Read-Source", Literal["read", "write"], "The side that the order was read from.")
CACHE = Header("Cache-Control", Annotated[str, Field(min_length=1)], "How long the answer may be kept.")
CONTENT_TAG = Header("ETag", Annotated[str, Field(pattern=r'^"[0-9a-f]+"$')], "Identity of this text.")
RETRY_AFTER = Header("Retry-After", Seconds, "Seconds to wait before asking again.")

ORDER_ID = Parameter("orderId", "path", OrderId, "The order.", "order-1", required=True)
IDEMPOTENCY_KEY = Parameter(
    "Idempotency-Key",
    "header",
    IdempotencyKey,
    "Names the intent: however often it is sent, a command with this key takes effect once on its order.",
    "6f1c9f0e-2f34-4a6b-9b0a-3f0a2b7d9c11",
)
BATCH_KEY = Parameter(
    "Idempotency-Key",
    "header",
    BatchKey,
    "Names the batch; with the place of a command (`key/0`, `key/1`, …) it names that command.",
    "6f1c9f0e-2f34-4a6b-9b0a-3f0a2b7d9c11",
)
IF_MATCH = Parameter(
    "If-Match", "header", IfMatch, "Take effect only if the order has this version. `*`: only if it exists.", '"1"'
)
IF_NONE_MATCH = Parameter("If-None-Match", "header", str, "What the caller has: 304 if it is still so.", '"2"')
TRACEPARENT = Parameter(
    "traceparent",
    "header",
    str,
    "The caller's trace (W3C Trace Context); an invalid one is ignored.",
    "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
)

TO_ORDER = Link("order", "GetOrder", {"orderId": "$response.body#/orderId", "minVersion": "$response.body#/version"})
TO_HISTORY = Link("history", "GetOrderHistory", {"orderId": "$response.body#/orderId"})

ORDER_ANSWER_HEADERS = (ETAG, LOCATION, TOKEN, KEY, REPLAYED, DELIVERY)
COMMAND_PROBLEMS = (
    commands.INVALID_REQUEST,
    commands.TOO_LARGE,
    commands.THROTTLED,
    commands.FAILED,
    commands.UNAVAILABLE,
)
QUERY_PROBLEMS = (queries.INVALID_QUERY, queries.THROTTLED, queries.FAILED, queries.UNAVAILABLE)

OPERATIONS = (
    Operation(
        function="UpdateOrderStatus",
        method="post",
        path="/UpdateOrderStatus",
        summary="Give an order a status",
        description="An order never seen before comes into being, at any status. The status that it has already "
        "changes nothing. The event follows at once, or later: never not at all.",
        parameters=(IDEMPOTENCY_KEY, IF_MATCH, TRACEPARENT),
        body=UpdateOrderStatusBody,
        body_example={"orderId": "order-1", "status": "approved"},
        answers=(
            Answer(200, "The order, changed or as it was", OrderBody, ORDER_ANSWER_HEADERS, ORDER_EXAMPLE, (TO_ORDER,)),
            Answer(
                201,
                "The new order",
                OrderBody,
                ORDER_ANSWER_HEADERS,
                {**ORDER_EXAMPLE, "status": "created", "previousStatus": None, "version": 1},
                (TO_ORDER, TO_HISTORY),
            ),
        ),
        problems=(
            *COMMAND_PROBLEMS,
            commands.TRANSITION_NOT_ALLOWED,
            commands.ERASED,
            commands.STALE_VERSION,
            commands.KEY_REUSED,
        ),
        problem_headers=(KEY,),
    ),
    Operation(
        function="UpdateOrderStatuses",
        method="post",
        path="/UpdateOrderStatuses",
        summary="Give up to a hundred orders a status",
        description="Each command has a result of its own, in the order of the request. Not atomic: orders are "
        "independent of each other. Commands on one order are done one after the other.",
        parameters=(BATCH_KEY, TRACEPARENT),
        body=UpdateOrderStatusesBody,
        body_example={"commands": [{"orderId": "order-1", "status": "approved"}]},
        answers=(
            Answer(
                200,
                "A result for each command",
                BatchResults,
                (KEY,),
                {
                    "results": [
                        {
                            "idempotencyKey": "6f1c9f0e-2f34-4a6b-9b0a-3f0a2b7d9c11/0",
                            "status": 200,
                            "order": ORDER_EXAMPLE,
                            "replayed": False,
                            "eventDelivery": "sent",
                        }
                    ]
                },
            ),
        ),
        problems=COMMAND_PROBLEMS,
        problem_headers=(KEY,),
    ),
    Operation(
        function="GetOrder",
        method="get",
        path="/orders/{orderId}",
        summary="One order",
        description="With `minVersion` at that version or a later one: it is waited for up to `waitMs`, then read "
        "where it was written, or (by setting) answered with 503.",
        parameters=(ORDER_ID, IF_NONE_MATCH),
        query=GetOrderParameters,
        answers=(
            Answer(200, "The order", OrderView, (ETAG, CACHE, SOURCE), ORDER_EXAMPLE, (TO_HISTORY,)),
            Answer(304, "The caller has this version", None, (ETAG, CACHE, SOURCE)),
        ),
        problems=(*QUERY_PROBLEMS, queries.NOT_FOUND, queries.NOT_YET),
    ),
    Operation(
        function="ListOrders",
        method="get",
        path="/orders",
        summary="Orders, latest change first",
        description="In pages: pass `continuationToken` with the same filters until it is null.",
        query=ListOrdersParameters,
        answers=(
            Answer(
                200,
                "A page",
                OrderPage,
                (),
                {"orders": [ORDER_EXAMPLE], "continuationToken": None},
                (Link("firstOrder", "GetOrder", {"orderId": "$response.body#/orders/0/orderId"}),),
            ),
        ),
        problems=QUERY_PROBLEMS,
    ),
    Operation(
        function="GetOrderHistory",
        method="get",
        path="/orders/{orderId}/history",
        summary="What happened to one order",
        description="Its steps, oldest first, in pages.",
        parameters=(ORDER_ID,),
        query=PageParameters,
        answers=(
            Answer(
                200,
                "A page",
                OrderHistory,
                (),
                {
                    "orderId": "order-1",
                    "steps": [
                        {
                            "version": 1,
                            "status": "created",
                            "previousStatus": None,
                            "occurredAt": "2026-01-02T03:04:05.600000Z",
                            "commandId": "6f1c9f0e",
                        }
                    ],
                    "continuationToken": None,
                },
            ),
        ),
        problems=(*QUERY_PROBLEMS, queries.NOT_FOUND),
    ),
    Operation(
        function="GetOrderSummary",
        method="get",
        path="/order-summary",
        summary="Orders per status, and how far behind the read side is",
        description="The counts are taken at slightly different moments.",
        answers=(
            Answer(
                200,
                "The summary",
                OrderSummary,
                (),
                {
                    "counts": {"created": 3, "approved": 1},
                    "total": 4,
                    "projectionLag": {
                        "seconds": 0.2,
                        "lastEventAt": "2026-01-02T03:04:05.600000Z",
                        "lastProjectedAt": "2026-01-02T03:04:05.800000Z",
                    },
                },
            ),
        ),
        problems=QUERY_PROBLEMS,
    ),
    Operation(
        function="GetOpenApi",
        method="get",
        path="/openapi.json",
        summary="This contract",
        description="OpenAPI 3.1.",
        parameters=(IF_NONE_MATCH,),
        answers=(
            Answer(200, "The contract", None, (CONTENT_TAG, CACHE)),
            Answer(304, "The caller has it", None, (CONTENT_TAG, CACHE)),
        ),
        anonymous=True,
    ),
)
