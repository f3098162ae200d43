"""A counter in Cosmos DB that must not lose an increment: read, add one, replace while nobody else has."""

import azure.functions as func
from counter import Busy, increment

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route(route="counters/{name}", methods=["POST"])
async def count(req: func.HttpRequest) -> func.HttpResponse:
    """Add one; 503 when too many others did at the same time."""
    try:
        return func.HttpResponse(str(await increment(req.route_params["name"])))
    except Busy:
        return func.HttpResponse(status_code=503, headers={"Retry-After": "1"})
