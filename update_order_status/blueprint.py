"""The write side's functions: which trigger starts what."""

from functools import partial

import azure.functions as func

from order_telemetry import answered
from order_telemetry.wiring import process_telemetry
from update_order_status import endpoints, wiring

blueprint = func.Blueprint()  # type: ignore[no-untyped-call]


@blueprint.function_name("UpdateOrderStatus")
@blueprint.route("UpdateOrderStatus", methods=[func.HttpMethod.POST], auth_level=func.AuthLevel.FUNCTION)
async def update_order_status(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Give an order a status."""
    telemetry = process_telemetry()
    answer = partial(endpoints.update_one, req, wiring.write_side, wiring.new_id, telemetry)
    return await answered(telemetry, req, context, answer)


@blueprint.function_name("UpdateOrderStatuses")
@blueprint.route("UpdateOrderStatuses", methods=[func.HttpMethod.POST], auth_level=func.AuthLevel.FUNCTION)
async def update_order_statuses(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Give up to a hundred orders a status, with a result for each."""
    telemetry = process_telemetry()
    answer = partial(endpoints.update_many, req, wiring.write_side, wiring.new_id, telemetry)
    return await answered(telemetry, req, context, answer)


@blueprint.function_name("PublishPendingOrderEvents")
@blueprint.timer_trigger("timer", schedule="%OrdersRelaySchedule%", use_monitor=False)
async def publish_pending_order_events(timer: func.TimerRequest) -> None:
    """Publish the events that no request could."""
    side = await wiring.write_side()
    await side.relay.tick()
