"""The read side's functions: which trigger starts what."""

from functools import partial

import azure.functions as func

from order_telemetry import answered
from order_telemetry.wiring import process_telemetry
from update_order_status_read_model import endpoints, wiring

blueprint = func.Blueprint()  # type: ignore[no-untyped-call]


# The event as text: every version of the worker passes that on as it came, whichever envelope it is in.
@blueprint.function_name("UpdateOrderStatusReadModel")
@blueprint.event_grid_trigger("event")
async def update_order_status_read_model(event: str) -> None:
    """Bring the views up to an event."""
    side = await wiring.read_side()
    await side.projection.take(event)


@blueprint.function_name("GetOrder")
@blueprint.route("orders/{orderId}", methods=[func.HttpMethod.GET], auth_level=func.AuthLevel.FUNCTION)
async def get_order(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """One order."""
    return await answered(process_telemetry(), req, context, partial(endpoints.get_order, req, wiring.queries))


@blueprint.function_name("ListOrders")
@blueprint.route("orders", methods=[func.HttpMethod.GET], auth_level=func.AuthLevel.FUNCTION)
async def list_orders(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Orders by status and time, latest change first."""
    return await answered(process_telemetry(), req, context, partial(endpoints.list_orders, req, wiring.queries))


@blueprint.function_name("GetOrderHistory")
@blueprint.route("orders/{orderId}/history", methods=[func.HttpMethod.GET], auth_level=func.AuthLevel.FUNCTION)
async def get_order_history(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """What happened to one order."""
    return await answered(process_telemetry(), req, context, partial(endpoints.get_order_history, req, wiring.queries))


@blueprint.function_name("GetOrderSummary")
@blueprint.route("order-summary", methods=[func.HttpMethod.GET], auth_level=func.AuthLevel.FUNCTION)
async def get_order_summary(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """How many orders there are in each status, and how far behind the read side is."""
    return await answered(process_telemetry(), req, context, partial(endpoints.get_order_summary, req, wiring.queries))
