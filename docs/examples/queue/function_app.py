"""Orders through a queue: taken over HTTP, handled later, one by one."""

import json
import logging

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route(route="orders", methods=["POST"])
@app.queue_output(arg_name="order", queue_name="orders", connection="AzureWebJobsStorage")
def take_order(req: func.HttpRequest, order: func.Out[str]) -> func.HttpResponse:
    """Put an order into the queue."""
    order.set(json.dumps(req.get_json()))
    return func.HttpResponse(status_code=202)


@app.queue_trigger(arg_name="order", queue_name="orders", connection="AzureWebJobsStorage")
def handle_order(order: func.QueueMessage) -> None:
    """Handle an order; one without an id can never be handled and ends in the poison queue."""
    logging.info("Order %s was handled at attempt %s", order.get_json()["id"], order.dequeue_count)
