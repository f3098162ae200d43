"""Orders over Event Grid: one function publishes that an order was placed, another acts on it."""

import datetime
import logging
import uuid

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route(route="orders/{order_id}", methods=["PUT"])
@app.event_grid_output(arg_name="placed", topic_endpoint_uri="OrdersTopicUri", topic_key_setting="OrdersTopicKey")
def place_order(req: func.HttpRequest, placed: func.Out[func.EventGridOutputEvent]) -> func.HttpResponse:
    """Accept an order and tell whoever subscribes."""
    placed.set(
        func.EventGridOutputEvent(
            id=str(uuid.uuid4()),
            subject=f"orders/{req.route_params['order_id']}",
            event_type="Shop.OrderPlaced",
            event_time=datetime.datetime.now(datetime.UTC),
            data={"orderId": req.route_params["order_id"]},
            data_version="1.0",
        )
    )
    return func.HttpResponse(status_code=202)


@app.event_grid_trigger(arg_name="event")
def confirm_order(event: func.EventGridEvent) -> None:
    """Confirm an order that was placed."""
    logging.info("Order %s is confirmed", event.get_json()["orderId"])
